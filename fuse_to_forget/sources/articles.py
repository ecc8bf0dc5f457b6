"""Articles to model the language of: the embedded editorials, CNN/DailyMail, and tables of the user.

A frame of articles has the columns `id` and `text`.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.hutto import drop_repeats, read_ground_truth
from fuse_to_forget.sources.tabular import check_columns, checked_texts, read_rows, row_ids

# Of the data set abisee/cnn_dailymail on the Hugging Face hub, configuration 3.0.0.
CNN_DAILYMAIL = {
    "train": "3.0.0/train-*.parquet",
    "dev": "3.0.0/validation-*.parquet",
    "test": "3.0.0/test-*.parquet",
}
EDITORIALS = "nytEditorialSnippets"


def read_editorials(folder: str | Path) -> pd.DataFrame:
    """The 498 embedded editorials of the New York Times, their sentences joined; see hutto.py for `folder`.

    Raises InputError when the folder does not hold them.
    """
    return _join(read_ground_truth(folder, EDITORIALS), "editorial")


def read_rated_texts(folder: str | Path, names: Sequence[str]) -> pd.DataFrame:
    """Other texts of the same archive, by the names of their files; the sentences of one review are one article.

    Raises InputError when the folder does not hold one of them.
    """
    frames = [_join(read_ground_truth(folder, name), name) for name in names]
    return drop_repeats(pd.concat(frames, ignore_index=True))


def _join(rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Join rows that are numbered {article}_{sentence}; a number without a sentence is an article of its own."""
    article = rows["number"].str.split("_").str[0]
    texts = rows["text"].str.strip().groupby(article, sort=False).agg(" ".join)
    return pd.DataFrame({"id": f"{prefix}:" + texts.index, "text": texts.to_numpy()}).astype("str")


def read_article_table(
    path: str | Path, columns: dict[str, str | None], id_prefix: str | None = None
) -> pd.DataFrame:
    """Articles of a CSV, TSV, JSON lines or parquet file; `columns` names the columns of `text` and maybe of `id`.

    Ids default to {id_prefix}:{row} as in `read_columns`. Raises InputError for a file that cannot be read or has no
    rows, a missing column, an id that occurs twice, and a text that is missing, empty or of over 100,000 characters.
    """
    path = Path(path)
    roles = {role: name for role, name in columns.items() if name is not None}
    table = read_rows(path)
    check_columns(path, table, roles)
    ids = row_ids(path, table, roles, id_prefix)
    return pd.DataFrame({"id": ids, "text": checked_texts(path, table[roles["text"]])})


def read_cnn_dailymail(folder: str | Path) -> dict[str, pd.DataFrame]:
    """The splits train, dev and test of CNN/DailyMail 3.0.0, as a folder holds them that the hub gave out.

    Source: R. Nallapati et al., "Abstractive Text Summarization using Sequence-to-Sequence RNNs and Beyond", CoNLL
    2016. The few texts without a word are left out.

    Raises InputError when files are missing or damaged.
    """
    folder = Path(folder)
    splits = {}
    for split, pattern in CNN_DAILYMAIL.items():
        files = sorted(folder.glob(pattern))
        if not files:
            raise InputError(
                f"{folder} holds no {pattern}; give the folder of abisee/cnn_dailymail as on the hub"
            )
        try:
            table = pa.concat_tables([pq.read_table(file, columns=["id", "article"]) for file in files])
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{files[0].parent} holds a damaged {pattern} ({error}); download it again"
            ) from error
        frame = table.to_pandas().rename(columns={"article": "text"})
        splits[split] = frame[frame["text"].str.strip() != ""].reset_index(drop=True)
    return splits
