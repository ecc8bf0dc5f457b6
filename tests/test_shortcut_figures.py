"""The figures of the shortcut study show the scores as they are, and say what to compare them with."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_parts import curve, letters, panels, texts
from matplotlib.colors import to_rgb

from fuse_to_forget.coefficients import format_coefficients, simplex_grid
from fuse_to_forget.errors import InputError
from fuse_to_forget.figures.figure4 import figure4, format_p
from fuse_to_forget.figures.interpolation import interpolations
from fuse_to_forget.figures.style import SHORTCUTS as LOOKS
from fuse_to_forget.figures.style import save_figure
from fuse_to_forget.figures.triplet import CORNERS, place, triplet_by_dataset, triplet_mean
from fuse_to_forget.scoring.scores import COLUMNS, read_scores, write_scores

SHORTCUTS = ["ST", "OP", "OR", "TiC", "MT", "LT", "AND"]
DATASETS = {name: [name] for name in SHORTCUTS} | {"TiC+OP": ["TiC", "OP"], "TiC+OR": ["TiC", "OR"]}
FIGURE2 = [("ST", "random"), ("OP", "TiC"), ("ST", "OP"), ("ST", "TiC")]
FIGURE3 = [("TiC+OP", "TiC+OR")]
FIGURE6 = [("OP", "random"), ("TiC", "random"), ("OR", "random"), ("OR", "TiC"), ("OR", "ST"), ("OR", "OP")]
TRIPLET = ("ST", "OP", "OR")
SPLITS = {"synthetic_dev": 726, "original_dev": 146}


def row(model, kind, dataset, split, value, coefficients="", metric="accuracy", seed="all"):
    width = 0.01 + 0.05 * value * (1 - value)
    return dict.fromkeys(COLUMNS, "") | {
        "study": "shortcuts", "model": model, "kind": kind, "method": "average" if coefficients else "",
        "coefficients": coefficients, "dataset": dataset, "split": split, "metric": metric, "value": value,
        "low": max(value - width, 0.0), "high": min(value + width, 1.0), "n": SPLITS[split], "seed": seed,
    }  # fmt: skip


def majority(dataset, split):
    return 0.52 if split == "original_dev" else 0.75 if dataset in ("OR", "AND") else 0.5


def knowledge(own, split):
    """Accuracy of a model in which the data set's shortcut has the coefficient `own`."""
    return 0.9 if split == "original_dev" else 0.5 + 0.5 / (1 + np.exp((0.55 - own) / 0.05))


def sweep_rows(names):
    """Rows of a sweep on the data sets of its models and their mean; also what accuracy must not be taken for."""
    datasets = list(dict.fromkeys(dataset for name in names for dataset in DATASETS.get(name, [])))
    for vector in simplex_grid(len(names), 10):
        weights = dict(zip(names, vector, strict=True))
        coefficients = format_coefficients(weights)
        for split in SPLITS:
            values = {
                dataset: knowledge(sum(weights[n] for n in names if dataset in DATASETS.get(n, [])), split)
                for dataset in datasets
            }
            for dataset, value in (values | {"mean": np.mean(list(values.values()))}).items():
                key = ("-".join(names), "fused", dataset, split)
                yield row(*key, value, coefficients)
                yield row(*key, 0.33, coefficients, metric="balanced_accuracy")
                yield row(*key, 0.34, coefficients, seed="1")


def model_rows():
    uniform = format_coefficients(dict.fromkeys(SHORTCUTS, 1 / 7))
    for split in SPLITS:
        for dataset in SHORTCUTS:
            yield row("majority", "baseline", dataset, split, majority(dataset, split))
        for i, dataset in enumerate([*SHORTCUTS, "mean"]):
            yield from (
                row(name, "single", dataset, split, 0.95 if name == dataset else 0.6) for name in SHORTCUTS
            )
            yield row("-".join(SHORTCUTS), "fused", dataset, split, 0.49 + i / 100, uniform)
            yield row("full", "full", dataset, split, 0.8 + i / 100)
        yield row("own", "single", "mean", split, 0.87)


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    rows = [*model_rows()]
    for names in [*FIGURE2, *FIGURE3, *FIGURE6, TRIPLET]:
        rows += sweep_rows(names)
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    write_scores(pd.DataFrame(rows), path)
    return read_scores(path)


@pytest.fixture
def not_learned(scores):
    shares = {"ST": 0.0, "OP": 2 / 3, "OR": 1.0, "full": 0.0, "TiC+OP": 0.0}
    rows = [
        row(name, "single", "", "synthetic_dev", share, metric="learned") for name, share in shares.items()
    ]
    return pd.concat([scores, pd.DataFrame(rows)], ignore_index=True)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def heights(axes):
    """Where the dotted lines of constant predictions stand."""
    return sorted(line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":")


@pytest.mark.parametrize(("pairs", "count"), [(FIGURE2, 4), (FIGURE3, 1), (FIGURE6, 6)])
def test_one_lettered_panel_per_pair(scores, pairs, count):
    figure = interpolations(scores, pairs, DATASETS, level=0.9)
    assert len(panels(figure)) == count
    assert letters(figure) == ([f"({letter})" for letter in "abcdef"[:count]] if count > 1 else [""])
    for axes, (first, second) in zip(panels(figure), pairs, strict=True):
        ticks = [text.get_text() for text in axes.get_xticklabels()]
        assert (ticks[0], ticks[-1]) == (f"0.0\n{first}", f"1.0\n{second}")


def test_curves_are_the_accuracies_over_all_seeds_against_the_second_coefficient(scores):
    axes = panels(interpolations(scores, FIGURE2, DATASETS, level=0.9))[1]
    for dataset, own in (("OP", np.linspace(1, 0, 11)), ("TiC", np.linspace(0, 1, 11))):
        for name, split in (("synthetic", "synthetic_dev"), ("original", "original_dev")):
            line = curve(axes, f"{dataset} {name}")
            np.testing.assert_allclose(line.get_xdata(), np.linspace(0, 1, 11))
            np.testing.assert_allclose(line.get_ydata(), [knowledge(weight, split) for weight in own])


def test_a_shared_data_set_is_drawn_once(scores):
    (axes,) = panels(interpolations(scores, FIGURE3, DATASETS, level=0.9))
    drawn = [line.get_label() for line in axes.lines if " " in line.get_label()]
    assert sorted(drawn) == sorted(f"{d} {k}" for d in ("TiC", "OP", "OR") for k in ("synthetic", "original"))
    assert set(curve(axes, "TiC synthetic").get_ydata()) == {knowledge(1.0, "synthetic_dev")}
    assert {"TiC", "OP", "OR", "original", "chance", "majority OR"} <= set(texts(axes))


def test_chance_always_has_a_line_and_a_majority_rate_that_differs(scores):
    figure = interpolations(scores, FIGURE6, DATASETS, level=0.9)
    assert [heights(axes) for axes in panels(figure)] == [[0.5]] * 2 + [[0.5, 0.75]] * 4
    assert [("majority OR" in texts(axes)) for axes in panels(figure)] == [False] * 2 + [True] * 4


def test_labels_lie_in_their_panel_apart_from_each_other(scores):
    figure = interpolations(scores, FIGURE6, DATASETS, level=0.9)
    for axes in panels(figure):
        boxes = [text.get_window_extent() for text in axes.texts]
        area = axes.bbox
        assert all(area.contains(*box.min) and area.contains(*box.max) for box in boxes)
        for i, box in enumerate(boxes):
            assert box.count_overlaps(boxes[i + 1 :]) == 0


def test_a_shortcut_has_one_look_that_no_other_has():
    assert set(SHORTCUTS) | {"XOR", "OED", "AND_OR"} <= set(LOOKS)
    assert len({look.color for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)
    for look in LOOKS.values():
        red, green, blue = np.power(to_rgb(look.color), 2.2)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) > 2.2  # contrast with white


def test_a_model_that_did_not_learn_is_named_so_in_every_figure(not_learned):
    figures = [
        interpolations(not_learned, FIGURE2, DATASETS, level=0.9),
        figure4(not_learned, SHORTCUTS, {}, level=0.9),
        triplet_mean(not_learned, TRIPLET, level=0.9),
        triplet_by_dataset(not_learned, TRIPLET, level=0.9),
    ]
    for figure in figures:
        found = texts(figure)
        assert any("ST (not learned)" in text for text in found)
        assert any("OP (not learned: 1/3 of seeds)" in text for text in found)
        assert not any("OR (not" in text or "TiC (not" in text for text in found)
        assert any("not learned: the model's accuracy" in text for text in found)
        assert any("90 % intervals" in text for text in found)
    assert "full (not learned)" in texts(figures[1])
    assert "0.0 TiC+OP (not learned)" in texts(interpolations(not_learned, FIGURE3, DATASETS, level=0.9))


def test_without_failures_no_figure_speaks_of_them(scores):
    for figure in (
        interpolations(scores, FIGURE2, DATASETS, level=0.9),
        triplet_mean(scores, TRIPLET, level=0.9),
    ):
        assert not any("not learned" in text for text in texts(figure))


def test_figure_4_shows_own_fused_and_full_models_and_the_rates_of_a_constant(scores):
    (axes,) = figure4(scores, SHORTCUTS, {"single": 0.0031}, level=0.9).axes
    shown = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert shown["shortcut's own model"] == pytest.approx([0.95] * 7 + [0.87])
    assert shown["all shortcut models fused"] == pytest.approx([0.49 + i / 100 for i in range(8)])
    assert shown["full"] == pytest.approx([0.8 + i / 100 for i in range(8)])
    rates = next(lines for lines in axes.collections if lines.get_label() == "more frequent label")
    found = [path[0, 1] for path in rates.get_segments()]
    assert found == pytest.approx([0.5, 0.5, 0.75, 0.5, 0.5, 0.5, 0.75, 0.52])
    assert heights(axes) == [0.5]
    assert [text.get_text() for text in axes.get_xticklabels()] == [*SHORTCUTS, "original\n(mean)"]


def test_figure_4_shows_the_p_values_it_is_given(scores):
    shown = " ".join(texts(figure4(scores, SHORTCUTS, {"single": 0.0031, "full": 0.0004}, level=0.9)))
    assert "fused vs shortcut models: p = .0031 full model: p < .001" in shown
    assert "full model" not in " ".join(texts(figure4(scores, SHORTCUTS, {"single": 0.2}, level=0.9)))
    assert [format_p(p) for p in (0.05, 0.001, 0.1234, 1.0)] == ["p = .05", "p = .001", "p = .12", "p = 1"]


def test_weighted_averages_lie_in_the_triangle_with_the_models_in_its_corners(scores):
    points = place(pd.DataFrame(simplex_grid(3, 10)))
    assert len(points) == 66
    for corner, model in zip(CORNERS, np.eye(3), strict=True):
        np.testing.assert_allclose(place(pd.DataFrame([model])), [corner])
    x, y = points.T
    assert (y >= 0).all()
    assert (y <= np.sqrt(3) * np.minimum(x, 1 - x) + 1e-12).all()
    for axes in panels(triplet_mean(scores, TRIPLET, level=0.9)):
        named = {text.get_text(): tuple(text.xy) for text in axes.texts if text.get_text() in TRIPLET}
        assert named == dict(zip(TRIPLET, map(tuple, CORNERS), strict=True))


def test_triplets_have_the_letters_and_scales_of_their_panels(scores):
    assert letters(triplet_mean(scores, TRIPLET, level=0.9)) == ["(a)", "(b)"]
    figure = triplet_by_dataset(scores, TRIPLET, level=0.9)
    shown = {axes.get_title(loc="left"): axes.collections[0] for axes in panels(figure)}
    names = [f"{name} {what}" for name in TRIPLET for what in ("synthetic", "original")]
    assert sorted(shown) == [f"({letter}) {name}" for letter, name in zip("abcdef", names, strict=True)]
    for what in ("synthetic", "original"):
        assert len({mesh.get_clim() for title, mesh in shown.items() if what in title}) == 1
    assert shown["(a) ST synthetic"].get_clim() == pytest.approx((0.5, 1), abs=0.01)
    assert {f"{knowledge(0.3, 'synthetic_dev'):.2f}", "more frequent label: 0.75"} <= set(texts(figure))
    assert any("half-width" in text for text in texts(figure))


def test_the_same_scores_give_the_same_files(scores, tmp_path):
    def files(name):
        figures = (
            interpolations(scores, FIGURE3, DATASETS, level=0.9),
            triplet_mean(scores, TRIPLET, level=0.9),
        )
        paths = [tmp_path / f"{name}{i}.{end}" for i in range(len(figures)) for end in ("pdf", "png")]
        for figure, pdf, png in zip(figures, paths[::2], paths[1::2], strict=True):
            save_figure(figure, pdf, png)
        return [path.read_bytes() for path in paths]

    assert files("first") == files("second")


def test_missing_scores_are_named(scores):
    with pytest.raises(InputError, match="sweep MT-LT on MT"):
        interpolations(scores, [("MT", "LT")], DATASETS, level=0.9)
    with pytest.raises(InputError, match="model own on mean"):
        figure4(scores[scores["model"] != "own"], SHORTCUTS, {}, level=0.9)
    with pytest.raises(InputError, match="sweep ST-OR-OP on ST"):
        triplet_by_dataset(scores, ("ST", "OR", "OP"), level=0.9)
