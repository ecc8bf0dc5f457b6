"""Training sets of the domain study that are parts of one domain: the non-iid setting of Jin et al. (2023)."""

import numpy as np
import pandas as pd

from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.sources.splits import limit


def non_iid_sample(train: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """Return the `size` rows (or all, if there are fewer) that the two parts share out, in their order."""
    return limit(train, min(size, len(train)), seed)


def skewed_part(sample: pd.DataFrame, part: int, skew: float, seed: int) -> pd.DataFrame:
    """Return part 1 or 2 of a sample: the first holds the share `skew` of one label's rows and 1 - skew of the other's.

    The second holds the rest. Which label is the first part's own, and which rows go where, is drawn by `seed`. Rows
    (columns `label` among them) keep their order; numbers are rounded to the nearest.
    """
    rng = np.random.default_rng(derive_seed(seed, "parts"))
    main = rng.integers(2)
    first = np.zeros(len(sample), dtype=bool)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(sample["label"] == label))
        share = skew if label == main else 1 - skew
        first[rows[: round(share * len(rows))]] = True
    return sample[first if part == 1 else ~first].reset_index(drop=True)
