"""The embedded movie-review snippets: 10,605 sentences of the VADER study (see hutto.py), rated for sentiment.

The sentences are from Rotten Tomatoes, as collected by B. Pang and L. Lee.
"""

import html
from pathlib import Path

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.hutto import drop_repeats, read_ground_truth


def read_snippets(folder: str | Path, threshold: float, max_words: int | None = None) -> pd.DataFrame:
    """Columns `id`, `text` and `label` (0 negative, 1 positive) of the embedded snippets.

    `folder` is additional_resources of the source archive of vaderSentiment 0.5. The mean ratings go from -4 to
    4; a snippet rated no further than `threshold` (at least 0) from 0 is dropped as neither, and so is
    one of more than `max_words` words (as split at white space; all are kept if it is None). HTML entities are
    resolved. Of the rest, every snippet whose words repeat an earlier one's is dropped, as in `drop_repeats`.

    Raises InputError when the folder does not hold the snippets, and when one label or both have none left.
    """
    rows = read_ground_truth(folder, "movieReviewSnippets")
    rows = rows[rows["rating"].abs() > threshold]
    texts = rows["text"].map(html.unescape).astype("str").str.strip()
    labels = (rows["rating"] > 0).astype("int64")
    frame = pd.DataFrame({"id": "snippet:" + rows["number"], "text": texts, "label": labels})
    if max_words is not None:
        frame = frame[frame["text"].str.split().str.len() <= max_words]
    frame = drop_repeats(frame)
    for label, name in enumerate(("negative", "positive")):
        if not (frame["label"] == label).any():
            raise InputError(
                f"The threshold {threshold} and max_words {max_words} leave no {name} snippet of {folder}; lower "
                "`threshold` (ratings go from -4 to 4) or raise `max_words` in the source's entry"
            )
    return frame
