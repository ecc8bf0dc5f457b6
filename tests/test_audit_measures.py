"""What an audit measures, and how much of it is kept."""

import copy

import numpy as np
import pandas as pd
import pytest

from fuse_to_forget.audit.kept import kept_and_forgotten
from fuse_to_forget.audit.measure import measure_examples
from fuse_to_forget.audit.plan import ABSENT, DataSet
from fuse_to_forget.scoring import fairness
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.contingency import contingency

BOOTSTRAP = Bootstrap(200, 0.95, 1)
COLUMNS = {"text": "text", "label": "label", "id": None, "author": None}


def predictions(rows: int, classes: int, *, seed: int = 0) -> pd.DataFrame:
    """What a model predicts: wrong more often in group 1."""
    rng = np.random.default_rng(seed)
    label, group = rng.integers(0, classes, rows), rng.integers(0, 2, rows)
    wrong = rng.random(rows) < 0.2 + 0.3 * group
    named = {
        "model": "a",
        "kind": "single",
        "method": "finetuned",
        "coefficients": "",
        "dataset": "set",
        "seed": 1,
    }
    return pd.DataFrame(
        {"unit": np.arange(rows), "label": label, "prediction": np.where(wrong, 0, label), "group": group}
    ).assign(**named)


def value_of(measured, metric: str, **key: str) -> float:
    (place,) = measured.find(metric=metric, **key)
    return measured.observed[place, 0]


def test_two_classes_are_measured_as_by_the_bias_study():
    rows = predictions(300, 2)
    measured = measure_examples(rows, ["group"], BOOTSTRAP)
    counts = contingency(*(rows[column].to_numpy() for column in ("label", "prediction", "group")))
    assert value_of(measured, "dp") == pytest.approx(fairness.demographic_parity(counts))
    assert value_of(measured, "tpr_gap") == pytest.approx(fairness.tpr_gap(counts))
    assert value_of(measured, "accuracy") == pytest.approx(fairness.accuracy(counts))
    low, high = measured.quantity(measured.find(metric="accuracy")).over_seeds()[1:]
    assert low < value_of(measured, "accuracy") < high


def test_many_classes_are_measured_class_by_class():
    rows = predictions(400, 4)
    measured = measure_examples(rows, ["group"], BOOTSTRAP)
    zero, one = (rows[rows["group"] == group] for group in (0, 1))
    shares = [
        part["prediction"].value_counts(normalize=True).reindex(range(4), fill_value=0)
        for part in (zero, one)
    ]
    recalls = [(part["prediction"] == part["label"]).groupby(part["label"]).mean() for part in (zero, one)]
    assert value_of(measured, "dp") == pytest.approx((shares[0] - shares[1]).abs().sum())
    assert value_of(measured, "tpr_gap") == pytest.approx(np.sqrt(((recalls[0] - recalls[1]) ** 2).mean()))


def named(model: str, kind: str, method: str) -> dict[str, str]:
    return {"model": model, "kind": kind, "method": method, "coefficients": ""}


def right_in(share: float, **names: str) -> pd.DataFrame:
    """Predictions of which this share is right, on 1,000 examples of set `shared` and as many of set `own`."""
    frames = []
    for dataset in ("shared", "own"):
        wanted = names.get(dataset, share)
        right = np.arange(1000) < 1000 * wanted
        frames.append(
            pd.DataFrame({"unit": [f"{dataset}{i}" for i in range(1000)], "label": 1, "prediction": right})
        )
        frames[-1]["dataset"] = dataset
    return pd.concat(frames).astype({"prediction": int}).assign(seed=1, group=ABSENT)


SETS = {"shared": DataSet("s", COLUMNS, ["a", "b"]), "own": DataSet("o", COLUMNS, ["a"])}


def audit_of(base: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.concat(
        [
            right_in(base).assign(**named("base", "base", "constant")),
            right_in(0.9).assign(**named("a", "single", "finetuned")),
            right_in(0.8, own=base).assign(**named("b", "single", "finetuned")),
            right_in(0.85, own=0.6).assign(**named("a-b", "fused", "mine")),
        ],
        ignore_index=True,
    )
    measured = measure_examples(rows, ["group"], BOOTSTRAP)
    return kept_and_forgotten(measured, SETS, ["a", "b"], ["mine"], {"other": "it cannot"})


def test_kept_lies_between_the_base_and_those_who_know():
    table, summary = audit_of(0.5)
    cells = table.set_index(["model", "dataset"])
    assert table["model"].tolist() == [m for m in ["base", "a", "b", "singles", "a-b"] for _ in range(2)] + [
        "a-b"
    ]
    assert cells.loc[("base", "own"), "kept"] == 0
    assert cells.loc[("a", "own"), "kept"] == pytest.approx(1)
    assert cells.loc[("b", "own"), "kept"] == 0
    assert cells.loc[("singles", "shared"), "value"] == pytest.approx(0.85)
    assert cells.loc[("singles", "own"), "value"] == pytest.approx(0.9)
    fused = cells.loc["a-b"].iloc[:2]
    assert fused["knowledge"].tolist() == ["shared", "unshared"]
    assert fused["kept"].tolist() == pytest.approx([1, 0.25])
    assert (fused["kept_low"] <= fused["kept"]).all()
    assert (fused["kept"] <= fused["kept_high"]).all()
    assert table["note"].iloc[-1] == "left out: it cannot"
    point = summary.set_index("model").loc["a-b"]
    assert (point["shared"], point["forgettable"]) == pytest.approx((1, 0.25))


def test_nothing_is_kept_of_what_cannot_be_told():
    table, summary = audit_of(0.899)
    shared = table[table["dataset"] == "shared"]
    assert table.loc[table["dataset"] == "own", "kept"].isna().all()  # .900 against .899
    assert shared["kept"].notna().all()  # .850 against .899
    assert summary["forgettable"].isna().all()
    assert table.loc[table["dataset"] == "own", "note"].str.contains("too close to tell").all()


def test_a_bias_at_the_level_of_noise_is_not_told_from_none():
    """dp is never below 0, so that its percentile interval excludes 0 whatever the data."""
    rows = predictions(100, 2).assign(prediction=lambda rows: rows["label"])
    base = rows.assign(prediction=0, **named("base", "base", "constant"))
    measured = measure_examples(pd.concat([base, rows, rows.assign(model="b")]), ["group"], BOOTSTRAP)
    sets = {"set": DataSet("s", COLUMNS, ["a", "b"], {"group": ["a"]})}
    table, _ = kept_and_forgotten(measured, sets, ["a", "b"], [], {})
    assert table.loc[table["metric"] == "dp", "kept"].isna().all()
    assert table.loc[table["metric"] == "accuracy", "kept"].notna().all()


def test_measuring_leaves_its_input_alone():
    rows = predictions(50, 2)
    before = copy.deepcopy(rows)
    measure_examples(rows, ["group"], BOOTSTRAP)
    pd.testing.assert_frame_equal(rows, before)
