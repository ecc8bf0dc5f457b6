"""The layout of the PAN author profiling tasks: one XML file per author and a truth file.

Follows the corpora of PAN 2014, 2015 and 2016 (pan.webis.de): a truth line is `id:::gender:::age`, with
gender as M/F or MALE/FEMALE and, in 2015, five personality scores after the age; a `document` element holds
one tweet or post.
"""

import html
import re
from pathlib import Path
from xml.parsers import expat

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.mentions import label_mentions
from fuse_to_forget.sources.tabular import MAX_CHARACTERS

GENDERS = {"m": 0, "male": 0, "f": 1, "female": 1}
AGES = {"18-24": 0, "25-34": 0, "35-49": 1, "50-64": 1, "50-xx": 1, "65-xx": 1, "65-plus": 1}
UNKNOWN_AGE = "xx-xx"
TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")


def find_truth(folder: str | Path) -> Path | None:
    """The truth file of a PAN folder (`truth.txt`, `truth-en.txt` …), or None if there is none."""
    found = sorted(Path(folder).glob("truth*.txt"))
    return found[0] if found else None


def read_pan(folder: str | Path) -> pd.DataFrame:
    """Columns `id`, `text`, `label`, `gender`, `age` and `author`, one row per document.

    `label` is 1 if the document had a mention; mentions are removed (see `label_mentions`), HTML tags too.
    Gender is 0 male, 1 female; age 0 young (18 to 34), 1 old (35 and more). Authors of unknown age and
    documents left empty are skipped and counted in a printed line.

    Raises InputError for a missing or malformed truth file, an author without a file or a file without a
    truth line, and XML that is not well formed, declares a document type, or holds no text at all.
    """
    folder = Path(folder)
    truth = find_truth(folder)
    if truth is None:
        raise InputError(f"{folder} holds no truth.txt; give the folder that has the truth and the XML files")
    authors = _read_truth(truth)
    files = _author_files(folder, truth, authors)
    known = {author: profile for author, profile in authors.items() if profile[1] is not None}
    rows = [
        (f"{author}:{number}", text, gender, age, author)
        for author, (gender, age) in known.items()
        for number, text in enumerate(_read_documents(files[author]), 1)
    ]
    frame = pd.DataFrame(rows, columns=["id", "text", "gender", "age", "author"])
    if rows:
        frame[["text", "label"]] = label_mentions(frame["text"])
    kept = frame[frame["text"] != ""].reset_index(drop=True)
    if kept.empty:
        raise InputError(f"The XML files in {folder} hold no text; download the tweets into them first")
    print(
        f"{folder}: {len(kept)} documents of {kept['author'].nunique()} authors; skipped "
        f"{len(authors) - len(known)} authors of unknown age and {len(frame) - len(kept)} empty documents.",
        flush=True,
    )
    return kept[["id", "text", "label", "gender", "age", "author"]]


def _read_truth(path: Path) -> dict[str, tuple[int, int | None]]:
    """Author -> (gender, age), the age None where it is unknown."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); convert it to UTF-8") from error
    authors: dict[str, tuple[int, int | None]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(":::")]
        age = fields[2].lower() if len(fields) > 2 else ""
        if (
            not fields[0]
            or len(fields) < 3
            or fields[1].lower() not in GENDERS
            or age not in {*AGES, UNKNOWN_AGE}
        ):
            raise InputError(
                f"{path}, line {number}: {line[:60]!r} is no truth line; expected id:::gender:::age with "
                f"gender M, F, MALE or FEMALE and age one of {', '.join(AGES)} or {UNKNOWN_AGE}"
            )
        if fields[0] in authors:
            raise InputError(f"{path}, line {number}: the author {fields[0]!r} occurs twice; remove one line")
        authors[fields[0]] = (GENDERS[fields[1].lower()], AGES.get(age))
    if not authors:
        raise InputError(f"{path} names no author; give the truth file that belongs to the XML files")
    return authors


def _author_files(folder: Path, truth: Path, authors: dict[str, tuple]) -> dict[str, Path]:
    """Author -> XML file, which is named `id.xml` or `id_lang_….xml`."""
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("*.xml")):
        author = path.stem if path.stem in authors else path.stem.split("_")[0]
        if author not in authors:
            raise InputError(f"{path} belongs to no author of {truth}; add its truth line or remove the file")
        if author in files:
            raise InputError(f"{path} and {files[author]} are both of the author {author!r}; remove one")
        files[author] = path
    without = [author for author in authors if author not in files]
    if without:
        raise InputError(
            f"{truth} names {len(without)} authors without an XML file in {folder}, such as {without[0]!r}; "
            "add the files or remove their lines"
        )
    return files


def _read_documents(path: Path) -> list[str]:
    """The plain text of each `document` element of an author's file."""
    collector = _DocumentCollector()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.StartDoctypeDeclHandler = collector.refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise InputError(
            f"{path}, line {error.lineno}: not well-formed XML ({expat.ErrorString(error.code)}); "
            "the file may be cut short, get it again"
        ) from error
    except _DoctypeError as error:
        # Entities that a document type declares can grow a small file without bound.
        raise InputError(
            f"{path} declares a document type, which PAN files never do; it was not read"
        ) from error
    texts = [html.unescape(TAG.sub(" ", text)).strip() for text in collector.documents]
    for number, text in enumerate(texts, 1):
        if len(text) > MAX_CHARACTERS:
            raise InputError(
                f"{path}: document {number} has {len(text)} characters, more than {MAX_CHARACTERS}; "
                "shorten or split it"
            )
    return texts


class _DoctypeError(Exception):
    pass


class _DocumentCollector:
    """Gathers the character data inside `document` elements."""

    def __init__(self) -> None:
        self.documents: list[str] = []
        self.parts: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "document":
            self.parts = []

    def end(self, name: str) -> None:
        if name == "document" and self.parts is not None:
            self.documents.append("".join(self.parts))
            self.parts = None

    def text(self, data: str) -> None:
        if self.parts is not None:
            self.parts.append(data)

    def refuse(self, *declaration: object) -> None:
        raise _DoctypeError
