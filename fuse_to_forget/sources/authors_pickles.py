"""The PAN16 pickles that the paper's authors trained on (`datasets/pan16-dual/{train,test}.pkl`)."""

from pathlib import Path
from typing import Any

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.restricted_pickle import load_plain_pickle
from fuse_to_forget.sources.tabular import MAX_CHARACTERS


def read_authors_pickle(path: str | Path) -> pd.DataFrame:
    """Columns `id`, `text`, `label`, `gender` (0 male, 1 female) and `age` (0 young, 1 old).

    The file is a list of tuples (ignored, text or list of tokens, label, gender, age). Their label 0 means
    that the tweet had a mention and 1 that it had none; ours is the other way around (1 had a mention), as
    for the other sources. Mentions are already removed in the file. Tokens are joined by spaces.

    Raises InputError when the file is no such pickle or would run code (see `load_plain_pickle`).
    """
    path = Path(path)
    items = load_plain_pickle(path)
    if not isinstance(items, list | tuple) or not items:
        raise InputError(f"{path} does not hold a list of 5-tuples; give the authors' train.pkl or test.pkl")
    rows = [_row(path, number, item) for number, item in enumerate(items, 1)]
    frame = pd.DataFrame(rows, columns=["text", "label", "gender", "age"])
    frame.insert(0, "id", [f"{path.stem}:{number}" for number in range(1, len(rows) + 1)])
    return frame


def _row(path: Path, number: int, item: Any) -> tuple[str, int, int, int]:
    if not isinstance(item, list | tuple) or len(item) != 5:
        raise InputError(
            f"{path}: item {number} is no tuple of 5; expected (ignored, text, label, gender, age)"
        )
    _, text, label, gender, age = item
    if isinstance(text, list | tuple) and all(isinstance(token, str) for token in text):
        text = " ".join(text)
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARACTERS:
        raise InputError(
            f"{path}: the text of item {number} is empty, longer than {MAX_CHARACTERS} characters, or "
            "neither a string nor a list of strings; leave it out or shorten it"
        )
    for name, value in (("label", label), ("gender", gender), ("age", age)):
        if not isinstance(value, int) or value not in (0, 1):
            raise InputError(f"{path}: the {name} of item {number} is {str(value)[:40]!r}; expected 0 or 1")
    return text.strip(), 1 - label, int(gender), int(age)
