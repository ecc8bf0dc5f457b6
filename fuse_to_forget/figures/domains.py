"""Balanced accuracy in and out of the merged domains, by the number of models that are merged."""

from collections.abc import Sequence
from string import ascii_lowercase

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.figures.style import FAINT, NEUTRAL, Look, draw_curve, explain, percent, use_style
from fuse_to_forget.scoring.domains import GROWTH, IN_DOMAIN, MAIN, MULTI_TASK, NON_IID, OUT_OF_DOMAIN, SINGLE

APART = 0.04  # of two methods' intervals, in models
TITLES = {IN_DOMAIN: "in-domain", OUT_OF_DOMAIN: "out-of-domain"}
# Okabe and Ito with three of Tol's, in the order of the methods
LOOKS = [
    Look("#0072B2", "o"), Look("#D55E00", "s"), Look("#009E73", "^"), Look("#882255", "D"), Look("#E69F00", "v"),
    Look("#56B4E9", "P"), Look("#000000", "X"), Look("#AA4499", "<"), Look("#332288", ">"), Look("#999933", "h"),
]  # fmt: skip


def curves(settings: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are drawn: means over all sets of so many domains; all domains together from growth."""
    rows = settings[(settings["metric"] == MAIN) & (settings["against"] == "")]
    last = rows["models"].max()
    every = rows[~rows["setting"].isin([GROWTH, NON_IID])]
    whole = rows[(rows["setting"] == GROWTH) & (rows["models"] == last) & (every["models"].max() < last)]
    return pd.concat([every, whole], ignore_index=True)


def draw_domains(
    settings: pd.DataFrame, heads: Sequence[str], methods: Sequence[str], *, level: float
) -> Figure:
    """Draw in-domain and out-of-domain balanced accuracy by the number of models, a row of panels for each head.

    Curves of the merging `methods` begin at the mean of single models; that is also drawn for the models of each set
    (dashed), and in-domain the model trained on all domains (dotted). `level` is the coverage of the bands.
    """
    use_style()
    rows = curves(settings)
    figure, panels = plt.subplots(
        len(heads),
        2,
        figsize=(7.0, 2.9 * len(heads) + 0.9),
        squeeze=False,
        layout="constrained",
        sharey="col",
    )
    letters = iter(ascii_lowercase)
    for head, line in zip(heads, panels, strict=True):
        for place, axes in zip(TITLES, line, strict=True):
            shown = rows[(rows["head"] == head) & (rows["where"] == place)]
            _draw(axes, shown, methods)
            axes.set_title(f"({next(letters)}) {TITLES[place]}, {head} head", loc="left", fontsize="medium")
            axes.set_xticks(sorted(rows["models"].unique()))
            axes.set_xlabel("number of models")
        line[0].set_ylabel("balanced accuracy")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    seeds = int(settings["n_seeds"].iloc[0])
    explain(
        figure,
        f"mean over all sets of so many domains; {seeds} seed{'s' * (seeds > 1)}; bands: {percent(level)} intervals",
    )
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    alone = rows[rows["models"] == 1]
    for i, method in enumerate(methods):
        curve = pd.concat([alone, rows[rows["method"] == method]])
        look = LOOKS[i % len(LOOKS)]
        aside = curve["models"] + APART * (i - (len(methods) - 1) / 2)
        x = curve["models"].where(
            curve["models"] == 1, aside
        )  # intervals side by side; all begin at one point
        axes.vlines(x, curve["low"], curve["high"], color=look.color, linewidth=0.9)
        axes.plot(x, curve["value"], color=look.color, marker=look.marker, label=method)
    single = rows[rows["method"] == SINGLE].sort_values("models")
    draw_curve(
        axes, single["models"], single["value"], single["low"], single["high"],
        color=NEUTRAL, marker="", linestyle="--", label="single models, mean",
    )  # fmt: skip
    full = rows[rows["method"] == MULTI_TASK]
    if len(full):  # it has one value, for it is measured on all domains alike
        axes.axhline(full["value"].iloc[-1], color=FAINT, linestyle=":", label="one model of all domains")
