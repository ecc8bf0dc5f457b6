"""The same models fused by many methods, each fused model evaluated in memory, in one job."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn
from transformers import PreTrainedModel

from fuse_to_forget.coefficients import format_coefficients
from fuse_to_forget.files import folder_of
from fuse_to_forget.fusion.catalog import ENSEMBLE, REGMEAN_PLUS_PLUS, complete_settings, find_method
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.merge import merge_state_dicts
from fuse_to_forget.fusion.regmean_plus_plus import regmean_plus_plus
from fuse_to_forget.prediction.classifier import (
    TokenIds,
    device,
    label_one_probability,
    load_classifier,
    load_tokenizer,
    predict_logits,
    prediction_rows,
    tokenize,
)
from fuse_to_forget.prediction.ensemble import Ensemble
from fuse_to_forget.prediction.likelihood import load_language_model
from fuse_to_forget.prediction.memorization import Reading, sequence_rows
from fuse_to_forget.prediction.sweep import load_weights
from fuse_to_forget.progress import Progress
from fuse_to_forget.statistics.store import check_model, read_statistics


@dataclass(frozen=True)
class Use:
    """A method with its settings, as the config calls it under a label; `ENSEMBLE` is one that merges nothing.

    `coefficients` has one for each model; equal ones without it.
    """

    method: str
    settings: Mapping[str, float] = field(default_factory=dict)
    coefficients: Sequence[float] | None = None

    def fits(self, models: int) -> bool:
        """Whether so many models can be fused so."""
        return self.method == ENSEMBLE or models == 2 or not find_method(self.method).pairs_only

    def statistics(self) -> str | None:
        """Return the kind of statistics that it needs of each model, if any."""
        return None if self.method == ENSEMBLE else find_method(self.method).statistics


@dataclass(frozen=True)
class Constituents:
    """Models to be fused: checkpoint folders by name, that of their base, and files of statistics by kind.

    `texts` are, as token ids, those of each model, for methods that look at them.
    """

    folders: Mapping[str, str | Path]
    base: str | Path | None = None
    statistics: Mapping[str, Sequence[str | Path]] = field(default_factory=dict)
    texts: Sequence[TokenIds] = ()

    @classmethod
    def of_files(
        cls,
        names: Sequence[str],
        weights: Sequence[str | Path],
        base: str | Path | Sequence[str | Path] | None,
        texts: Sequence[TokenIds] = (),
        **statistics: Sequence[str | Path],
    ) -> "Constituents":
        """Return models called `names` by their weights, of a base that is given as `folder_of` takes it, if at all."""
        folders = dict(zip(names, (Path(file).parent for file in weights), strict=True))
        return cls(folders, folder_of(base) if base else None, statistics, texts)


def fuse_in_turn(
    model: PreTrainedModel, constituents: Constituents, uses: Mapping[str, Use], seed: int
) -> Iterator[tuple[dict[str, str], nn.Module]]:
    """Yield, for each use, what its predictions are to be called and the model that makes them.

    That is `model` with other weights each time, or an ensemble; it is good until the next one is asked for. Random
    methods draw by `seed`. Raises InputError as `merge_state_dicts` and the readers do.
    """
    weights = [_on_device(load_state_dict(folder)) for folder in constituents.folders.values()]
    names = list(constituents.folders)
    for label, use in uses.items():
        coefficients = list(use.coefficients or [1 / len(names)] * len(names))
        named = {
            "model": "-".join(names),
            "kind": "ensemble" if use.method == ENSEMBLE else "fused",
            "method": label,
            "coefficients": format_coefficients(dict(zip(names, coefficients, strict=True))),
        }
        print(f"predicting with {label}", flush=True)
        if use.method == ENSEMBLE:
            yield named, Ensemble(model, weights, coefficients)
            continue
        if use.method == REGMEAN_PLUS_PLUS:
            settings = complete_settings(use.method, use.settings)
            merged = regmean_plus_plus(model, weights, constituents.texts, coefficients, **settings)
        else:
            merged = merge_state_dicts(
                use.method, weights, coefficients=coefficients, settings=use.settings, seed=seed, names=names,
                **_extras(use, constituents),
            )  # fmt: skip
        load_weights(model, merged)
        yield named, model


def _on_device(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(device()) for name, tensor in state_dict.items()}


def _extras(use: Use, constituents: Constituents) -> dict[str, Any]:
    """What a method wants beside the models: the base's weights, or statistics of each model."""
    method = find_method(use.method)
    extras: dict[str, Any] = {}
    if method.needs_base and constituents.base is not None:
        extras["base"] = _on_device(load_state_dict(constituents.base))
    if method.statistics:
        extras["statistics"] = [read_statistics(file) for file in constituents.statistics[method.statistics]]
        for own, folder in zip(extras["statistics"], constituents.folders.values(), strict=True):
            check_model(own, folder)
    return extras


def predict_with_methods(
    constituents: Constituents,
    uses: Mapping[str, Use],
    splits: Mapping[str, pd.DataFrame],
    *,
    batch_size: int,
    max_length: int,
    seed: int,
) -> pd.DataFrame:
    """Predict every example of `splits` with the classifiers fused in each way; one row per use, split and example."""
    first = next(iter(constituents.folders.values()))
    # A text that several data sets hold is predicted once.
    positions, texts = pd.factorize(pd.concat([frame["text"] for frame in splits.values()]))
    token_ids = tokenize(load_tokenizer(first), texts, max_length)
    progress = Progress(len(uses) * len(token_ids), "predictions")
    frames = []
    for named, model in fuse_in_turn(load_classifier(first), constituents, uses, seed):
        logits = predict_logits(model, token_ids, batch_size, progress)[positions]
        start = 0
        for split, frame in splits.items():
            probability = label_one_probability(logits[start : start + len(frame)])
            frames.append(prediction_rows(frame, probability, split=split, seed=seed, **named))
            start += len(frame)
    progress.finish()
    return pd.concat(frames, ignore_index=True)


def read_with_methods(
    constituents: Constituents,
    uses: Mapping[str, Use],
    sequences: pd.DataFrame,
    reading: Reading,
    *,
    seed: int,
) -> pd.DataFrame:
    """Read `sequences` (columns dataset, id, article, input_ids) with the language models fused in each way.

    Returns rows as `read_with_all` does.
    """
    first = next(iter(constituents.folders.values()))
    tokenizer = load_tokenizer(first)
    maskings = reading.maskings(sequences, tokenizer)
    readings = sum(map(len, maskings)) or len(sequences)
    progress = Progress(len(uses) * readings, "readings")
    frames = []
    template = load_language_model(first, reading.objective)
    for named, model in fuse_in_turn(template, constituents, uses, seed):
        found = reading.likelihoods(model, sequences, maskings, tokenizer.mask_token_id, progress)
        frames.append(sequence_rows(sequences, found, reading.prefix).assign(**named, seed=seed))
    progress.finish()
    return pd.concat(frames, ignore_index=True)
