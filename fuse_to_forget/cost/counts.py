"""How often the jobs of a run see how many examples: what follows from the config alone."""

from collections.abc import Mapping
from typing import Any

from fuse_to_forget.coefficients import simplex_grid
from fuse_to_forget.cost.texts import (
    Examples,
    bias_examples,
    biased_subset,
    domain_examples,
    shortcut_examples,
)
from fuse_to_forget.domains import STUDY as DOMAINS
from fuse_to_forget.domains import domains_of
from fuse_to_forget.fusion.catalog import ENSEMBLE
from fuse_to_forget.method_grid import method_sets, needs_texts, uses_of
from fuse_to_forget.runs import DEV, HELD_OUT, Run, runs, subset_sizes
from fuse_to_forget.studies import AVERAGE, attributes, shortcut_sweeps, single_models


def examples_of(config: Mapping[str, Any], study: str) -> Examples:
    """Return the numbers of examples of a classification study."""
    found = {"shortcuts": shortcut_examples, "biases": bias_examples, "domains": domain_examples}
    return found[study](config)


def text_length(config: Mapping[str, Any], study: str) -> float:
    """Return the mean tokens of a study's training texts; of a study of language models, the longest there are."""
    if "sequences" in config[study]:
        return config[study]["sequences"]["length"]
    return examples_of(config, study).train_tokens


def swept_models(config: Mapping[str, Any], study: str, sweep: str) -> list[str]:
    """Return the models of a sweep."""
    return shortcut_sweeps(config)[sweep] if study == "shortcuts" else attributes(config)


def swept_points(config: Mapping[str, Any], study: str, sweep: str) -> int:
    """Return how many fused models a sweep evaluates."""
    if sweep == AVERAGE:
        return 1
    steps = config[study].get("sweeps", config[study].get("sweep"))["steps"]
    return len(simplex_grid(len(swept_models(config, study, sweep)), steps))


def run_of(config: Mapping[str, Any], study: str, model: str) -> Run:
    """Return the run that trains a language model."""
    return next(run for run in runs(config[study]).values() if model in run.trained())


def run_sequences(config: Mapping[str, Any], study: str, run: Run) -> int:
    """Return how many sequences the models of a run are evaluated on."""
    sizes = config[study]["subsets"]
    return sum(subset_sizes(config[study], run).values()) + sizes[DEV] + sizes[HELD_OUT]


def run_models(run: Run) -> int:
    """Return how many models of a run read all sequences: the base model, the trained and the fused ones."""
    return 1 + len(run.trained()) + len(run.constituents())


def set_models(config: Mapping[str, Any], study: str, name: str) -> list[str]:
    """Return the models of a set that is fused by many methods."""
    if study == DOMAINS:
        return domains_of(config).sets()[name]
    return method_sets(config, single_models(config))[study][name]


def set_passes(config: Mapping[str, Any], study: str, name: str) -> int:
    """Return how often the data of a set are predicted: once by each method, by an ensemble once by each model."""
    models = len(set_models(config, study, name))
    uses = uses_of(config, config[study].get("methods"), models).values()
    return sum(models if use["method"] == ENSEMBLE else 1 for use in uses)


def block_passes(config: Mapping[str, Any], study: str, name: str, layers: int) -> int:
    """Return how often methods that need texts read an example of each model of a set: once for each block."""
    models = len(set_models(config, study, name))
    uses = uses_of(config, config[study].get("methods"), models)
    heads = 2  # pooler and classifier, or what stands before a language model's output
    return sum(needs_texts({label: use}) for label, use in uses.items()) * models * (layers + heads)


def encoded_examples(config: Mapping[str, Any]) -> int:
    """Return how many examples the biased models encode: the subset, dev and test."""
    examples = bias_examples(config)
    return biased_subset(config, examples) + examples.dev + examples.test


def fisher_estimates(config: Mapping[str, Any], comparison: str) -> int:
    """Return how many times a comparison takes Fisher information: two sides, shared and unshared; twice for seeds."""
    pairs = ["-".join(pair) for pair in config["shortcuts"]["fisher"]["pairs"]]
    return 4 if comparison in pairs else 8


def selection_texts(config: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many predictions on dev and on test a selection of coefficients makes, at most, in all seeds."""
    examples, selection = bias_examples(config), config["biases"]["selection"]
    seeds, models = len(config["seeds"]), len(attributes(config))
    # the grid with the greedy soup, which need not lie on it, then the search; on test what is reported
    points = len(simplex_grid(models, selection["steps"])) + 1 + selection["evaluations"]
    return seeds * points * examples.dev, seeds * (models + 2) * examples.test
