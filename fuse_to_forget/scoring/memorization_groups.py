"""Scores of a memorization study: its models, and means over several of them, or of their subsets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fuse_to_forget.runs import DEV, MAIN, SHARED, Run
from fuse_to_forget.scoring.accuracy import KEYS, Accuracies, Quantity, mean_of, score_rows
from fuse_to_forget.scoring.scores import COLUMNS

# Data sets that stand for several: a model's own subsets, and those of the others
OWN, OTHERS = "unshared", "others"


@dataclass(frozen=True)
class Group:
    """A mean under a name: `members` are the pairs (model, dataset) that it is the mean of."""

    model: str
    kind: str
    dataset: str
    members: tuple[tuple[str, str], ...]


def singles_of(run: Run) -> str:
    """Return the name that stands for all single models of a run."""
    return "singles" + run.suffix


def totals_of(runs: Mapping[str, Run]) -> list[Run]:
    """Return the runs whose models share out the same sequences, fewest models first; the main run is one."""
    totals = [runs[MAIN], *(run for run in runs.values() if run.own_subsets)]
    return sorted(totals, key=lambda run: len(run.singles))


def groups_of(run: Run) -> Iterator[Group]:
    """Yield the means that the tables, figures and claims of section 6 speak of."""
    singles = [run.model(letter) for letter in run.singles]
    own = {run.model(letter): (run.subset(letter),) for letter in run.singles}
    for kind, names in (("full", run.full), ("fused", run.fused)):
        own |= {run.model(name, kind): tuple(map(run.subset, name)) for name in names}
    for model, subsets in own.items():
        kind = "single" if model in singles else model.split("_")[0]
        yield Group(model, kind, OWN, tuple((model, subset) for subset in subsets))
    pairs = [(model, run.subset(letter)) for model in singles for letter in run.singles]
    others = tuple((model, subset) for model, subset in pairs if (subset,) != own[model])
    name = singles_of(run)
    yield Group(name, "single", OWN, tuple((model, own[model][0]) for model in singles))
    yield Group(name, "single", OTHERS, others)
    for dataset in (SHARED, DEV):
        yield Group(name, "single", dataset, tuple((model, dataset) for model in singles))


def quantity_of(measured: Accuracies, members: Sequence[tuple[str, str]], metric: str) -> Quantity | None:
    """Return the mean of a metric over pairs (model, dataset), or None where it was not measured."""
    found = [measured.find(model=model, dataset=dataset, metric=metric) for model, dataset in members]
    if not all(map(len, found)):
        return None
    return mean_of([measured.quantity(positions) for positions in found])


def score_memorization(measured: Accuracies, study: str, groups: Sequence[Group] = ()) -> pd.DataFrame:
    """Score every model on every data set, and `groups` of them, for each seed and over all; columns COLUMNS.

    `split` is `train` for the trained parts, `dev` for dev and `held_out` for held_out; `n` counts sequences.
    """
    rows = _score_groups(measured, groups)
    for position, key in enumerate(measured.rows.to_dict("records")):
        rows += score_rows(measured.quantity([position]), measured.seeds, **key)
    return pd.DataFrame(rows).assign(study=study, attribute="")[COLUMNS]


def _score_groups(measured: Accuracies, groups: Sequence[Group]) -> list[dict]:
    """Return tidy score rows of the groups, for every metric that was measured of all members."""
    rows: list[dict] = []
    for group in groups:
        for metric in dict.fromkeys(measured.rows["metric"]):
            quantity = quantity_of(measured, group.members, metric)
            if quantity is None:
                continue
            first = measured.rows.iloc[
                measured.find(model=group.members[0][0], dataset=group.members[0][1])[0]
            ]
            named = {key: first[key] for key in KEYS} | {"model": group.model, "kind": group.kind}
            named |= {"dataset": group.dataset, "metric": metric, "n": int(first["n"]) * len(group.members)}
            rows += score_rows(quantity, measured.seeds, **named)
    return rows
