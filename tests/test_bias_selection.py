"""Coefficients chosen on dev are the best of those tried, and are reported on test as they are."""

import copy
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import demographic_frame, save_pico_bert
from figure_parts import curve, panels, texts
from snakemake.utils import update_config
from test_settings import SHIPPED, check
from transformers import AutoModelForSequenceClassification

from fuse_to_forget.bias_goals import goal_columns, goal_of, goal_of_row, metric_names
from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.errors import InputError
from fuse_to_forget.figures.selection import draw_selection
from fuse_to_forget.fusion.goal import Goal
from fuse_to_forget.fusion.select import write_points
from fuse_to_forget.prediction.averages import Averages
from fuse_to_forget.prediction.selected import evaluated_points, goodness, predict_on_test, select_on_dev
from fuse_to_forget.prediction.sweep import sweep
from fuse_to_forget.scoring.bias_selection import read_selection, selection_table
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.tables.selection import write_selection

ATTRIBUTES = ["gender", "age"]
SETTINGS = {"batch_size": 16, "max_length": 32}
SELECTION = {
    "goal": "dp_largest",
    "bounds": [{"metric": "accuracy", "worse_by": 0.1}],
    "steps": 3,
    "evaluations": 8,
}
SPLITS = {"dev": demographic_frame(80, seed=3), "test": demographic_frame(120, seed=4)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two classifiers of each of two seeds, drawn at random."""
    folder = tmp_path_factory.mktemp("models")
    base = save_pico_bert(folder / "base")
    places = {seed: {name: folder / f"{name}{seed}" for name in ATTRIBUTES} for seed in (1, 2)}
    for number, place in enumerate(itertools.chain(*(own.values() for own in places.values()))):
        torch.manual_seed(number)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.15)
        save_pico_bert(place)  # the tokenizer
        model.save_pretrained(place)
    return places


@pytest.fixture(scope="module")
def averages(models):
    return Averages(models, SPLITS, **SETTINGS)


@pytest.fixture(scope="module")
def made(averages, tmp_path_factory):
    """What the three jobs of a selection make, on the way through their files: selection, soup, predictions, table."""
    chosen, soup = select_on_dev(averages, ATTRIBUTES, SELECTION)
    path = tmp_path_factory.mktemp("points") / "points.csv"
    write_points(evaluated_points(chosen, averages.called(soup)), path)
    predictions = predict_on_test(averages, chosen, soup)
    selection = read_selection(path, ATTRIBUTES)
    table = selection_table(
        selection, predictions, ATTRIBUTES, Bootstrap(30, 0.95, 1), "tiny, recorded demographics"
    )
    return chosen, soup, selection, predictions, table


def by_hand(predictions):
    """Accuracy and the larger demographic parity, means over seeds."""
    accuracy, larger = [], []
    for _, own in predictions.groupby("seed"):
        accuracy.append((own["label"] == own["prediction"]).mean())
        rates = [own.groupby(name)["prediction"].mean() for name in ATTRIBUTES]
        larger.append(max(2 * abs(rate[0] - rate[1]) for rate in rates))
    return np.mean(accuracy), np.mean(larger)


def test_averages_predict_what_a_sweep_does(models, averages):
    vectors = [(1.0, 0.0), (0.3, 0.7)]
    for seed, folders in models.items():
        swept = sweep(folders, vectors, SPLITS, **SETTINGS, seed=seed)
        for vector, split in itertools.product(vectors, SPLITS):
            own = averages.predict(vector, split)
            own = own[own["seed"] == seed]
            same = swept[(swept["coefficients"] == averages.called(vector)) & (swept["split"] == split)]
            assert own.columns.tolist() == same.columns.tolist()
            assert own["probability"].to_numpy() == pytest.approx(same["probability"].to_numpy(), abs=1e-6)


def test_the_chosen_point_is_the_best_within_the_bound(averages, made):
    points = made[2].points
    singles = [by_hand(averages.predict(averages.plain(name), "dev")) for name in ATTRIBUTES]
    bound = np.mean([accuracy for accuracy, _ in singles]) - 0.1
    assert points["accuracy_at_least"].to_numpy() == pytest.approx(bound)
    for row in points.to_dict("records"):
        vector = tuple(parse_coefficients(row["coefficients"]).values())
        accuracy, larger = by_hand(averages.predict(vector, "dev"))
        assert (row["accuracy"], row["dp_largest"]) == pytest.approx((accuracy, larger))
        assert row["feasible"] == (accuracy >= bound)
    kept = points[points["feasible"]]
    assert points.loc[points["chosen"], "dp_largest"].item() == kept["dp_largest"].min()
    assert len(points) > 5
    assert (points["stage"] == "grid").sum() in (4, 5)  # of three steps, and the soup if it is half of each


def test_what_was_chosen_survives_its_file(made):
    chosen, _, selection, *_ = made
    assert selection.sentence() == chosen.sentence()
    assert (selection.goal, selection.metrics) == (chosen.goal, chosen.metrics)


def test_the_soup_is_no_worse_than_any_single_model(averages, made):
    _, soup, selection, *_ = made
    points = selection.points.set_index("coefficients")
    assert points.index[points["soup"]].tolist() == [averages.called(soup)]
    assert soup in [averages.plain(*names) for names in (["gender"], ["age"], ATTRIBUTES)]
    good = {text: goodness(selection.goal, row) for text, row in points.to_dict("index").items()}
    for name in ATTRIBUTES:
        assert good[averages.called(soup)] >= good[averages.called(averages.plain(name))]


def test_a_broken_bound_is_worse_than_any_bias():
    goal = Goal("dp", at_least={"accuracy": 0.5})
    assert goodness(goal, {"dp": 2.0, "accuracy": 0.5}) > goodness(goal, {"dp": 0.0, "accuracy": 0.499})
    assert goodness(Goal("f1", "maximize"), {"f1": 0.7}) > goodness(Goal("f1", "maximize"), {"f1": 0.6})


def test_test_has_the_chosen_the_soup_and_the_single_models_with_intervals(averages, made):
    _, soup, selection, predictions, table = made
    test = table[table["split"] == "test"].set_index("model")
    assert test.index.tolist() == ["chosen", "soup", *ATTRIBUTES]
    expected = dict.fromkeys(test.index, soup) | {name: averages.plain(name) for name in ATTRIBUTES}
    expected["chosen"] = tuple(selection.coefficients.values())
    for name, vector in expected.items():
        row = test.loc[name]
        assert row["coefficients"] == averages.called(vector)
        assert (row["accuracy"], row["dp_largest"]) == pytest.approx(
            by_hand(averages.predict(vector, "test"))
        )
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
    assert not predictions.duplicated(["seed", "id", "coefficients"]).any()
    dev = table[table["split"] == "dev"]
    assert dev["accuracy_low"].isna().all()
    assert dev["model"].value_counts()[ATTRIBUTES].tolist() == [1, 1]
    assert set(table["n_seeds"]) == {2}


def test_the_page_says_in_a_sentence_what_was_chosen(made, tmp_path):
    *_, selection, _, table = made
    sentence = selection.sentence()
    write_selection(
        table, selection.goal, metric_names(ATTRIBUTES), tmp_path / "t.csv", tmp_path / "t.html", sentence
    )
    page = (tmp_path / "t.html").read_text()
    assert f"<h1>{sentence}</h1>" in page
    assert "recorded demographics; 2 training seeds" in page
    assert page.count("<tr>") == len(table) + 2
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "t.csv", float_precision="round_trip"), table, check_dtype=False
    )


def test_the_figure_marks_what_was_tried_chosen_and_bounded(made):
    table = made[-1]
    figure = draw_selection(table, level=0.9)
    (axes,) = panels(figure)
    dev = table[table["split"] == "dev"]
    front = dev[dev["front"].astype(bool)].sort_values("accuracy")
    drawn = curve(axes, "trade-off curve on dev")
    assert drawn.get_xdata().tolist() == front["accuracy"].tolist()
    assert drawn.get_ydata().tolist() == front["dp_largest"].tolist()
    assert len(curve(axes, "on dev").get_xdata()) == len(dev) - len(front)
    chosen = dev[dev["chosen"].astype(bool)]
    assert (
        curve(axes, "chosen on dev").get_xydata().tolist()
        == chosen[["accuracy", "dp_largest"]].to_numpy().tolist()
    )
    assert set(curve(axes, "bound").get_xdata()) == set(table["accuracy_at_least"])
    bars = {bar.get_label(): bar for bar in axes.containers}
    assert list(bars) == [
        "chosen on test",
        "greedy soup on test",
        "gender-biased on test",
        "age-biased on test",
    ]
    row = table[table["model"] == "chosen"].iloc[0]
    across, along = (segment.get_segments()[0] for segment in bars["chosen on test"].lines[2])
    assert across[:, 0].tolist() == pytest.approx([row["accuracy_low"], row["accuracy_high"]])
    assert along[:, 1].tolist() == pytest.approx([row["dp_largest_low"], row["dp_largest_high"]])
    assert any("tiny, recorded demographics" in text and "90 % intervals" in text for text in texts(figure))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("accuracy", "DP, largest")
    plt.close("all")


def test_the_figure_has_a_panel_for_each_bound_and_says_if_none_is_kept(made):
    table = made[-1].assign(tpr_gap_mean_at_most=0.0, feasible=False)
    figure = draw_selection(table, level=0.95)
    assert [axes.get_xlabel() for axes in panels(figure)] == ["accuracy", "TPR-GAP, mean"]
    assert curve(panels(figure)[0], "chosen on dev (no point is within bounds)")
    without = draw_selection(made[-1].drop(columns="accuracy_at_least"), level=0.95)
    assert [axes.get_xlabel() for axes in panels(without)] == ["accuracy"]
    assert "bound" not in [line.get_label() for line in panels(without)[0].lines]
    plt.close("all")


def test_worse_by_counts_from_the_mean_of_the_single_models():
    singles = [{"accuracy": 0.6, "dp_age": 0.4}, {"accuracy": 0.8, "dp_age": 0.2}]
    bounds = [{"metric": "accuracy", "worse_by": 0.05}, {"metric": "dp_age", "worse_by": 0.1}]
    goal = goal_of({"goal": "f1", "bounds": bounds}, singles)
    assert goal == Goal("f1", "maximize", {"accuracy": pytest.approx(0.65)}, {"dp_age": pytest.approx(0.4)})
    fixed = [{"metric": "accuracy", "at_most": 0.7}, {"metric": "f1", "at_least": 0.1}]
    goal = goal_of({"goal": "dp_age", "bounds": fixed}, singles)
    assert goal == Goal("dp_age", "minimize", {"f1": 0.1}, {"accuracy": 0.7})
    assert goal_of_row(goal_columns(goal)) == goal


def test_a_file_of_ones_own_replaces_goal_and_bounds():
    config = copy.deepcopy(SHIPPED)
    own = {"goal": "f1", "bounds": [{"metric": "dp_largest", "at_most": 0.3}]}
    update_config(config, {"biases": {"selection": own}})  # as `--configfile` does
    check(config)
    assert goal_of(config["biases"]["selection"], []) == Goal("f1", "maximize", at_most={"dp_largest": 0.3})


@pytest.mark.parametrize("change", [("True", "False"), ("chosen", "choice"), (None, None)], ids=str)
def test_points_that_something_else_wrote_over_are_refused(made, tmp_path, change):
    path = tmp_path / "points.csv"
    write_points(made[2].points, path)
    text = path.read_text()
    path.write_text(text.replace(*change) if change[0] else text[:-20])
    with pytest.raises(InputError, match="is damaged"):
        read_selection(path, ATTRIBUTES)
