"""Selection finds the optimum of known functions, keeps bounds where it can, and says where it cannot."""

import math

import numpy as np
import pandas as pd
import pytest

from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.goal import Goal
from fuse_to_forget.fusion.select import nearest_on_simplex, select, write_points


class Recorder:
    """Evaluates by a function of the coefficients and settings, and remembers what it was asked for."""

    def __init__(self, function):
        self.function, self.asked = function, []

    def __call__(self, coefficients, settings):
        self.asked.append((coefficients, tuple(settings.items())))
        return self.function(coefficients, settings)


def distance_from(*target):
    return lambda c, _: {"distance": float(np.square(np.subtract(c, target)).sum())}


LINE = {"bias": lambda c, _: {"bias": c[1], "accuracy": 1 - c[1]}}


def test_the_grid_is_every_point_once_and_without_a_search_that_is_all():
    evaluate = Recorder(distance_from(0.5, 0.5))
    chosen = select(evaluate, ["a", "b"], Goal("distance"), steps=4)
    assert [c for c, _ in evaluate.asked] == [(1, 0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0, 1)]
    assert chosen.coefficients == {"a": 0.5, "b": 0.5}
    assert chosen.feasible
    assert chosen.metrics == {"distance": 0}
    assert set(chosen.points["stage"]) == {"grid"}


@pytest.mark.parametrize(
    "target", [(0.37, 0.63), (0.37, 0.22, 0.41), (0.0, 0.137, 0.863), (0.1, 0.2, 0.3, 0.4)], ids=str
)
def test_the_search_finds_what_lies_between_grid_points(target):
    evaluate = Recorder(distance_from(*target))
    chosen = select(evaluate, list("abcd")[: len(target)], Goal("distance"), steps=2, evaluations=300)
    assert list(chosen.coefficients.values()) == pytest.approx(target, abs=3e-3)
    assert {"grid", "nelder-mead"} == set(chosen.points["stage"])


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("budget", [1, 7, 40])
def test_every_point_is_valid_new_and_within_the_budget(count, budget):
    rng = np.random.default_rng(count)
    weights = rng.normal(size=count)
    evaluate = Recorder(lambda c, s: {"loss": float(weights @ c) + s["scale"], "accuracy": c[0]})
    models = [f"m{i}" for i in range(count)]
    goal = Goal("loss", at_least={"accuracy": 0.3})
    select(evaluate, models, goal, steps=3, settings={"scale": [0.0, 0.5, 1.0]}, evaluations=budget)
    grid = math.comb(3 + count - 1, count - 1) * 3
    assert grid < len(evaluate.asked) <= grid + budget
    assert len(set(evaluate.asked)) == len(evaluate.asked)
    for coefficients, settings in evaluate.asked:
        assert min(coefficients) >= 0
        assert math.fsum(coefficients) == pytest.approx(1, abs=1e-12)
        assert 0 <= dict(settings)["scale"] <= 1


def test_with_a_bound_the_best_point_that_keeps_it_is_chosen():
    chosen = select(
        LINE["bias"], ["a", "b"], Goal("bias", at_most={"accuracy": 0.366}), steps=10, evaluations=30
    )
    assert chosen.feasible
    assert chosen.coefficients == pytest.approx({"a": 0.366, "b": 0.634}, abs=2e-3)
    assert chosen.metrics["accuracy"] <= 0.366


def test_a_maximum_is_the_minimum_of_the_negative():
    largest = select(LINE["bias"], ["a", "b"], Goal("accuracy", "maximize", at_least={"bias": 0.25}), steps=4)
    assert largest.metrics == {"bias": 0.25, "accuracy": 0.75}


def test_the_search_enters_a_region_that_the_grid_missed():
    """Only from .52 to .58 does the bound hold, and the grid has .4, .6."""

    def evaluate(c, _):
        return {"loss": c[0], "gap": abs(c[0] - 0.55)}

    goal = Goal("loss", at_most={"gap": 0.03})
    assert not select(evaluate, ["a", "b"], goal, steps=5).feasible
    found = select(evaluate, ["a", "b"], goal, steps=5, evaluations=40)
    assert found.feasible
    assert found.coefficients["a"] == pytest.approx(0.52, abs=3e-3)


def test_without_a_point_that_keeps_the_bound_the_nearest_is_chosen_and_said_to_be():
    chosen = select(LINE["bias"], ["a", "b"], Goal("bias", at_least={"accuracy": 1.5}), steps=4)
    assert not chosen.feasible
    assert chosen.coefficients == {"a": 1.0, "b": 0.0}
    assert chosen.sentence() == (
        "None of 5 points has accuracy at least 1.5; the nearest is a=1.0 b=0.0: bias 0, accuracy 1"
    )
    assert not chosen.points["feasible"].any()


def test_bounds_come_before_the_objective():
    def evaluate(c, _):
        return {"loss": c[0], "accuracy": c[0] ** 2}  # the less loss, the less accuracy

    chosen = select(evaluate, ["a", "b"], Goal("loss", at_least={"accuracy": 0.5}), steps=10)
    assert chosen.coefficients["a"] == 0.8
    assert chosen.sentence().startswith("Best of 11 points with accuracy at least 0.5: a=0.8 b=0.2: loss 0.8")


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_undefined_metrics_are_never_chosen(metric):
    def evaluate(c, _):
        metrics = {"loss": c[0], "accuracy": 1.0}
        return metrics | ({metric: math.nan} if c[0] < 0.5 else {})

    chosen = select(evaluate, ["a", "b"], Goal("loss", at_least={"accuracy": 0.5}), steps=4, evaluations=20)
    assert chosen.feasible
    assert chosen.coefficients["a"] == pytest.approx(0.5, abs=1e-3)


def test_settings_are_a_grid_of_which_whole_numbers_stay():
    def evaluate(c, s):
        return {"loss": (s["density"] - 0.33) ** 2 + (s["iterations"] - 14) ** 2}

    evaluate = Recorder(evaluate)
    grid = {"density": [0.1, 0.5, 0.9], "iterations": [10, 20]}
    chosen = select(evaluate, ["a", "b"], Goal("loss"), steps=None, settings=grid, evaluations=30)
    assert {c for c, _ in evaluate.asked} == {(0.5, 0.5)}
    assert chosen.settings == {"density": pytest.approx(0.33, abs=3e-3), "iterations": 10}
    assert {dict(s)["iterations"] for _, s in evaluate.asked} == {10, 20}
    assert parse_coefficients(chosen.points["settings"].iloc[0]) == {"density": 0.1, "iterations": 10}


def test_the_front_is_what_no_point_beats():
    values = {0.0: (3, 0.9), 0.25: (2, 0.9), 0.5: (1, 0.5), 0.75: (1, 0.6), 1.0: (0, 0.1)}  # bias, accuracy
    chosen = select(
        lambda c, _: dict(zip(("bias", "accuracy"), values[c[0]], strict=True)),
        ["a", "b"],
        Goal("bias", at_least={"accuracy": 0.55}),
        steps=4,
    )
    points = chosen.points.set_index(
        chosen.points["coefficients"].map(lambda text: parse_coefficients(text)["a"])
    )
    assert points["front"].to_dict() == {0.0: False, 0.25: True, 0.5: False, 0.75: True, 1.0: True}
    assert points["feasible"].to_dict() == {0.0: True, 0.25: True, 0.5: False, 0.75: True, 1.0: False}
    assert points.index[points["chosen"]].tolist() == [0.75]


def test_the_nearest_point_of_the_simplex_is_nearer_than_all_others():
    rng = np.random.default_rng(3)
    for place in rng.normal(0.3, 0.7, (50, 3)):
        nearest = nearest_on_simplex(place)
        assert nearest.min() >= 0
        assert nearest.sum() == pytest.approx(1)
        others = rng.dirichlet([0.5] * 3, 500)
        assert np.linalg.norm(place - nearest) <= np.linalg.norm(others - place, axis=1).min() + 1e-9
    inside = np.array([0.2, 0.5, 0.3])
    assert nearest_on_simplex(inside) == pytest.approx(inside)


def test_points_are_written_whole(tmp_path):
    chosen = select(LINE["bias"], ["a", "b"], Goal("bias"), steps=3)
    write_points(chosen.points, tmp_path / "new" / "points.csv")
    read = pd.read_csv(tmp_path / "new" / "points.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(read, chosen.points)


def test_further_points_are_evaluated_with_the_grid_each_once():
    evaluate = Recorder(distance_from(0.3, 0.7))
    chosen = select(evaluate, ["a", "b"], Goal("distance"), steps=2, also=[(0.3, 0.7), (0.5, 0.5)])
    assert [c for c, _ in evaluate.asked] == [(1, 0), (0.5, 0.5), (0, 1), (0.3, 0.7)]
    assert chosen.coefficients == {"a": 0.3, "b": 0.7}
    assert set(chosen.points["stage"]) == {"grid"}


@pytest.mark.parametrize(
    ("models", "arguments"),
    [
        (["a", "b"], {"steps": 0}),
        (["a", "b"], {"steps": 2, "settings": {"scale": []}}),
        (["a"], {"steps": 2}),
    ],
)
def test_an_empty_grid_is_refused(models, arguments):
    with pytest.raises(InputError, match="There is no grid to select from"):
        select(distance_from(1, 0), models, Goal("distance"), **arguments)


def test_metrics_and_goals_that_there_are_not_are_refused():
    with pytest.raises(InputError, match="no metric 'dp' to select by: choose among bias, accuracy"):
        select(LINE["bias"], ["a", "b"], Goal("bias", at_most={"dp": 1}), steps=2)
    with pytest.raises(InputError, match="no direction 'smallest': choose minimize or maximize"):
        Goal("dp", "smallest")
