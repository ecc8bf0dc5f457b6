"""Weighted averages of classifiers, made in memory one after the other and predicted with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from torch import Tensor

from fuse_to_forget.coefficients import format_coefficients
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.prediction.classifier import (
    device,
    label_one_probability,
    load_classifier,
    load_tokenizer,
    predict_logits,
    prediction_rows,
    tokenize,
)
from fuse_to_forget.prediction.sweep import load_weights
from fuse_to_forget.progress import Progress


class Averages:
    """The same models of several seeds, read once, and texts, tokenised once, to predict at any coefficients.

    Memory: all models and one more, on `device()`.
    """

    def __init__(
        self,
        models: Mapping[int, Mapping[str, str | Path]],
        splits: Mapping[str, pd.DataFrame],
        *,
        batch_size: int,
        max_length: int,
    ) -> None:
        """`models` are checkpoint folders by seed and name, the same names for each seed."""
        folders = next(iter(models.values()))
        first = next(iter(folders.values()))
        self.names, self.seeds = list(folders), len(models)
        self.batch_size, self.splits = batch_size, splits
        tokenizer = load_tokenizer(first)
        self._token_ids = {s: tokenize(tokenizer, frame["text"], max_length) for s, frame in splits.items()}
        self._weights = {
            seed: [_on_device(load_state_dict(folder)) for folder in own.values()]
            for seed, own in models.items()
        }
        self._model, self._average = load_classifier(first), None

    def predict(
        self, coefficients: Sequence[float], split: str, progress: Progress | None = None
    ) -> pd.DataFrame:
        """Predict a split with the average of each seed's models; one row per seed and example, as `sweep` has them."""
        rows = []
        for seed, weights in self._weights.items():
            self._average = average_state_dicts(weights, coefficients, self._average)
            load_weights(self._model, self._average)
            logits = predict_logits(self._model, self._token_ids[split], self.batch_size, progress)
            rows.append(
                prediction_rows(
                    self.splits[split], label_one_probability(logits), split=split,
                    model="-".join(self.names), kind="fused", method="average",
                    coefficients=self.called(coefficients), seed=seed,
                )
            )  # fmt: skip
        return pd.concat(rows, ignore_index=True)

    def called(self, coefficients: Sequence[float]) -> str:
        """Return how predictions call these coefficients."""
        return format_coefficients(dict(zip(self.names, coefficients, strict=True)))

    def plain(self, *names: str) -> tuple[float, ...]:
        """Return the coefficients of the plain average of some of the models; of one, they leave it as it is."""
        return tuple((own in names) / len(names) for own in self.names)


def _on_device(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(device()) for name, tensor in state_dict.items()}
