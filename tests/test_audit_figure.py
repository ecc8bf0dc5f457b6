"""The figure of an audit shows every method, whatever was measured."""

import math

import pandas as pd
import pytest
from figure_parts import panels, texts

from fuse_to_forget.audit.figure import audit_figure


def summary(shared: list[float], forgettable: list[float], reach: float = 0.1) -> pd.DataFrame:
    frame = pd.DataFrame({"shared": shared, "forgettable": forgettable})
    for side in ("shared", "forgettable"):
        frame[f"{side}_low"], frame[f"{side}_high"] = frame[side] - reach, frame[side] + reach
    methods = [f"method{number}" for number in frame.index]
    named = frame.assign(kind="fused", method=methods, forgettable_is="bias")
    base = {
        "kind": "base",
        "method": "constant",
        "shared": -9.0,
        "forgettable": -9.0,
        "forgettable_is": "bias",
    }
    return pd.concat([pd.DataFrame([base]), named], ignore_index=True)


def test_both_sides_are_a_point_for_each_method():
    figure = audit_figure(summary([0.9] * 12, [0.2] * 12), level=0.95)
    (axes,) = panels(figure)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"method{i}" for i in range(12)]
    looks = {(c[0].get_marker(), c[0].get_color(), c[0].get_markerfacecolor()) for c in axes.containers}
    assert len(looks) == 12
    assert axes.get_xlabel() == "bias remembered (left: forgotten)"
    low, high = axes.get_xlim()
    assert -0.5 < low < 0 < 1 < high < 1.5  # base and single models are the frame of reference, but no points


@pytest.mark.parametrize("points", [([1.2, 0.9], [-1.0, 0.4]), ([1.2, 0.9], [math.nan] * 2)])
def test_long_bars_are_cut_and_points_are_not(points):
    (axes,) = panels(audit_figure(summary(*points, reach=50), level=0.95))
    low, high = axes.get_xlim()
    drawn = points[1] if not math.isnan(points[1][0]) else points[0]
    assert -3 < low < min(drawn) <= max(drawn) < high < 3
    assert low < 0
    assert high > 1


@pytest.mark.parametrize("side", [0, 1])
def test_one_side_alone_is_a_row_for_each_method(side):
    points = [[0.9, 0.4], [0.9, 0.4]]
    points[1 - side] = [math.nan] * 2
    (axes,) = panels(audit_figure(summary(*points), level=0.95))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["method0", "method1"]
    assert axes.get_xlabel() == ("shared knowledge kept", "bias remembered")[side]


def test_with_neither_the_figure_says_so():
    figure = audit_figure(summary([math.nan], [math.nan]), level=0.95)
    assert any("In nothing that was measured do the single models differ" in text for text in texts(figure))
