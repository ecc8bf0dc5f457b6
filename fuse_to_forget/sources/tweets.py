"""The embedded tweets: 4,200 tweets of the VADER study (see hutto.py), labelled with whether they had a mention."""

from pathlib import Path

import pandas as pd

from fuse_to_forget.sources.hutto import drop_repeats, read_ground_truth
from fuse_to_forget.sources.mentions import label_mentions


def read_tweets(folder: str | Path) -> pd.DataFrame:
    """Columns `id`, `text` (mentions removed) and `label` (1 had a mention) of the embedded tweets.

    `folder` is additional_resources of the source archive of vaderSentiment 0.5. Tweets left empty are dropped,
    and so is every tweet whose words repeat an earlier tweet's (case and punctuation aside), so that no text can
    be in two splits.

    Raises InputError when the folder does not hold the tweets.
    """
    rows = read_ground_truth(folder, "tweets")
    tweets = label_mentions(rows["text"])
    tweets.insert(0, "id", "tweet:" + rows["number"])
    return drop_repeats(tweets)
