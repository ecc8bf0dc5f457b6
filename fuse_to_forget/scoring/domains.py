"""Scores of the domain study: accuracies by domain, and by setting, in and out of the domains that were merged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from fuse_to_forget.domains import FULL, NOT_MERGED, PARTS, PARTS_FULL, SAME, STUDY, Domains
from fuse_to_forget.results import read_csv
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, measure_accuracies, score_rows
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.scores import COLUMNS

SINGLE, MULTI_TASK = NOT_MERGED
TRAINED = "finetuned"  # the method of a single model in predictions
IN_DOMAIN, OUT_OF_DOMAIN = "in_domain", "out_of_domain"
MAIN = "balanced_accuracy"
PAIRS, HELD_OUT, GROWTH, NON_IID = "pairs", "held-out", "growth", "non-iid"
SETTING_KEYS = ["setting", "head", "models", "method", "merged", "where", "metric", "against"]


@dataclass(frozen=True)
class Row:
    """What a setting asks of one method: models of the predictions, each with the data sets that it is measured on."""

    setting: str
    head: str
    models: int
    method: str
    merged: str
    inside: tuple[tuple[str, str], ...]
    outside: tuple[tuple[str, str], ...]


def measure_domains(predictions: pd.DataFrame, bootstrap: Bootstrap) -> Accuracies:
    """Measure all models on dev and test of every domain; what is resampled are groups: authors, reviews, articles."""
    return measure_accuracies(predictions.assign(id=predictions["group"]), bootstrap)


def score_domains(measured: Accuracies) -> pd.DataFrame:
    """Score every model on every domain, for each seed and over all seeds; return the tidy columns COLUMNS."""
    rows: list[dict] = []
    for position, key in enumerate(measured.rows.to_dict("records")):
        rows += score_rows(measured.quantity([position]), measured.seeds, **key)
    return pd.DataFrame(rows).assign(study=STUDY, attribute="")[COLUMNS]


@dataclass(frozen=True)
class Evidence:
    """What was measured, with the study's structure and the labels of its methods; `average` is the plain one's."""

    measured: Accuracies
    domains: Domains
    methods: Sequence[str]
    average: str

    @cached_property
    def _positions(self) -> dict[tuple, int]:
        keys = self.measured.rows[["model", "method", "dataset", "split", "metric"]]
        return {key: position for position, key in enumerate(keys.itertuples(index=False, name=None))}

    def has(self, model: str, method: str) -> bool:
        """Whether a model was predicted with: a method of pairs does not merge three."""
        return (model, method, self.domains.names[0], "test", MAIN) in self._positions

    def quantity(
        self, method: str, cells: Sequence[tuple[str, str]], metric: str = MAIN, split: str = "test"
    ) -> Quantity:
        """Return the mean over cells (model, data set) of a metric; `single` and `full` are of trained models."""
        method = TRAINED if method in (SINGLE, MULTI_TASK) else method
        found = [self._positions[model, method, dataset, split, metric] for model, dataset in cells]
        return self.measured.quantity(found)

    def dev_score(self, method: str, domains: Sequence[str], head: str) -> float:
        """Return a merged model's mean over all domains on dev and all seeds; one domain alone is its own model."""
        model = self.domains.merged(domains, head)
        cells = [(model, name) for name in self.domains.names]
        method = TRAINED if len(domains) == 1 else method
        return float(self.quantity(method, cells, split="dev").observed.mean())


def growth_order(evidence: Evidence, method: str, head: str) -> list[str]:
    """Return the domains in the order in which greedy growth merges them, as far as the method can go.

    It starts from the model that is best on dev, in the mean over all domains, and each time adds the one whose merge
    is best there; of equal ones it takes the first.
    """
    names = evidence.domains.names
    order = [max(names, key=lambda name: evidence.dev_score(SINGLE, [name], head))]
    while len(order) < len(names):
        grown = {name: [n for n in names if n in (*order, name)] for name in names if name not in order}
        merged = (evidence.domains.merged(domains, head) for domains in grown.values())
        if not all(evidence.has(model, method) for model in merged):
            break
        order.append(max(grown, key=lambda name: evidence.dev_score(method, grown[name], head)))
    return order


def _rows_of(
    evidence: Evidence, setting: str, head: str, method: str, sets: Sequence[Sequence[str]], merged: str
) -> Row | None:
    """Return the row of a method for sets of domains of one size, or None if it cannot merge so many."""
    domains = evidence.domains
    inside, outside = [], []
    for chosen in sets:
        others = [name for name in domains.names if name not in chosen]
        models = [domains.merged(chosen, head)]
        if method == SINGLE:
            models = [domains.model(name, head) for name in chosen]
        elif method == MULTI_TASK:
            models, others = [FULL], []  # it was trained on the others too
        elif not evidence.has(models[0], method):
            return None
        inside += [(model, name) for model in models for name in chosen]
        outside += [(model, name) for model in models for name in others]
    return Row(setting, head, len(sets[0]), method, merged, tuple(inside), tuple(outside))


def _set_rows(evidence: Evidence, head: str) -> Iterator[Row | None]:
    """Yield the rows of single models, and of all sets of 2 to all but one domains: the last leave one domain out."""
    domains = evidence.domains
    count = len(domains.names)
    own, others = [], []
    for name in domains.names:
        own.append((domains.model(name, head), name))
        others += [(own[-1][0], other) for other in domains.names if other != name]
    yield Row(SINGLE, head, 1, SINGLE, "", tuple(own), tuple(others))
    for size in range(2, max(3, count)):
        setting = PAIRS if size == 2 else HELD_OUT if size == count - 1 else f"sets of {size}"
        for method in (SINGLE, *evidence.methods, MULTI_TASK):
            yield _rows_of(evidence, setting, head, method, domains.sets_of(size), "")


def _growth_rows(evidence: Evidence, head: str) -> Iterator[Row | None]:
    """Yield the rows of greedy growth; single and full models are measured on what the plain average merges."""
    names = evidence.domains.names
    orders = {method: growth_order(evidence, method, head) for method in evidence.methods}
    orders = {SINGLE: orders[evidence.average], **orders, MULTI_TASK: orders[evidence.average]}
    for size in range(2, len(names) + 1):
        for method, order in orders.items():
            if size <= len(order):
                chosen = [name for name in names if name in order[:size]]
                yield _rows_of(evidence, GROWTH, head, method, [chosen], " ".join(order[:size]))


def _part_rows(evidence: Evidence) -> Iterator[Row]:
    """Yield the rows of the two parts of one domain, which have the same head."""
    domains, merged = evidence.domains, "-".join(PARTS)
    others = [name for name in domains.names if name != domains.non_iid]
    for method in (SINGLE, *evidence.methods, MULTI_TASK):
        models = {SINGLE: PARTS, MULTI_TASK: (PARTS_FULL,)}.get(method, (merged,))
        if method in (SINGLE, MULTI_TASK) or evidence.has(merged, method):
            inside = tuple((model, domains.non_iid) for model in models)
            outside = tuple((model, name) for model in models for name in others)
            yield Row(NON_IID, SAME, len(PARTS), method, domains.non_iid, inside, outside)


def settings_rows(evidence: Evidence) -> list[Row]:
    """Return all rows: single models, sets by size, greedy growth, and the two parts of one domain."""
    of_heads = [
        row
        for head in evidence.domains.heads
        for rows in (_set_rows(evidence, head), _growth_rows(evidence, head))
        for row in rows
        if row is not None
    ]
    return [*of_heads, *_part_rows(evidence)]


def score_settings(evidence: Evidence) -> pd.DataFrame:
    """Score every setting over all seeds: columns SETTING_KEYS, `value, low, high, n_seeds`.

    `where` is in_domain or out_of_domain, `metric` accuracy or balanced accuracy on test. `against` is empty, or the
    method (the plain average, or single) whose value in the same setting is subtracted, sentence by sentence. Values
    are means over sets, models and domains.
    """
    rows = settings_rows(evidence)
    of_setting: dict[tuple, dict[str, Row]] = {}
    for row in rows:
        of_setting.setdefault((row.setting, row.head, row.models), {})[row.method] = row
    scores: list[dict] = []
    for row in rows:
        peers = of_setting[row.setting, row.head, row.models]
        for metric in (MAIN, "accuracy"):
            for where in (IN_DOMAIN, OUT_OF_DOMAIN):
                scores += _scores_of(evidence, row, peers, where, metric)
    table = pd.DataFrame(scores, columns=[*SETTING_KEYS, "value", "low", "high"])
    return table.assign(n_seeds=len(evidence.measured.seeds))


def _scores_of(
    evidence: Evidence, row: Row, peers: dict[str, Row], where: str, metric: str
) -> Iterator[dict]:
    def measure(of: Row) -> Quantity | None:
        cells = of.inside if where == IN_DOMAIN else of.outside
        return evidence.quantity(of.method, cells, metric) if cells else None

    own = measure(row)
    if own is None:
        return
    named = {"setting": row.setting, "head": row.head, "models": row.models, "method": row.method}
    named |= {"where": where, "metric": metric, "merged": row.merged}
    for against in ("", evidence.average, SINGLE):
        other = measure(peers[against]) if against in peers else None
        if against and (other is None or against == row.method):
            continue
        value, low, high = (own - other if against else own).over_seeds()
        yield named | {"against": against, "value": value, "low": low, "high": high}


def read_settings(path: str | Path) -> pd.DataFrame:
    """Read what `score_settings` returned, text as text (empty, not NaN); raises InputError if it is damaged."""
    text = [key for key in SETTING_KEYS if key != "models"]
    settings = read_csv(
        path, [*SETTING_KEYS, "value", "low", "high", "n_seeds"], dtype=dict.fromkeys(text, str)
    )
    return settings.fillna(dict.fromkeys(text, ""))
