"""Coefficients of sweeps and how they are written."""

import pytest

from fuse_to_forget.coefficients import format_coefficients, parse_coefficients, simplex_grid


def test_a_pair_is_swept_from_the_first_model_to_the_second():
    assert simplex_grid(2, 10) == [((10 - i) / 10, i / 10) for i in range(11)]


@pytest.mark.parametrize(("models", "steps", "points"), [(1, 4, 1), (2, 10, 11), (3, 10, 66), (4, 3, 20)])
def test_a_simplex_has_every_point_once_and_none_outside(models, steps, points):
    grid = simplex_grid(models, steps)
    assert len(set(grid)) == len(grid) == points
    for vector in grid:
        assert sum(vector) == pytest.approx(1)
        assert min(vector) >= 0
    for corner in range(models):
        assert tuple(float(i == corner) for i in range(models)) in grid


def test_coefficients_are_read_as_they_were_written():
    coefficients = {"TiC+OP": 1 / 3, "random": 2 / 3}
    assert parse_coefficients(format_coefficients(coefficients)) == coefficients
