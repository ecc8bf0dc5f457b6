"""The mention label of the PAN16 task: did a text mention a user, told from the text without the mention."""

import html
import re

import pandas as pd

# An e-mail address is no mention: there a word character stands before the "@".
MENTION = r"(?<!\w)[@\uff20]\w+"
# What a mention brings along and would betray it: "RT @user:", "via @user", ".@user", "@user's".
MENTION_AND_MARKER = re.compile(
    rf"(?:\b(?:RT|MT|HT|via|cc|h/t)\b[:\s]*|(?<!\S)\.)?{MENTION}(?:['\u2019]s\b)?:?", re.IGNORECASE
)
# The same tidying for texts with and without a mention, so that it does not betray the label.
TIDYING = [
    (re.compile(r"\b(?:RT|MT)\b:?"), " "),
    (re.compile(r"(?<!\w)[@\uff20](?!\w)"), " "),
    (re.compile(r"\(\s*\)|\[\s*\]|\"\s*\"|\u201c\s*\u201d"), " "),
    (re.compile(r"\s+"), " "),
    (re.compile(r"(?<!\S)\( "), "("),
    (re.compile(r" (?=[,.:;!?)](?:\s|$))"), ""),
    (re.compile(r"^(?:[\s:,;.|/\u2013\u2014-]+(?:\s|$))+"), ""),
]


def label_mentions(texts: pd.Series) -> pd.DataFrame:
    """Columns `text` (mentions removed) and `label` (1 had a mention, 0 had none), index as `texts`.

    HTML entities are resolved. Removed with a mention: a retweet or "via" marker before it, a colon or
    possessive after it. Then every text, mentioned or not, is tidied alike: lone retweet markers and lone "@"
    signs, empty brackets, separators that open the text, spaces before punctuation and repeated white space
    go. Texts left without a letter or digit remain as empty strings, for the caller to drop.
    """
    plain = texts.map(html.unescape).astype("str")
    # Kept as plain loops: the pattern needs look-behind, which the Arrow string engine has not.
    mention = re.compile(MENTION)
    labels = [int(mention.search(text) is not None) for text in plain]
    cleaned = [_without_mentions(text) for text in plain]
    return pd.DataFrame({"text": cleaned, "label": labels}, index=texts.index)


def _without_mentions(text: str) -> str:
    text = MENTION_AND_MARKER.sub(" ", text)
    for pattern, replacement in TIDYING:
        text = pattern.sub(replacement, text)
    return text.strip() if re.search(r"\w", text) else ""
