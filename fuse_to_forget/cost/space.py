"""How much memory and disk a job takes, by its rule, wildcards and the config."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fuse_to_forget.cost.counts import (
    encoded_examples,
    examples_of,
    fisher_estimates,
    run_models,
    run_sequences,
    selection_texts,
    set_models,
    set_passes,
    swept_models,
    swept_points,
)
from fuse_to_forget.cost.plan import Job
from fuse_to_forget.cost.shapes import FLOAT, Shape, base_shape, pretrained_shape
from fuse_to_forget.cost.texts import biased_subset, source_characters
from fuse_to_forget.cost.work import CLASSIFY
from fuse_to_forget.runs import MAIN, runs, sizes_up_to
from fuse_to_forget.studies import attributes, swept_datasets

# Measured on the embedded default, with the versions of the lock file
_PROCESS = 0.65e9  # memory of Python with torch and transformers
_TOKENIZER = 1e6  # tokenizer files and config beside the weights
_ROW, _TEXT, _TOKEN = (
    10,
    60,
    1.8,
)  # bytes of a prediction, of a short text and of a token in compressed parquet
_COMPRESSED = 0.6  # share of an article's characters that is left in compressed parquet
# What is not a model: bytes of the SST-2 and CNN/DailyMail data sets (parquet) and of the embedded text
_DOWNLOADS = {"stanfordnlp/sst2": 3.5e6, "abisee/cnn_dailymail": 837e6, "vaderSentiment": 2.3e6}

# Bytes per token of a batch, in float32: an upper bound under bf16. Activations that a layer keeps for the
# backward pass: 34 numbers of 2 bytes for each unit of width in half precision (Korthikanti et al., 2022).
_KEPT, _PASSING = 2 * 34, 14 * FLOAT
_LOGIT = 3 * FLOAT  # bytes per entry of the vocabulary: logits, their softmax, and its gradient or a copy
_LONGEST = 4  # times the mean: the longest text of a study of short texts, as of SST-2's dev


@dataclass(frozen=True)
class Space:
    """Bytes that a job takes: in the host's memory, on the device, on disk for good and until it ends.

    Without a GPU the device's memory is the host's, so the two add up. `temporary` counts optimizer checkpoints: the
    weights and two moments each, two of them for the moment at which a new one replaces the old one.
    """

    host: float = 0.0
    device: float = 0.0
    disk: float = 0.0
    temporary: float = 0.0


def job_space(config: Mapping[str, Any], job: Job) -> Space:
    """Return what a job takes; a rule that runs no model is taken to use the memory that it asks for."""
    counted = _SPACE.get(job.rule)
    if counted:
        return counted(config, job.wildcards)
    disk = _DISK.get(job.rule)
    return Space(host=job.memory * 1e6, disk=disk(config, job.wildcards) if disk else 0)


def _batch_tokens(config: Mapping[str, Any], study: str, batch_size: int) -> float:
    """Tokens of a batch of the longest texts."""
    section = config[study]
    if "sequences" in section:
        return batch_size * section["sequences"]["length"]
    longest = _LONGEST * examples_of(config, study).held_out_tokens
    return batch_size * min(section["training"]["max_length"], longest)


def _training(shape: Shape, tokens: float, objective: str) -> Space:
    """Weights, gradients and two moments, and what a batch of so many tokens needs; dev is read by two batches."""
    logits = 0 if objective == CLASSIFY else _LOGIT * shape.vocabulary
    forward_backward = tokens * (shape.layers * _KEPT * shape.width + logits)
    evaluation = 2 * tokens * (_PASSING * shape.width + logits)
    return Space(
        host=_PROCESS + shape.weight_bytes,
        device=4 * shape.weight_bytes + max(forward_backward, evaluation),
        disk=shape.weight_bytes + _TOKENIZER,
        temporary=2 * 3 * shape.weight_bytes,
    )


def _reading(shape: Shape, tokens: float, objective: str) -> float:
    logits = 0 if objective == CLASSIFY else _LOGIT * shape.vocabulary
    return tokens * (_PASSING * shape.width + logits)


def _finetune(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study = wildcards["study"]
    tokens = _batch_tokens(config, study, config[study]["training"]["batch_size"])
    return _training(base_shape(config, study), tokens, config[study].get("objective", CLASSIFY))


def _pretrain(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    entry = config["pretrained"][wildcards["pretrained"]]
    return _training(
        pretrained_shape(entry), entry["training"]["batch_size"] * entry["length"], entry["objective"]
    )


def _classifying(config: Mapping[str, Any], study: str, *, held: int, loaded: int, disk: float) -> Space:
    """A job that holds so many models on the device and loads so many at once on the host."""
    shape = base_shape(config, study)
    tokens = _batch_tokens(config, study, config[study]["prediction"]["batch_size"])
    device = held * shape.weight_bytes + _reading(shape, tokens, CLASSIFY)
    return Space(_PROCESS + loaded * shape.weight_bytes, device, disk)


def _predicted_rows(config: Mapping[str, Any], study: str, datasets: int) -> int:
    examples = examples_of(config, study)
    return examples.dev * datasets if study == "shortcuts" else examples.dev + examples.test


def _predict(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study = wildcards["study"]
    rows = _predicted_rows(config, study, len(config["shortcuts"]["singles"]))
    return _classifying(config, study, held=1, loaded=1, disk=_ROW * rows)


def _sweep(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study, sweep = wildcards["study"], wildcards["sweep"]
    models = swept_models(config, study, sweep)
    rows = _predicted_rows(config, study, len(swept_datasets(config, models)))
    rows *= swept_points(config, study, sweep)
    # beside its constituents the fused weights and the model that they are written into
    return _classifying(config, study, held=len(models) + 2, loaded=1, disk=_ROW * rows)


def _select_coefficients(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    # as a sweep holds them, but the models of all seeds
    held = len(config["seeds"]) * len(attributes(config)) + 2
    _, test = selection_texts(config)
    return _classifying(config, "biases", held=held, loaded=1, disk=_ROW * test)


def _encode(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    disk = FLOAT * encoded_examples(config) * base_shape(config, "biases").width
    return _classifying(config, "biases", held=1, loaded=1, disk=disk)


def _compare_fisher(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    shape, fisher = base_shape(config, "shortcuts"), config["shortcuts"]["fisher"]
    tokens = _batch_tokens(config, "shortcuts", fisher["batch_size"])
    batch = tokens * shape.layers * _KEPT * shape.width
    groups = fisher["groups"]
    rows = fisher_estimates(config, wildcards["comparison"]) * shape.layers
    # the sums of both sides end up in the host's memory, those of one are made on the device
    return Space(
        host=_PROCESS + (1 + 2 * groups) * shape.weight_bytes,
        device=(1 + groups) * shape.weight_bytes + batch,
        disk=_ROW * rows,
    )


def _read_sequences(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study = wildcards["study"]
    section, shape = config[study], base_shape(config, study)
    run = runs(section)[wildcards["run"]]
    tokens = _batch_tokens(config, study, section["prediction"]["batch_size"])
    return Space(
        host=_PROCESS + (1 + len(run.trained())) * shape.weight_bytes,
        device=shape.weight_bytes + _reading(shape, tokens, section["objective"]),
        disk=_ROW * run_sequences(config, study, run) * run_models(run),
    )


def _grams(shape: Shape) -> float:
    """Bytes of the Gram matrices of the inputs of all linear layers: five as wide as the model, one as its middle."""
    return FLOAT * shape.layers * (5 * shape.width**2 + shape.feedforward**2)


def _collect_statistics(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study = wildcards["study"]
    shape, tokens = base_shape(config, study), _batch_tokens(config, study, _batch_of_statistics(config))
    batch = tokens * shape.layers * _KEPT * shape.width
    # Grams are added up in float64 and let go one by one; Fisher information is a second set of weights
    device = shape.weight_bytes + max(2 * _grams(shape), shape.weight_bytes + batch)
    return Space(_PROCESS + _grams(shape) + shape.weight_bytes, device, _grams(shape) + shape.weight_bytes)


def _batch_of_statistics(config: Mapping[str, Any]) -> int:
    return config["methods"]["statistics"]["batch_size"]


def _merging(shape: Shape, models: int, tokens: float, objective: str) -> tuple[float, float]:
    """Bytes on host and device of a job that fuses so many models by every method and predicts with each."""
    statistics = models * max(_grams(shape), shape.weight_bytes)
    # the models, their base, the fused weights, the model that they are written into, and an ensemble's copy
    held = (models + 4) * shape.weight_bytes
    return _PROCESS + shape.weight_bytes + statistics, held + _reading(shape, tokens, objective)


def _try_methods(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study, name = wildcards["study"], wildcards["set"]
    shape, models = base_shape(config, study), set_models(config, study, name)
    tokens = _batch_tokens(config, study, config[study]["prediction"]["batch_size"])
    datasets = len(swept_datasets(config, models)) if study == "shortcuts" else 1
    rows = _predicted_rows(config, study, datasets) * set_passes(config, study, name)
    return Space(*_merging(shape, len(models), tokens, CLASSIFY), disk=_ROW * rows)


def _read_with_methods(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    study, name = wildcards["study"], wildcards["set"]
    section, shape = config[study], base_shape(config, study)
    tokens = _batch_tokens(config, study, section["prediction"]["batch_size"])
    rows = run_sequences(config, study, runs(section)[MAIN]) * set_passes(config, study, name)
    models = len(set_models(config, study, name))
    return Space(*_merging(shape, models, tokens, section["objective"]), disk=_ROW * rows)


def _draw_random_model(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> Space:
    shape, models = base_shape(config, "shortcuts"), len(config["shortcuts"]["random_distance"])
    # base, fresh and random weights beside the models'
    return Space(_PROCESS + (models + 3) * shape.weight_bytes, disk=shape.weight_bytes + _TOKENIZER)


def _download(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> float:
    entry = config["downloads"][wildcards["download"]]
    known = _DOWNLOADS.get(entry.get("repo") or entry.get("package"))
    if known is not None:
        return known
    for study in ("shortcuts", "biases", "memorization", "masked_memorization", "domains"):
        if config[study]["base_model"] == wildcards["download"]:
            return base_shape(config, study).weight_bytes + _TOKENIZER
    return 0.0  # a data set of the user's, of which nothing is known


def _draw_subset(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> float:
    section, subset = config[wildcards["study"]], wildcards["subset"]
    return _TOKEN * sizes_up_to(section, subset)[subset] * section["sequences"]["length"]


def _shortcut_texts(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> float:
    examples = examples_of(config, "shortcuts")
    return _TEXT * (examples.train + examples.dev)


def _bias_texts(config: Mapping[str, Any], wildcards: Mapping[str, str]) -> float:
    examples = examples_of(config, "biases")
    return _TEXT * (examples.train + examples.dev + examples.test)


_SPACE = {
    "finetune": _finetune,
    "finetune_language_model": _finetune,
    "pretrain": _pretrain,
    "predict": _predict,
    "sweep": _sweep,
    "select_coefficients": _select_coefficients,
    "encode": _encode,
    "compare_fisher": _compare_fisher,
    "read_sequences": _read_sequences,
    "draw_random_model": _draw_random_model,
    "collect_statistics": _collect_statistics,
    "collect_language_statistics": _collect_statistics,
    "try_methods": _try_methods,
    "read_with_methods": _read_with_methods,
}
_DISK = {
    "download": _download,
    "prepare_shortcuts": _shortcut_texts,
    "inject_shortcuts": _shortcut_texts,
    "combine_shortcuts": lambda config, _: len(config["shortcuts"]["singles"]) * _shortcut_texts(config, {}),
    "prepare_biases": _bias_texts,
    "make_biased_subset": lambda config, _: _TEXT * biased_subset(config, examples_of(config, "biases")),
    "combine_subsets": lambda config, _: 2 * _TEXT * biased_subset(config, examples_of(config, "biases")),
    "prepare_articles": lambda config, _: (
        _COMPRESSED * source_characters(config["sources"][config["articles"]["source"]])
    ),
    "draw_subset": _draw_subset,
    "fuse": lambda config, wildcards: base_shape(config, wildcards["study"]).weight_bytes + _TOKENIZER,
}
