"""SST-2: phrases and sentences of movie reviews, negative or positive.

Source: R. Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", EMNLP
2013; as the task SST-2 of A. Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural
Language Understanding", ICLR 2019.
"""

from pathlib import Path

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.tabular import as_strings, checked_texts, read_rows

# Of GLUE's archive, and of stanfordnlp/sst2 on the Hugging Face hub.
LAYOUTS = (
    {"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"},
    {
        "train": "data/train-00000-of-00001.parquet",
        "dev": "data/validation-00000-of-00001.parquet",
        "test": "data/test-00000-of-00001.parquet",
    },
)
COLUMNS = ("sentence", "label")


def read_sst2(folder: str | Path) -> dict[str, pd.DataFrame]:
    """The splits in a folder, each with the columns `id`, `text` and `label` (0 negative, 1 positive).

    The files lie as in one of LAYOUTS; `train` must be there. A test file without labels, or with all of
    them -1, is left out, which is printed. Repeated texts, which are common among the phrases of train, are kept.
    Ids are `sst2/{split}:{row}`, and rows count from 1 below the header.

    Raises InputError when no train is found, and for a file that cannot be read or has no rows, a missing
    column, a label other than 0 and 1, and a missing or empty text.
    """
    folder = Path(folder)
    layout = next((layout for layout in LAYOUTS if (folder / layout["train"]).is_file()), None)
    if layout is None:
        expected = " nor ".join(layout["train"] for layout in LAYOUTS)
        raise InputError(
            f"{folder} holds neither {expected}; give the folder of SST-2 as in GLUE or as on the hub"
        )
    tables = {split: folder / name for split, name in layout.items() if (folder / name).is_file()}
    frames = {split: _read_split(path, split) for split, path in tables.items()}
    return {split: frame for split, frame in frames.items() if frame is not None}


def _read_split(path: Path, split: str) -> pd.DataFrame | None:
    table = read_rows(path)
    labels = as_strings(table["label"]).fillna("") if "label" in table else pd.Series(dtype="str")
    if split == "test" and (labels == "-1").all():
        print(f"Note: {path} has no labels and is left out.", flush=True)
        return None
    for name in COLUMNS:
        if name not in table:
            raise InputError(
                f"{path} has no column {name!r}, only {', '.join(map(repr, table))}; "
                f"SST-2 has the columns {' and '.join(COLUMNS)}"
            )
    wrong = ~labels.isin(["0", "1"]).to_numpy()
    if wrong.any():
        raise InputError(
            f"{path} has the label {labels.iloc[wrong.argmax()][:40]!r} in row {wrong.argmax() + 1}, and "
            f"{wrong.sum()} rows in all whose label is neither 0 nor 1; leave these rows out"
        )
    ids = [f"sst2/{split}:{row}" for row in range(1, len(table) + 1)]
    frame = pd.DataFrame({"id": pd.Series(ids, dtype="str"), "text": checked_texts(path, table["sentence"])})
    return frame.assign(label=labels.astype("int64"))
