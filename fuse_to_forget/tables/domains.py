"""The domain table: merged models in the domains that their parts were trained on, and in others."""

import pandas as pd

from fuse_to_forget.scoring.domains import IN_DOMAIN, MAIN, OUT_OF_DOMAIN

PLACES = (IN_DOMAIN, OUT_OF_DOMAIN)
KEYS = ["setting", "head", "models", "method", "merged"]


def domain_table(settings: pd.DataFrame, average: str) -> pd.DataFrame:
    """Lay out one row per setting, head, number of models and method, from what `score_settings` returns.

    `in_domain` and `out_of_domain` are balanced accuracies, `*_gain` what they are above those of the plain average
    (the method `average`) in the same setting, `*_accuracy` plain accuracies; each with its interval. Then `merged`,
    the domains in the order in which greedy growth merged them, and `n_seeds`.
    """
    columns = {}
    for suffix, metric, against in (("", MAIN, ""), ("_gain", MAIN, average), ("_accuracy", "accuracy", "")):
        chosen = settings[(settings["metric"] == metric) & (settings["against"] == against)]
        for place in PLACES:
            cells = chosen[chosen["where"] == place].set_index(KEYS)
            for end in ("value", "low", "high"):
                name = f"{place}{suffix}" + ("" if end == "value" else f"_{end}")
                columns[name] = cells[end]
    order = pd.MultiIndex.from_frame(settings[KEYS].drop_duplicates())
    table = pd.DataFrame(columns).reindex(order).reset_index()
    ends = [name for name in columns if name.endswith(("_low", "_high"))]
    values = [name for name in columns if name not in ends]
    table = table[[*KEYS[:-1], *values, *ends, "merged"]]
    return table.assign(n_seeds=settings["n_seeds"].iloc[0])
