"""The embedded tweets: 4,200 tweets of the VADER study, labelled with whether they had a mention.

Source: C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text", ICWSM 2014; the data lie in the source archive of the package vaderSentiment 0.5 (MIT).
"""

from pathlib import Path

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.archives import read_member
from fuse_to_forget.sources.mentions import label_mentions

ARCHIVE = "hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/tweets_GroundTruth.txt"


def read_tweets(folder: str | Path) -> pd.DataFrame:
    """Columns `id`, `text` (mentions removed) and `label` (1 had a mention) of the embedded tweets.

    `folder` is additional_resources of the source archive of vaderSentiment 0.5. Tweets left empty are dropped,
    and so is every tweet whose words repeat an earlier tweet's (case and punctuation aside), so that no text can
    be in two splits.

    Raises InputError when the folder does not hold the tweets.
    """
    archive = Path(folder) / ARCHIVE
    if not archive.is_file():
        raise InputError(f"{folder} holds no {ARCHIVE}; delete it and download vaderSentiment 0.5 again")
    return parse_tweets(read_member(archive, MEMBER))


def parse_tweets(content: bytes) -> pd.DataFrame:
    """The tweets of a `*_GroundTruth.txt`: per line a number, a mean rating and the tweet, between tabs.

    This file is UTF-8, unlike its siblings, which are Latin-1.
    """
    lines = content.decode("utf-8").splitlines()
    rows = [line.split("\t", 2) for line in lines if line.strip()]
    tweets = label_mentions(pd.Series([text for _, _, text in rows], dtype="str"))
    tweets.insert(0, "id", [f"tweet:{number}" for number, _, _ in rows])
    words = tweets["text"].str.casefold().str.replace(r"[\W_]+", " ", regex=True).str.strip()
    return tweets[(words != "") & ~words.duplicated()].reset_index(drop=True)
