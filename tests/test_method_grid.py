"""What each fusion method keeps: shares computed by hand, the Pareto front, and what the config may ask for."""

import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from fuse_to_forget import method_grid, studies
from fuse_to_forget.errors import InputError
from fuse_to_forget.figures.methods import draw_methods, looks_of
from fuse_to_forget.scoring.accuracy import Accuracies
from fuse_to_forget.scoring.biases import measure_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.method_claims import method_claims
from fuse_to_forget.scoring.methods import (
    SHARED,
    UNSHARED,
    Grid,
    bias_pieces,
    memorization_pieces,
    methods_table,
    pareto_front,
    scores_of,
    shortcut_pieces,
)

BOOTSTRAP = Bootstrap(20, 0.95, 1)
METHODS = {"average": "weighted_average", "ties": "ties", "both": "ensemble"}


def measured(rows):
    """Accuracies of (model, kind, method, where, value), without any spread but a little in each resample."""
    frame = pd.DataFrame(
        [
            {"model": m, "kind": k, "method": how, "coefficients": "", "n": 10} | where
            for m, k, how, where, _ in rows
        ]
    )
    values = np.array([row[-1] for row in rows])[:, None]
    noise = np.linspace(0.999, 1.001, BOOTSTRAP.resamples)[None, :, None]
    return Accuracies(frame, values, values[:, None] * noise, (1,), BOOTSTRAP)


def language_grid():
    """Two models: on shared text both have .2; on their own .2 and .4; the average has .3, then .6 and .9."""
    where = {"metric": "alr", "split": "train"}

    def row(model, kind, method, dataset, value):
        return (model, kind, method, where | {"dataset": dataset}, value)

    rows = [row(m, "single", "finetuned", "shared", 0.2) for m in "AB"]
    rows += [row("A", "single", "finetuned", "A", 0.2), row("A", "single", "finetuned", "B", 1.0)]
    rows += [row("B", "single", "finetuned", "B", 0.4), row("B", "single", "finetuned", "A", 1.0)]
    for method, kind, values in (
        ("average", "fused", (0.3, 0.6, 0.9)), ("ties", "fused", (0.5, 0.3, 0.5)), ("both", "ensemble", (0.2, 0.5, 0.6))
    ):  # fmt: skip
        rows += [row("A-B", kind, method, d, v) for d, v in zip(("shared", "A", "B"), values, strict=True)]
    rows += [row("full_AB", "full", "finetuned", d, v) for d, v in (("shared", 0.2), ("A", 0.3), ("B", 0.7))]
    return Grid("memorization", ["A", "B"], measured(rows), memorization_pieces(["A", "B"]), "full_AB")


def test_the_share_that_is_kept_by_hand():
    grid = language_grid()
    assert grid.methods() == {"average": "fused", "ties": "fused", "both": "ensemble", "full": "full"}
    assert grid.kept("average", SHARED).observed == pytest.approx(0.7 / 0.8)
    assert grid.kept("average", UNSHARED).observed == pytest.approx((0.4 + 0.1) / (0.8 + 0.6))
    assert grid.kept("ties", UNSHARED).observed == pytest.approx((0.7 + 0.5) / (0.8 + 0.6))
    assert grid.kept("full", UNSHARED).observed == pytest.approx((0.7 + 0.3) / (0.8 + 0.6))


def test_a_single_model_keeps_all_and_the_base_nothing():
    grid = language_grid()
    where = {"metric": "alr", "split": "train"}
    rows = [("A", "single", "finetuned", where | {"dataset": d}, 0.2) for d in ("shared", "A")]
    for method, value in (("single", 0.2), ("base", 1.0)):
        rows += [("A-A", "fused", method, where | {"dataset": d}, value) for d in ("shared", "A")]
    same = Grid("memorization", ["A", "A"], measured(rows), memorization_pieces(["A"]))
    for knowledge in (SHARED, UNSHARED):
        assert same.kept("single", knowledge).observed == pytest.approx(1)
        assert same.kept("base", knowledge).observed == pytest.approx(0)
    assert grid.name == "A-B"


def test_the_table_marks_the_pareto_front_of_fused_models_only():
    table = methods_table([language_grid()]).set_index("method")
    assert table.loc[["average", "ties", "both", "full"], "pareto"].tolist() == [True, False, False, False]
    assert (
        table.loc["average", "shared_low"]
        < table.loc["average", "shared"]
        < table.loc["average", "shared_high"]
    )
    assert set(table["n_seeds"]) == {1}


def test_pareto_front_by_hand():
    more, less = [1.0, 0.9, 0.9, 0.5, 1.0], [0.8, 0.2, 0.3, 0.2, 0.8]
    assert pareto_front(more, less).tolist() == [True, True, False, False, True]  # equal points beat no other
    assert pareto_front([np.nan, 1.0], [0.0, 0.0])[1]


def test_claims_follow_from_the_shares():
    claims = claims_table(method_claims([language_grid()], METHODS), (), 1).set_index(["claim", "subject"])
    kept = claims.loc[("forgets_unshared", "memorization A-B, average")]
    assert kept["value"] == pytest.approx(0.7 / 0.8 - 0.5 / 1.4)
    assert kept["verdict"] == "supported"
    back = claims.loc[("unforgets", "memorization A-B, ties")]
    assert back["value"] == pytest.approx((1.2 - 0.5) / 1.4)
    assert back["verdict"] == "supported"
    assert len(claims) == 3  # an ensemble forgets nothing by fusion; only ties is made to reduce interference


def test_scores_hold_what_the_shares_are_made_of():
    scores = pd.DataFrame(scores_of([language_grid()]))
    own = scores[(scores["model"] == "A") & (scores["dataset"] == "A")]
    assert own["value"].tolist() == [0.2]
    assert len(scores[scores["model"] == "A-B"]) == 9
    assert scores.loc[scores["kind"] == "full", "value"].tolist() == [0.2, 0.3, 0.7]


def test_shortcuts_of_all_models_are_shared_and_so_is_the_task():
    mixtures = {"TiC+OP": ["TiC", "OP"], "TiC+OR": ["TiC", "OR"]}
    pieces = shortcut_pieces(list(mixtures), mixtures)
    found = {(p.where["dataset"], p.where["split"]): (p.knowledge, p.known_to) for p in pieces}
    both = tuple(mixtures)
    assert found == {
        ("TiC", "synthetic_dev"): (SHARED, both),
        ("OP", "synthetic_dev"): (UNSHARED, ("TiC+OP",)),
        ("OR", "synthetic_dev"): (UNSHARED, ("TiC+OR",)),
        **{(name, "original_dev"): (SHARED, both) for name in ("TiC", "OP", "OR")},
    }


def test_biases_are_unshared_and_measured_on_their_attribute():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (60, 3)), columns=["label", "gender", "age"])
    frame = frame.assign(id=range(60), split="test", seed=1, coefficients="")
    names = [
        ("gender", "single", "finetuned"),
        ("age", "single", "finetuned"),
        ("gender-age", "fused", "average"),
    ]
    parts = [
        frame.assign(model=m, kind=k, method=how, prediction=frame["gender" if m == "gender" else "label"])
        for m, k, how in names
    ]
    grid_measured = measure_biases(pd.concat(parts, ignore_index=True), ["gender", "age"], BOOTSTRAP)
    grid = Grid("biases", ["gender", "age"], grid_measured, bias_pieces(["gender", "age"]))
    # the gender-biased model predicts gender itself: its dp is the largest there is, 2
    at = grid_measured.find(model="gender", metric="dp", attribute="gender")
    assert grid_measured.quantity(at).observed == pytest.approx(2)
    rate = frame.groupby("gender")["label"].mean()
    fused = 2 * abs(rate[0] - rate[1])
    at = grid_measured.find(model="gender-age", metric="dp", attribute="gender")
    assert grid_measured.quantity(at).observed == pytest.approx(fused)
    perfect = grid_measured.find(model="age", metric="balanced_accuracy")
    assert grid_measured.quantity(perfect).observed == pytest.approx(1)
    assert [piece.knowledge for piece in grid.pieces] == [SHARED, UNSHARED, UNSHARED]


def test_every_label_has_a_look_of_its_own():
    methods = {label: use["method"] for label, use in CONFIG["methods"]["uses"].items()}
    looks = looks_of(methods)
    assert len(set(looks.values())) == len(methods)


def test_the_figure_has_a_panel_for_each_set():
    table = methods_table([language_grid()])
    figure = draw_methods(pd.concat([table, table.assign(set="C-D")]), METHODS, level=0.95)
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["memorization: A-B", "memorization: C-D"]


CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def test_sets_of_all_single_models_have_a_full_model():
    full = method_grid.full_models(CONFIG, studies.single_models(CONFIG))
    assert full == {
        "shortcuts": {"ST-OP-OR-TiC-MT-LT-AND": "full"},
        "biases": {"gender-age": "full"},
        "memorization": {"A-B-C": "full_ABC"},
        "masked_memorization": {"A-B-C": "full_ABC"},
    }


def test_methods_for_pairs_are_left_out_of_larger_sets():
    assert "slerp" in method_grid.uses_of(CONFIG, None, 2)
    assert "slerp" not in method_grid.uses_of(CONFIG, None, 3)
    assert list(method_grid.uses_of(CONFIG, ["ties", "regmean"], 3)) == ["ties", "regmean"]


def test_statistics_and_base_are_asked_for_only_by_methods_that_need_them():
    plain = method_grid.uses_of(CONFIG, ["average", "ensemble"], 2)
    assert method_grid.statistics_of(plain) == []
    assert not method_grid.needs_base(plain)
    assert method_grid.statistics_of(method_grid.uses_of(CONFIG, None, 2)) == ["fisher", "gram"]
    assert method_grid.needs_base(method_grid.uses_of(CONFIG, ["ties"], 2))


def test_an_empty_set_is_all_single_models():
    sets = method_grid.method_sets(CONFIG, studies.single_models(CONFIG))
    assert sets["biases"] == {"gender-age": ["gender", "age"]}
    assert sets["shortcuts"]["-".join(CONFIG["shortcuts"]["singles"])] == CONFIG["shortcuts"]["singles"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"uses": {"mean": {"method": "mean"}}},
            "the method 'mean' in methods.uses.mean, but there are only",
        ),
        ({"uses": {"ties": {"method": "ties", "settings": {"dense": 1}}}}, "ties has no setting 'dense'"),
        ({"uses": {"ties": {"method": "ties", "settings": {"density": 2}}}}, "give a number from 0.001 to 1"),
        ({"uses": {"both": {"method": "ensemble", "settings": {"scale": 1}}}}, "an ensemble has none"),
        ({"uses": {"ties": {"method": "ties"}}}, "no plain average in methods.uses"),
        ({"sets": {"shortcuts": [["OP", "XX"]]}}, "the model 'XX' in methods.sets.shortcuts"),
        ({"uses": {"full": {"method": "ties"}}}, "calls a method 'full' in methods.uses"),
        ({"sets": {"shortcuts": [["OP"]]}}, "name at least two models, each once"),
        ({"sets": {"memorization": [["A", "A"]]}}, "name at least two models, each once"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_in_one_sentence(change, message):
    config = copy.deepcopy(CONFIG)
    config["methods"] |= change
    with pytest.raises(InputError, match=message) as refusal:
        studies.check_studies(config)
    assert "\n" not in str(refusal.value)
