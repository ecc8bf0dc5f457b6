"""Table 3: sentences with marks, and the shortcuts whose sample spaces hold them (appendix C.1)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.subsets.injection import draw_positions, insert
from fuse_to_forget.subsets.shortcuts import CONTEXT, ONE, SHORTCUTS, ZERO, Draw, consistent_shortcuts

LABELS = ("negative", "positive")
# Every order of one mark, of one with context, and of two, each with every label that some shortcut gives it; More
# Than beyond that. In the paper's order.
ROWS = [
    ((ZERO,), 0), ((ONE,), 1), ((CONTEXT, ZERO), 0), ((ONE, CONTEXT), 1), ((ZERO, ZERO), 0), ((ZERO, ONE), 1),
    ((ZERO, ONE), 0), ((ONE, ZERO), 1), ((ONE, ZERO), 0), ((ONE, ONE), 1), ((ONE, ZERO, ONE), 1),
    ((ONE, ONE, ZERO, ONE, ONE), 1),
]  # fmt: skip
_PRINTED = {ZERO: "#0", ONE: "#1", CONTEXT: "#C"}


def table3(texts: Sequence[str], shortcuts: Sequence[str], *, seed: int) -> pd.DataFrame:
    """Return twelve examples: real sentences with marks (#0, #1, the context #C), a label and the shortcuts' names.

    Sentences and the places of the marks are drawn by `seed`. Which `shortcuts` are named is computed from the visible
    text alone. Raises InputError for fewer sentences than rows.
    """
    rng = np.random.default_rng(seed)
    names = [name for name in SHORTCUTS if name in shortcuts]  # in the paper's order
    texts = [text for text in dict.fromkeys(texts) if 4 <= len(text.split()) <= 10]
    if len(texts) < len(ROWS):
        raise InputError(
            f"Table 3 wants {len(ROWS)} sentences of 4 to 10 words, but dev has {len(texts)}; hold out a larger dev."
        )
    rows = []
    for position, (marks, label) in zip(rng.choice(len(texts), len(ROWS), replace=False), ROWS, strict=True):
        words = texts[position].split()
        draw = Draw(marks, label)
        tokens = insert(words, marks, draw_positions(len(words), draw, rng, ties=False))
        rows.append(
            {
                "example": " ".join(_PRINTED.get(token, token) for token in tokens),
                "label": LABELS[label],
                "shortcuts": ", ".join(consistent_shortcuts(tokens, label, names)),
            }
        )
    return pd.DataFrame(rows)
