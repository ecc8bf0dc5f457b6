"""Table 4: overlap of the Fisher information of two models (appendix D.2), with reference points."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from fuse_to_forget.scoring.scores import ALL_SEEDS

KEYS = ["pair", "comparison", "knowledge", "component"]
KNOWLEDGE = ["shared", "unshared", "difference"]


def overlaps_over_seeds(overlaps: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add rows with seed `all`: the mean over seeds, its interval over examples and seeds.

    `overlaps` has the columns KEYS, `value, low, high, seed`, trace shares and `not_learned` (models, or empty). The
    variance of the mean is that of the examples, which all seeds share and which therefore does not shrink with their
    number, plus that between seeds over their number. With one seed the interval is its own.
    """
    overlaps = overlaps.fillna({"not_learned": ""})
    half = norm.ppf((1 + level) / 2)
    rows = []
    for key, part in overlaps.groupby(KEYS, sort=False):
        value, seeds = part["value"].mean(), len(part)
        low, high = part["low"].iloc[0], part["high"].iloc[0]
        if seeds > 1:
            of_examples = ((part["high"] - part["low"]) / (2 * half)) ** 2
            error = np.sqrt(of_examples.mean() + part["value"].var(ddof=1) / seeds)
            low, high = value - half * error, value + half * error
        shares = part[["first_trace_share", "second_trace_share"]].mean().to_dict()
        rows.append(
            dict(zip(KEYS, key, strict=True))
            | {"value": value, "low": low, "high": high, "seed": ALL_SEEDS}
            | shares
            | {"not_learned": ", ".join(dict.fromkeys(filter(None, part["not_learned"])))}
        )
    every = pd.concat([overlaps.assign(seed=overlaps["seed"].astype(str)), pd.DataFrame(rows)])
    return every.reset_index(drop=True)


def table4(overlaps: pd.DataFrame) -> pd.DataFrame:
    """Lay out Table 4 from what `overlaps_over_seeds` returns: one row per pair, the references below.

    `shared` and `unshared` are the overlaps of all weights, 0 (disjoint) to 1 (identical); `difference` is shared -
    unshared. In the rows `two seeds` and `one model` these are reference points, see `compare_models`. `not_learned`
    names those trainings that did not learn their shortcut.
    """
    rows = []
    n_seeds = overlaps.loc[overlaps["seed"] != ALL_SEEDS, "seed"].nunique()
    whole = overlaps[(overlaps["component"] == "all") & (overlaps["seed"] == ALL_SEEDS)]
    for (pair, comparison), part in whole.groupby(["pair", "comparison"], sort=False):
        cells = part.set_index("knowledge")
        row = {"pair": pair, "comparison": comparison}
        row |= {name: cells.loc[name, "value"] for name in KNOWLEDGE}
        row |= {f"{name}_{end}": cells.loc[name, end] for name in KNOWLEDGE for end in ("low", "high")}
        rows.append(row | {"not_learned": cells["not_learned"].iloc[0], "n_seeds": n_seeds})
    return pd.DataFrame(rows)
