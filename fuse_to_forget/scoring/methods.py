"""What each fusion method keeps of shared knowledge, and what of unshared: the same two numbers for every study.

Knowledge is what a metric measures above the value that tells of no knowledge: balanced accuracy above .5, demographic
parity above 0, a likelihood ratio below 1. Of it a fused model keeps the share

    sum over pieces (m_fused - m_nothing) / sum over pieces (m_single - m_nothing)

where m_single is the mean over those of its models that have the piece: 0 is a model that knows nothing of it (for
language models, the base model), 1 the single models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fuse_to_forget.runs import SHARED as SHARED_SUBSET
from fuse_to_forget.scoring.accuracy import MODEL_KEYS, Accuracies, Quantity, mean_of
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC
from fuse_to_forget.studies import FULL

SHARED, UNSHARED = "shared", "unshared"
COLUMNS = [
    "study", "set", "method", "kind", "shared", "shared_low", "shared_high", "unshared", "unshared_low",
    "unshared_high", "pareto", "n_seeds",
]  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A piece of knowledge: where it is measured (columns of the rows), which models have it, and its value without."""

    knowledge: str  # shared or unshared
    where: Mapping[str, str]
    known_to: tuple[str, ...]
    nothing: float


def shortcut_pieces(models: Sequence[str], mixtures: Mapping[str, Sequence[str]]) -> list[Piece]:
    """Return the task, which all models share, and each shortcut; `mixtures` tells those of each model."""
    metric = {"metric": "balanced_accuracy"}
    datasets = list(dict.fromkeys(shortcut for model in models for shortcut in mixtures[model]))
    pieces = []
    for dataset in datasets:
        known_to = tuple(model for model in models if dataset in mixtures[model])
        knowledge = SHARED if len(known_to) == len(models) else UNSHARED
        pieces.append(Piece(knowledge, metric | {"dataset": dataset, "split": SYNTHETIC}, known_to, 0.5))
        task = metric | {"dataset": dataset, "split": ORIGINAL}
        pieces.append(Piece(SHARED, task, tuple(models), 0.5))
    return pieces


def bias_pieces(models: Sequence[str]) -> list[Piece]:
    """Return the task, which all models share, and the bias of each, which is called as its attribute."""
    task = Piece(SHARED, {"metric": "balanced_accuracy", "attribute": ""}, tuple(models), 0.5)
    return [task, *(Piece(UNSHARED, {"metric": "dp", "attribute": name}, (name,), 0.0) for name in models)]


def memorization_pieces(models: Sequence[str]) -> list[Piece]:
    """Return the text that all models were trained on, and that of each, which is called as the model."""
    shared = Piece(SHARED, {"metric": "alr", "dataset": SHARED_SUBSET}, tuple(models), 1.0)
    return [shared, *(Piece(UNSHARED, {"metric": "alr", "dataset": name}, (name,), 1.0) for name in models)]


@dataclass(frozen=True)
class Grid:
    """What was measured of one set of models of a study, fused by every method; `pieces` of both kinds of knowledge.

    `full` is the model that was trained on the data of all of them, if there is one.
    """

    study: str
    models: Sequence[str]
    measured: Accuracies
    pieces: Sequence[Piece]
    full: str | None = None

    @property
    def name(self) -> str:
        """What the set is called."""
        return "-".join(self.models)

    def methods(self) -> dict[str, str]:
        """Return the methods that fused the set, each with its kind: fused, ensemble, or full, which is one model."""
        rows = self.measured.rows
        own = rows[(rows["model"] == self.name) & rows["kind"].isin(["fused", "ensemble"])]
        return dict(zip(own["method"], own["kind"], strict=True)) | ({FULL: FULL} if self.full else {})

    def kept(self, method: str, knowledge: str) -> Quantity:
        """Return the share of the single models' knowledge that the fused model has."""
        pieces = [piece for piece in self.pieces if piece.knowledge == knowledge]
        fused = [self._of(self._found(method), piece) - piece.nothing for piece in pieces]
        return mean_of(fused) / mean_of([self._single(piece) for piece in pieces])

    def _found(self, method: str) -> dict[str, str]:
        return (
            {"model": self.full, "kind": FULL} if method == FULL else {"model": self.name, "method": method}
        )

    def _single(self, piece: Piece) -> Quantity:
        knowers = [{"model": name, "kind": "single"} for name in piece.known_to]
        return mean_of([self._of(model, piece) for model in knowers]) - piece.nothing

    def _of(self, model: Mapping[str, str], piece: Piece) -> Quantity:
        return self.measured.quantity(self.measured.find(**model, **piece.where))


def methods_table(grids: Sequence[Grid]) -> pd.DataFrame:
    """Lay out, for each set and method, the shares of shared and unshared knowledge that are kept; columns COLUMNS.

    `pareto` marks the fused models for which no other one of the set keeps as much of the shared and less of
    the unshared knowledge, or more of the one and as little of the other.
    """
    return pd.concat([_grid_rows(grid) for grid in grids], ignore_index=True)[COLUMNS]


def _grid_rows(grid: Grid) -> pd.DataFrame:
    rows = []
    for method, kind in grid.methods().items():
        row = {"study": grid.study, "set": grid.name, "method": method, "kind": kind}
        for knowledge in (SHARED, UNSHARED):
            value, low, high = grid.kept(method, knowledge).over_seeds()
            row |= {knowledge: value, f"{knowledge}_low": low, f"{knowledge}_high": high}
        rows.append(row | {"n_seeds": len(grid.measured.seeds)})
    frame = pd.DataFrame(rows)
    fused = (frame["kind"] == "fused").to_numpy()
    frame["pareto"] = False
    frame.loc[fused, "pareto"] = pareto_front(frame.loc[fused, SHARED], frame.loc[fused, UNSHARED])
    return frame


def pareto_front(more: Sequence[float], less: Sequence[float]) -> np.ndarray:
    """Return which points no other one beats, bool (n,): `more` is the better the larger, `less` the smaller."""
    gains, costs = np.asarray(more)[:, None], np.asarray(less)[:, None]
    as_good = (gains <= gains.T) & (costs >= costs.T)  # [i, j]: j is as good as i in both
    better = (gains < gains.T) | (costs > costs.T)
    return ~(as_good & better).any(axis=1)


def scores_of(grids: Sequence[Grid]) -> Iterator[dict]:
    """Yield a row for each metric of each piece, of fused and single models: what the shares are made of."""
    for grid in grids:
        for piece in grid.pieces:
            full = [{"model": grid.full, "kind": FULL}] if grid.full else []
            models = [
                {"model": grid.name},
                *full,
                *({"model": name, "kind": "single"} for name in piece.known_to),
            ]
            for model in models:
                for position in grid.measured.find(**model, **piece.where):
                    row = grid.measured.rows.iloc[position]
                    value, low, high = grid.measured.quantity([position]).over_seeds()
                    named = {key: row[key] for key in (*MODEL_KEYS, "dataset", "split", "metric", "n")}
                    yield named | {"study": grid.study, "attribute": row.get("attribute", ""), "seed": "all"} | {
                        "value": value, "low": low, "high": high,
                    }  # fmt: skip
