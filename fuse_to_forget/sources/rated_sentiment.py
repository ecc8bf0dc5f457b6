"""The rated texts of the VADER study (see hutto.py) as sentiment: movie and product reviews, tweets, editorials."""

import html
from pathlib import Path

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.hutto import drop_repeats, read_ground_truth
from fuse_to_forget.sources.source_data import SourceData

LABEL_NAMES = ["negative", "positive"]


def read_rated_sentiment(
    folder: str | Path, file: str, threshold: float, max_words: int | None = None
) -> SourceData:
    """Read the texts of one file as a training split: `id`, `text` and `label`, the sign of the mean rating.

    `folder` is additional_resources of the source archive of vaderSentiment 0.5, `file` what stands before
    `_GroundTruth.txt`. Ratings go from -4 to 4; a text rated no further than `threshold` from 0 is dropped as neither,
    and so is one of more than `max_words` words (None keeps all). HTML entities are resolved; of texts with the same
    words the first is kept. Product reviews and editorials come as sentences, numbered by review or article:
    that is their `author`, which the other files do not have.

    Raises InputError when the folder does not hold the file, and when one label or both have no text left.
    """
    rows = read_ground_truth(folder, file)
    rows = rows[rows["rating"].abs() > threshold]
    frame = pd.DataFrame(
        {
            "id": f"{file}:" + rows["number"],
            "text": rows["text"].map(html.unescape).astype("str").str.strip(),
            "label": (rows["rating"] > 0).astype("int64"),
        }
    )
    if rows["number"].str.contains("_").all():
        frame["author"] = f"{file}:" + rows["number"].str.rpartition("_")[0]
    if max_words is not None:
        frame = frame[frame["text"].str.split().str.len() <= max_words]
    frame = drop_repeats(frame)
    if frame["label"].nunique() < 2:
        raise InputError(
            f"The threshold {threshold} and max_words {max_words} leave no text of one label of {file} in {folder}; "
            "lower `threshold` (ratings go from -4 to 4) or raise `max_words` in the source's entry"
        )
    return SourceData(
        {"train": frame}, {}, LABEL_NAMES, f"{len(frame)} texts of {file} (negative or positive)"
    )
