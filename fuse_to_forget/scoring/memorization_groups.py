"""Means over several models or subsets of a run: what models have of their own, and of the others'."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fuse_to_forget.runs import DEV, SHARED, Run
from fuse_to_forget.scoring.accuracy import KEYS, Accuracies, Quantity, mean_of, score_rows

OWN, OTHERS = (
    "unshared",
    "others",
)  # data sets that stand for several: a model's own subsets, and those of the others


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


def score_groups(measured: Accuracies, groups: Sequence[Group]) -> list[dict]:
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
