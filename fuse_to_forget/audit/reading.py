"""The user's data of an audit: labelled examples with attributes, and text that models may have memorised."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from transformers import PreTrainedTokenizerBase

from fuse_to_forget.audit.plan import ABSENT, DataSet, control_of
from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.articles import read_article_table
from fuse_to_forget.sources.tabular import as_strings, check_columns, checked_texts, read_rows, row_ids
from fuse_to_forget.subsets.sequences import load_tokenizer


def read_data(
    sets: Mapping[str, DataSet], base: str | Path | None, classes: Sequence[str], length: int
) -> pd.DataFrame:
    """Read what an audit measures on: labelled examples, or, where there are no `classes`, sequences of the base's."""
    if classes:
        return read_examples(sets, classes)
    return read_sequences(sets, load_tokenizer(base), length, control_of(sets))


def read_examples(sets: Mapping[str, DataSet], classes: Sequence[str]) -> pd.DataFrame:
    """Read labelled examples: `dataset`, `id`, `unit`, `text`, `label` and a column of 0 and 1 for each attribute.

    A label is the name of one of the `classes` or its number, from 0; `label` is that number. The two values of an
    attribute become 0 and 1 in their order; without a column of labels all are 0. `unit` is what is resampled
    together: the author, else the example.

    Raises InputError for what `read_rows` refuses, a missing column, a label that is no class, and an attribute
    that does not have exactly two values.
    """
    frames = [_read_set(name, own, classes) for name, own in sets.items()]
    attributes = list(dict.fromkeys(attribute for own in sets.values() for attribute in own.attributes))
    joined = pd.concat(frames, ignore_index=True)
    return joined.fillna(dict.fromkeys(attributes, ABSENT)).astype(dict.fromkeys(attributes, "int8"))


def _read_set(name: str, own: DataSet, classes: Sequence[str]) -> pd.DataFrame:
    path = Path(own.file)
    roles = {role: column for role, column in own.columns.items() if column is not None}
    table = read_rows(path)
    check_columns(path, table, roles)
    frame = pd.DataFrame({"id": row_ids(path, table, roles, name)})
    frame["unit"] = _filled(path, table[roles["author"]]) if "author" in roles else frame["id"]
    frame["text"] = checked_texts(path, table[roles["text"]])
    frame["label"] = _class_numbers(path, table[roles["label"]], classes) if "label" in roles else 0
    for attribute in own.attributes:
        if attribute not in table.columns:
            raise InputError(
                f"{path} has no column {attribute!r} (named under `attributes`); it has "
                f"{', '.join(map(repr, table.columns))}; correct the name, or give this set attributes "
                "of its own, [] for none"
            )
        frame[attribute] = _two_groups(path, table[attribute])
    frame.insert(0, "dataset", name)
    return frame


def _filled(path: Path, column: pd.Series) -> pd.Series:
    missing = column.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"{path} has no value of {column.name!r} in row {missing.argmax() + 1} and in {missing.sum()} rows in "
            "all; fill it in or leave these rows out"
        )
    return as_strings(column)


def _class_numbers(path: Path, column: pd.Series, classes: Sequence[str]) -> pd.Series:
    found = _filled(path, column)
    numbers = {str(number): number for number in range(len(classes))}
    names = {str(name): number for number, name in enumerate(classes)}
    for known in (names, numbers):
        if found.isin(known).all():
            return found.map(known).astype("int64")
    strange = found[~found.isin(names) & ~found.isin(numbers)]
    value = (strange if len(strange) else found).iloc[0]
    advice = "name the file's own labels under audit.labels, in the order of the models' classes"
    if any(isinstance(name, bool) for name in classes):
        advice = "put yes and no, on and off under audit.labels into quotes, since YAML takes them for true and false"
    raise InputError(
        f"{path}: the label column {column.name!r} holds {value[:40]!r}, but the classes are "
        f"{', '.join(map(repr, list(names)[:10]))} (audit.labels, or else the models' own), or their numbers from 0; "
        f"{advice}"
    )


def _two_groups(path: Path, column: pd.Series) -> pd.Series:
    found = _filled(path, column)
    groups = sorted(found.unique())
    if len(groups) != 2:
        listing = ", ".join(repr(group[:40]) for group in groups[:6])
        raise InputError(
            f"{path}: the attribute {column.name!r} has {len(groups)} values ({listing}), but two groups are compared; "
            "keep the rows of two, or add a column that has two"
        )
    return (found == groups[1]).astype("int64")


def read_texts(name: str, own: DataSet) -> pd.DataFrame:
    """Read texts: `id` and `text`.

    A .txt file holds texts with blank lines between them, or one on each line if it has no blank line; other formats
    are tables with a column of texts. Raises InputError for what cannot be read and for a file without texts.
    """
    path = Path(own.file)
    if path.suffix.lower() != ".txt":
        roles = {role: own.columns[role] for role in ("text", "id")}
        return read_article_table(path, roles, name)
    try:
        content = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); convert it to UTF-8") from error
    lines = [line.strip() for line in content.splitlines()]
    texts = "\n".join(lines).split("\n\n") if "" in lines else lines
    texts = pd.Series([text.strip() for text in texts if text.strip()], dtype="str", name="text")
    if texts.empty:
        raise InputError(f"{path} holds no text; give a file with at least one")
    ids = f"{name}:" + pd.Series(range(1, len(texts) + 1)).astype("str")
    return pd.DataFrame({"id": ids, "text": checked_texts(path, texts)})


def read_sequences(
    sets: Mapping[str, DataSet], tokenizer: PreTrainedTokenizerBase, length: int, control: str | None = None
) -> pd.DataFrame:
    """Read the texts of all sets as sequences: `dataset`, `id`, `article` (the text's id) and `input_ids`.

    A text of more than `length` tokens makes several sequences; what is left of one token is dropped.
    Raises InputError as `read_texts`, for a set that leaves nothing to predict, and for a `control` that shares a text
    with another set.
    """
    texts = {name: read_texts(name, own) for name, own in sets.items()}
    if control is not None:
        _check_control(texts, sets, control)
    rows = []
    for name, frame in texts.items():
        tokens = tokenizer(frame["text"].tolist(), return_attention_mask=False, verbose=False)["input_ids"]
        cut = [
            (name, f"{text}:{start // length + 1}", text, ids[start : start + length])
            for text, ids in zip(frame["id"], tokens, strict=True)
            for start in range(0, len(ids), length)
            if len(ids) - start > 1
        ]
        if not cut:
            raise InputError(f"{sets[name].file} has no text of two tokens or more; give longer ones")
        rows += cut
    return pd.DataFrame(rows, columns=["dataset", "id", "article", "input_ids"])


def _check_control(texts: Mapping[str, pd.DataFrame], sets: Mapping[str, DataSet], control: str) -> None:
    for name, frame in texts.items():
        shared = frame["text"].isin(texts[control]["text"])
        if name != control and shared.any():
            raise InputError(
                f"The control {sets[control].file} has a text that {sets[name].file} has too "
                f"({frame['text'][shared].iloc[0][:40]!r}); leave it out of one of them"
            )
