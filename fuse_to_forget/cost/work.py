"""How many operations a job takes, by its rule, wildcards and the config."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fuse_to_forget.cost.counts import (
    block_passes,
    encoded_examples,
    examples_of,
    fisher_estimates,
    run_models,
    run_of,
    run_sequences,
    selection_texts,
    set_models,
    set_passes,
    swept_models,
    swept_points,
)
from fuse_to_forget.cost.plan import Job
from fuse_to_forget.cost.shapes import Shape, base_shape, pretrained_shape
from fuse_to_forget.cost.texts import biased_subset, pretraining_tokens
from fuse_to_forget.domains import domains_of
from fuse_to_forget.protocol import switches
from fuse_to_forget.runs import DEV, MAIN, runs, subset_sizes
from fuse_to_forget.studies import FULL, swept_datasets

CLASSIFY = "classify"  # beside causal and masked
_PRETRAINING_DEV = 0.05  # share of the sequences that pretraining is watched on

Wildcards = Mapping[str, str]


@dataclass(frozen=True)
class Work:
    """Floating-point operations of a job, on a model of this shape and objective and texts of this length (tokens).

    `training` counts forward and backward passes, `prediction` forward passes alone.
    """

    shape: Shape
    objective: str
    length: float
    training: float = 0.0
    prediction: float = 0.0


def job_work(config: Mapping[str, Any], job: Job) -> Work | None:
    """Return the operations of a job, or None if its rule runs no model.

    A training with a stop rule is counted up to its limit, which is the worst case. Raises InputError for a model or
    source of which too little is known.
    """
    counted = _WORK.get(job.rule)
    return counted(config, job.wildcards) if counted else None


def _synthetic_share(config: Mapping[str, Any]) -> float:
    part = switches(config["protocol"], config["departures"])["synthetic_split"]
    ratio = config["shortcuts"]["injection"]["ratio"]
    smaller = ratio / (1 + ratio)
    return smaller if part == "minority" else 1 - smaller


def _classify(config: Mapping[str, Any], study: str, *, train: float = 0.0, texts: float = 0.0) -> Work:
    """Work on so many examples that are trained on, and texts that are predicted, each as often as they are seen."""
    shape, examples = base_shape(config, study), examples_of(config, study)
    seen = train * examples.train_tokens, texts * examples.held_out_tokens
    return Work(
        shape,
        CLASSIFY,
        examples.train_tokens if train else examples.held_out_tokens,
        3 * seen[0] * shape.forward_flop(round(examples.train_tokens), language_model=False),
        seen[1] * shape.forward_flop(round(examples.held_out_tokens), language_model=False),
    )


def _distinct_texts(config: Mapping[str, Any], study: str, datasets: int) -> float:
    """Texts that a model predicts: dev and test, or of so many shortcut data sets what they do not have in common."""
    examples = examples_of(config, study)
    if study != "shortcuts":
        return examples.dev + examples.test
    marked = config["shortcuts"]["injection"]["marked_originals"]
    common = (1 - _synthetic_share(config)) * (1 - marked)
    return examples.dev * (common + datasets * (1 - common))


def _finetune(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study, full = wildcards["study"], wildcards["model"] == FULL
    settings, examples = config[study]["training"], examples_of(config, study)
    if study == "biases":
        size = biased_subset(config, examples)
        # two independent draws of `size` have size^2 / train examples in common
        count = 2 * size - size**2 / examples.train if full else size
        return _classify(
            config, study, train=settings["epochs"] * count, texts=settings["epochs"] * examples.dev
        )
    if study == "domains":
        count = len(domains_of(config).trained()[wildcards["model"]])
        watched = examples.dev * count / len(config[study]["sources"])
        epochs = settings["epochs"]
        return _classify(config, study, train=epochs * count * examples.train, texts=epochs * watched)
    epochs = config[study]["full_epochs"] if full else settings["epochs"]
    datasets = len(config[study]["singles"]) if full else 1
    evaluations = epochs * settings["stop"]["evaluations_per_epoch"]
    watched = examples.dev * _synthetic_share(config)
    return _classify(
        config, study, train=epochs * datasets * examples.train, texts=evaluations * datasets * watched
    )


def _predict(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study = wildcards["study"]
    return _classify(config, study, texts=_distinct_texts(config, study, len(config["shortcuts"]["singles"])))


def _sweep(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study, sweep = wildcards["study"], wildcards["sweep"]
    datasets = len(swept_datasets(config, swept_models(config, study, sweep)))
    texts = _distinct_texts(config, study, datasets) * swept_points(config, study, sweep)
    return _classify(config, study, texts=texts)


def _select_coefficients(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    return _classify(config, "biases", texts=sum(selection_texts(config)))


def _encode(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    return _classify(config, "biases", texts=encoded_examples(config))


def _compare_fisher(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    estimates = fisher_estimates(config, wildcards["comparison"])
    # the products for the weights are as many as in training; that they are squared and summed comes on top
    return _classify(config, "shortcuts", train=estimates * config["shortcuts"]["fisher"]["examples"])


def _examined(config: Mapping[str, Any], study: str) -> int:
    """Return how many examples statistics of a classifier are made of."""
    return config["methods"]["statistics"]["examples"] or examples_of(config, study).train


def _collect_statistics(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study, asked = wildcards["study"], config["methods"]["statistics"]
    examples = _examined(config, study)
    # Gram matrices take a forward pass, Fisher information one with the products for the weights of each label
    labels = 2 if asked["labels"] == "expected" else 1
    return _classify(config, study, train=labels * examples, texts=examples)


def _try_methods(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study, name = wildcards["study"], wildcards["set"]
    datasets = len(swept_datasets(config, set_models(config, study, name))) if study == "shortcuts" else 1
    predicted = _distinct_texts(config, study, datasets) * set_passes(config, study, name)
    examined = block_passes(config, study, name, base_shape(config, study).layers) * _examined(config, study)
    return _classify(config, study, texts=predicted + examined)


def _language(shape: Shape, objective: str, length: int, *, train: float, read: float) -> Work:
    """Work of a language model on so many sequences that are trained on and read, each as often as it is seen."""
    forward = length * shape.forward_flop(length, language_model=True)
    return Work(shape, objective, length, 3 * train * forward, read * forward)


def _finetune_language_model(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study = wildcards["study"]
    section, run = config[study], run_of(config, study, wildcards["model"])
    sizes = subset_sizes(section, run)
    sequences = sum(sizes[name] for name in run.trained()[wildcards["model"]])
    return _language(
        base_shape(config, study),
        section["objective"],
        section["sequences"]["length"],
        train=sequences * run.epochs,
        read=section["subsets"][DEV] * math.ceil(run.epochs),
    )


def _read_sequences(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study = wildcards["study"]
    section, run = config[study], runs(config[study])[wildcards["run"]]
    copies = section["prediction"]["masking"]["repeats"] if section["objective"] == "masked" else 1
    return _language(
        base_shape(config, study),
        section["objective"],
        section["sequences"]["length"],
        train=0,
        read=run_sequences(config, study, run) * run_models(run) * copies,
    )


def _collect_language_statistics(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study = wildcards["study"]
    section, examples = config[study], _examined_sequences(config, study, wildcards["model"])
    shape, length = base_shape(config, study), section["sequences"]["length"]
    return _language(shape, section["objective"], length, train=examples, read=examples)


def _examined_sequences(config: Mapping[str, Any], study: str, model: str) -> int:
    """Return how many sequences statistics of a language model are made of."""
    section = config[study]
    run = run_of(config, study, model)
    sizes = subset_sizes(section, run)
    sequences = sum(sizes[name] for name in run.trained()[model])
    return min(sequences, config["methods"]["statistics"]["examples"] or sequences)


def _read_with_methods(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    study, name = wildcards["study"], wildcards["set"]
    section, shape = config[study], base_shape(config, study)
    copies = section["prediction"]["masking"]["repeats"] if section["objective"] == "masked" else 1
    read = run_sequences(config, study, runs(section)[MAIN]) * copies * set_passes(config, study, name)
    examples = _examined_sequences(config, study, set_models(config, study, name)[0])
    examined = examples * block_passes(config, study, name, shape.layers)
    return _language(
        shape, section["objective"], section["sequences"]["length"], train=0, read=read + examined
    )


def _pretrain(config: Mapping[str, Any], wildcards: Wildcards) -> Work:
    entry = config["pretrained"][wildcards["pretrained"]]
    seen = pretraining_tokens(config, entry) / entry["length"] * entry["training"]["epochs"]
    return _language(
        pretrained_shape(entry),
        entry["objective"],
        entry["length"],
        train=seen * (1 - _PRETRAINING_DEV),
        read=seen * _PRETRAINING_DEV,
    )


_WORK = {
    "finetune": _finetune,
    "predict": _predict,
    "sweep": _sweep,
    "select_coefficients": _select_coefficients,
    "encode": _encode,
    "compare_fisher": _compare_fisher,
    "finetune_language_model": _finetune_language_model,
    "read_sequences": _read_sequences,
    "pretrain": _pretrain,
    "collect_statistics": _collect_statistics,
    "collect_language_statistics": _collect_language_statistics,
    "try_methods": _try_methods,
    "read_with_methods": _read_with_methods,
}
