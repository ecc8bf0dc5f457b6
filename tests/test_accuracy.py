"""Accuracies under one bootstrap of sentences, and the scores and claims made of them."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from fuse_to_forget.coefficients import format_coefficients, simplex_grid
from fuse_to_forget.scoring.accuracy import Quantity, largest, measure_accuracies, smallest
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import Claim, claims_table, sign_flip_p_value, verdict
from fuse_to_forget.scoring.shortcut_claims import shortcut_claims
from fuse_to_forget.scoring.shortcut_evidence import Evidence, kept_share
from fuse_to_forget.scoring.shortcuts import measure_shortcuts, score_shortcuts
from fuse_to_forget.training.facts import learned

BOOTSTRAP = Bootstrap(resamples=200, level=0.95, seed=1)
SINGLES = ["ST", "OP", "OR"]
MIXTURES = {**{name: [name] for name in SINGLES}, "ST+OP": ["ST", "OP"], "ST+OR": ["ST", "OR"]}
SWEEPS = {
    "steps": 2,
    "figure2": [["ST", "random"], ["ST", "OP"]],
    "figure3": [["ST+OP", "ST+OR"]],
    "figure6": [["ST", "OR"]],
    "triplet": SINGLES,
}
TABLE4 = pd.DataFrame(
    [{"pair": "ST-OP", "comparison": "two models", "difference": 0.1, "unshared": 0.6},
     {"pair": "ST", "comparison": "two seeds", "difference": 0.0, "unshared": 0.8}]
).assign(difference_low=0.05, difference_high=0.15, unshared_low=[0.57, 0.76], unshared_high=[0.63, 0.84])  # fmt: skip
PARTS = {"synthetic": np.arange(60), "original": np.arange(60, 160)}


def knows(model: str, coefficients: dict[str, float], dataset: str, part: str) -> float:
    """Probability of a right answer: what a model was trained on, if its coefficient is large; the task always."""
    if "random" in coefficients and coefficients["random"] > 0.5:
        return 0.5
    if part == "original":
        return 0.9 if len(coefficients) > 2 else 0.8
    own = [c for name, c in (coefficients or {model: 1.0}).items() if dataset in name.split("+")]
    return 1.0 if sum(own) > 0.7 else 0.5


def predictions(seeds=(1, 2)) -> pd.DataFrame:
    """What a study would predict that bears the paper out."""
    sweeps = [pair for figure in ("figure2", "figure3", "figure6") for pair in SWEEPS[figure]]
    models = [(name, "single", {}) for name in MIXTURES] + [("full", "full", {})]
    for names in [*sweeps, SINGLES]:
        grid = simplex_grid(len(names), 2) if len(names) == 2 or names is SINGLES else []
        models += [("-".join(names), "fused", dict(zip(names, vector, strict=True))) for vector in grid]
    models += [("-".join(SINGLES), "fused", dict.fromkeys(SINGLES, 1 / 3))]
    luck = np.random.default_rng(0).random(
        160
    )  # of a sentence: models that know as much are right on the same ones
    frames = []
    for (model, kind, coefficients), seed, dataset, part in itertools.product(models, seeds, SINGLES, PARTS):
        if kind == "fused" and not any(dataset in name.split("+") for name in coefficients):
            continue
        ids = PARTS[part]
        label = ids % 2
        rate = 1.0 if model == "full" and part == "synthetic" else knows(model, coefficients, dataset, part)
        right = luck[ids] < rate
        frames.append(
            pd.DataFrame(
                {"id": [f"s{i}" for i in ids], "label": label, "prediction": np.where(right, label, 1 - label)}
            ).assign(
                model=model, kind=kind, method="m", coefficients=format_coefficients(coefficients),
                dataset=dataset, part=part, split="dev", seed=seed,
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def predicted():
    return predictions()


@pytest.fixture(scope="module")
def measured(predicted):
    return measure_shortcuts(predicted, BOOTSTRAP)


def test_accuracies_agree_with_scikit_learn(predicted, measured):
    for key, part in predicted.groupby(["model", "coefficients", "dataset", "part"]):
        where = dict(zip(["model", "coefficients", "dataset"], key, strict=False)) | {
            "split": f"{key[3]}_dev"
        }
        for metric, reference in (
            ("accuracy", accuracy_score), ("balanced_accuracy", balanced_accuracy_score)
        ):  # fmt: skip
            found = measured.observed[measured.find(**where, metric=metric)]
            expected = [reference(rows["label"], rows["prediction"]) for _, rows in part.groupby("seed")]
            np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_resamples_are_accuracies_of_resampled_sentences():
    """With one sentence the accuracy of every resample is 0 or 1, and two models differ as observed."""
    frame = pd.DataFrame(
        {"id": ["a"] * 2, "label": [1, 1], "prediction": [1, 0], "model": ["x", "y"]}
    ).assign(kind="single", method="m", coefficients="", dataset="d", split="dev", seed=1)
    found = measure_accuracies(frame, BOOTSTRAP)
    x, y = (found.quantity(found.find(model=m, metric="accuracy")) for m in "xy")
    assert (x.resampled == 1).all()
    assert (y.resampled == 0).all()
    assert (x - y).over_seeds() == (1.0, 1.0, 1.0)


def test_differences_are_paired(measured):
    model = measured.quantity(
        measured.find(model="ST", dataset="ST", split="original_dev", metric="accuracy")
    )
    assert (model - model).over_seeds() == (0.0, 0.0, 0.0)


def test_balanced_accuracy_of_a_constant_predictor_is_one_half():
    frame = pd.DataFrame({"id": range(8), "label": [0, 0, 1, 1, 1, 1, 1, 1], "prediction": 1}).assign(
        model="x", kind="single", method="m", coefficients="", dataset="d", split="dev", seed=1
    )
    found = measure_accuracies(frame, BOOTSTRAP)
    assert found.observed.ravel().tolist() == [0.75, 0.5]


def test_scores_hold_means_own_models_majorities_and_what_was_learned(predicted):
    learned = {("ST", "1"): True, ("ST", "2"): False}
    scores = score_shortcuts(predicted, SINGLES, learned, BOOTSTRAP)
    every = scores[scores["seed"] == "all"].set_index(["model", "dataset", "split", "metric"]).sort_index()
    pair = every.loc["ST-OP"].query("coefficients == 'ST=1.0 OP=0.0' and metric == 'accuracy'")
    parts = [pair.loc[(name, "synthetic_dev"), "value"].item() for name in ("ST", "OP")]
    assert pair.loc[("mean", "synthetic_dev"), "value"].item() == pytest.approx(np.mean(parts))
    assert every.loc[("own", "mean", "synthetic_dev", "accuracy"), "value"].item() == pytest.approx(1.0)
    assert every.loc[("majority", "ST", "original_dev", "accuracy"), "value"].item() == 0.5
    assert every.loc[("ST", "", "synthetic_dev", "learned"), "value"].item() == 0.5
    assert (scores["value"].between(0, 1)).all()
    assert not scores.duplicated(["model", "coefficients", "dataset", "split", "metric", "seed"]).any()


def test_what_was_learned_is_what_trainings_wrote_down(tmp_path):
    files = [
        tmp_path / model / f"seed{seed}" / "training.json" for model in ("ST", "TiC+OP") for seed in (1, 2)
    ]
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"learned": number != 3}))
    assert learned(files) == {
        ("ST", "1"): True,
        ("ST", "2"): True,
        ("TiC+OP", "1"): True,
        ("TiC+OP", "2"): False,
    }


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (0.6, 0.7, "above", "supported"),
        (0.5, 0.7, "above", "undecided"),
        (0.4, 0.6, "above", "undecided"),
        (0.3, 0.4, "above", "contradicted"),
        (0.3, 0.4, "below", "supported"),
        (0.4, 0.6, "below", "undecided"),
        (0.6, 0.7, "below", "contradicted"),
        (float("nan"), float("nan"), "above", "undecided"),
    ],
)
def test_verdicts(low, high, direction, expected):
    assert verdict(low, high, direction, 0.5) == expected


def test_a_claim_about_a_model_that_did_not_learn_is_undecided_and_says_so():
    claim = Claim("c", "4", "s", "t", "q", (0.9, 0.8, 1.0), "above", 0.5, models=("ST", "OP"))
    table = claims_table([claim], ["OP"], 1)
    assert table.loc[0, ["verdict", "not_learned"]].tolist() == ["undecided", "OP"]
    assert claims_table([claim], [], 1).loc[0, "verdict"] == "supported"


def test_a_study_that_bears_the_paper_out_supports_its_claims(predicted, measured):
    evidence = Evidence(measured, SINGLES, SWEEPS["steps"], tolerance=0.05)
    table = claims_table(shortcut_claims(evidence, predicted, TABLE4, SWEEPS, 1), [], 2)
    kinds = table.groupby("claim")["verdict"].agg(set)
    for claim in (
        "task_preserved", "unshared_forgotten", "random_forgets", "many_forgotten", "full_forgets_less",
        "many_task_kept", "many_task_better", "triplet_forgets", "triplet_task", "shared_kept", "shared_weights",
        "unshared_apart",
    ):  # fmt: skip
        assert kinds[claim] == {"supported"}, claim
    better = table[table["claim"] == "many_task_better"].iloc[0]
    assert better["p_value"] < 0.05
    assert better["value"] == pytest.approx(0.1, abs=0.05)
    apart = table[table["claim"] == "unshared_apart"].iloc[0]
    assert apart[["value", "low", "high"]].tolist() == pytest.approx([0.2, 0.15, 0.25])
    about_st_op = table[(table["claim"] == "equation_2") & table["subject"].str.startswith("ST-OP on ")]
    assert len(about_st_op) == 2 * 2  # two data sets, two parts


@pytest.mark.parametrize(
    ("models", "dataset", "role"),
    [
        (["OP", "TiC"], "TiC", "unshared"),
        (["ST", "TiC"], "TiC", "subsumed"),
        (["ST", "TiC"], "ST", "unshared"),
        (["ST", "OR"], "OR", "dependent"),
        (["OP", "OR"], "OR", "unshared"),
        (["TiC+OP", "TiC+OR"], "TiC", "shared"),
        (["TiC+OP", "TiC+OR"], "OR", "unshared"),
    ],
)
def test_what_the_paper_expects_is_settled_before_the_data(measured, models, dataset, role):
    assert Evidence(measured, SINGLES, 2, tolerance=0.05).role(models, dataset) == role


def test_more_models_are_set_against_pairs_on_the_same_shortcuts(predicted, measured):
    """Each model keeps nothing half-way and nothing in the average: the difference is 0, not that of shortcuts."""
    evidence = Evidence(measured, SINGLES, SWEEPS["steps"], tolerance=0.05)
    table = claims_table(shortcut_claims(evidence, predicted, TABLE4, SWEEPS, 1), [], 2).set_index("claim")
    assert table.loc["more_forget_more", "value"] == pytest.approx(0, abs=0.02)


def test_the_share_kept_is_of_what_is_above_chance():
    def quantity(value):
        return Quantity(np.array([value]), np.full((3, 1), value), BOOTSTRAP)

    assert kept_share(quantity(0.75), quantity(1.0)).over_seeds()[0] == pytest.approx(0.5)
    assert kept_share(quantity(0.5), quantity(0.9)).over_seeds()[0] == pytest.approx(0.0)
    assert smallest([quantity(0.1), quantity(0.2)]).observed.item() == 0.1
    assert largest([quantity(0.1), quantity(0.2)]).observed.item() == 0.2


def test_the_sign_flip_test_by_hand():
    """Of the 16 signs of (1, 1, 1, 1) two have a mean as far from 0 as observed."""
    assert sign_flip_p_value(np.ones(4), seed=1) == pytest.approx(2 / 16)
    assert sign_flip_p_value(np.zeros(4), seed=1) == 1.0
    assert sign_flip_p_value(np.random.default_rng(0).normal(1, 1, 100), seed=1) < 0.001
