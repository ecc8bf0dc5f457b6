"""The coefficient is taken beside a crossing of the curves, on the side that serves the bias in question."""

import numpy as np
import pytest

from fuse_to_forget.coefficients import format_coefficients, parse_coefficients, simplex_grid
from fuse_to_forget.scoring.selection import nearest_to_crossing

ALPHAS = np.linspace(0, 1, 11)


def curves(dp_gender, dp_age, tpr_gender=None, tpr_age=None):
    dp = {"gender": np.asarray(dp_gender), "age": np.asarray(dp_age)}
    tpr = {"gender": np.asarray(tpr_gender or dp_gender), "age": np.asarray(tpr_age or dp_age)}
    return {"dp": dp, "tpr_gap": tpr}


def test_beside_one_crossing_each_bias_gets_its_side():
    falling, rising = (1 - ALPHAS).tolist(), (ALPHAS + 0.1).tolist()  # they cross at alpha .45
    assert nearest_to_crossing(ALPHAS, curves(falling, rising), "gender") == pytest.approx(0.5)
    assert nearest_to_crossing(ALPHAS, curves(falling, rising), "age") == pytest.approx(0.4)


def test_a_crossing_on_the_grid_is_taken_itself():
    falling, rising = np.arange(10, -1, -1).tolist(), np.arange(11).tolist()
    for attribute in ("gender", "age"):
        assert nearest_to_crossing(ALPHAS, curves(falling, rising), attribute) == pytest.approx(0.5)


def test_of_several_crossings_the_least_biased_counts():
    gender = [9, 1, 9, 9, 9, 9, 2, 9, 9, 9, 9]
    age = [8, 2, 8, 8, 8, 8, 3, 8, 8, 8, 8]
    assert nearest_to_crossing(ALPHAS, curves(gender, age), "gender") == pytest.approx(0.1)


def test_without_a_crossing_the_closest_point_is_taken():
    gender = [5, 5, 5, 5, 3, 5, 5, 5, 5, 5, 5]
    assert nearest_to_crossing(ALPHAS, curves(gender, [2] * 11), "age") == pytest.approx(0.4)


def test_the_grid_of_a_pair_sums_to_one_and_is_written_exactly():
    for pair in simplex_grid(2, 10):
        assert sum(pair) == pytest.approx(1, abs=1e-12)
        assert (
            tuple(parse_coefficients(format_coefficients(dict(zip("ab", pair, strict=True)))).values())
            == pair
        )
    assert simplex_grid(2, 10)[0] == (1, 0)
    assert simplex_grid(2, 10)[-1] == (0, 1)


def test_a_fused_model_is_never_one_of_its_constituents():
    gender, age = [1, 3] + [3] * 9, [2] + [2] * 10  # they cross between alpha 0 and .1
    for attribute in ("gender", "age"):
        assert nearest_to_crossing(ALPHAS, curves(gender, age), attribute) == pytest.approx(0.1)
