"""The figure of Fisher overlaps by layer: its panels, its curves, and what did not learn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_parts import curve, letters, panels, texts

from fuse_to_forget.figures.fisher_layers import fisher_layers


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def overlaps():
    components = ["all", "head", "layer 10", "layer 2", "embeddings"]
    return pd.DataFrame(
        {
            "pair": pair, "comparison": comparison, "knowledge": what, "component": component,
            "value": value, "low": value - 0.03, "high": value + 0.03, "seed": seed,
            "not_learned": "",
        }
        for pair, comparison in (("TiC-OP", "two models"), ("TiC-ST", "two models"), ("TiC", "two seeds"))
        for what, start in (("shared", 0.7), ("unshared", 0.5), ("difference", 0.2))
        for component, value in zip(components, start + np.arange(5) / 20, strict=True)
        for seed in ("1", "2", "all")
    )  # fmt: skip


def test_fisher_overlaps_run_from_the_embeddings_to_the_head(overlaps):
    figure = fisher_layers(overlaps, level=0.9)
    assert letters(figure) == ["(a)", "(b)", "(c)"]
    for axes in panels(figure):
        ticks = [text.get_text() for text in axes.get_xticklabels()]
        assert ticks == ["emb.", "2", "10", "head", "all"]
        np.testing.assert_allclose(curve(axes, "shared").get_ydata(), [0.9, 0.85, 0.8, 0.75])
        np.testing.assert_allclose(curve(axes, "unshared").get_ydata(), [0.7, 0.65, 0.6, 0.55])
        assert [line.get_ydata()[0] for line in axes.lines if len(line.get_ydata()) == 1] == [0.7, 0.5]
        assert {"shared", "unshared"} <= set(texts(axes))


def test_trainings_that_did_not_learn_are_named(overlaps):
    lacking = overlaps.assign(
        not_learned=np.where(overlaps["comparison"] == "two seeds", "TiC (seed 7)", None)
    )
    found = texts(fisher_layers(lacking, level=0.9))
    assert "(c) TiC, two seeds (not learned: TiC (seed 7))" in " ".join(found).replace("\n", " ")
    assert sum("not learned:" in text for text in found) == 2  # the panel's title and the footnote
    assert not any("not learned" in text for text in texts(fisher_layers(overlaps, level=0.9)))
