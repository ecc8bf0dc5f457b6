"""The rated texts of the VADER study, in the source archive of the package vaderSentiment 0.5 (MIT).

Source: C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text", ICWSM 2014.
"""

from pathlib import Path

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.archives import read_member

ARCHIVE = "hutto_ICWSM_2014.tar.gz"


def read_ground_truth(folder: str | Path, name: str) -> pd.DataFrame:
    """Columns `number` (a string), `rating` (mean of 20 raters and more, -4 to 4) and `text`, as in the file.

    `folder` is additional_resources of the archive, `name` what stands before `_GroundTruth.txt`: a UTF-8
    file with these three in each line, between tabs.

    Raises InputError when the folder does not hold the file, or a line is not of that form.
    """
    archive = Path(folder) / ARCHIVE
    advice = f"delete the folder {folder} and run the workflow again, which downloads vaderSentiment 0.5"
    if not archive.is_file():
        raise InputError(f"{folder} holds no {ARCHIVE}; {advice}")
    content = read_member(archive, f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
    try:
        fields = [line.split("\t", 2) for line in content.decode("utf-8").splitlines() if line.strip()]
        rows = [(number, float(rating), text) for number, rating, text in fields]
    except ValueError as error:
        raise InputError(f"{archive} holds a damaged {name}_GroundTruth.txt ({error}); {advice}") from error
    frame = pd.DataFrame(rows, columns=["number", "rating", "text"])
    return frame.astype({"number": "str", "rating": "float64", "text": "str"})


def drop_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out texts without a word, and texts whose words repeat an earlier one's.

    Case and punctuation aside, so that no text can be in two splits. Rows count anew from 0.
    """
    words = frame["text"].str.casefold().str.replace(r"[\W_]+", " ", regex=True).str.strip()
    return frame[(words != "") & ~words.duplicated()].reset_index(drop=True)
