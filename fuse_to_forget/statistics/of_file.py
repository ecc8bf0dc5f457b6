"""Statistics of a model on a file of texts, so that whoever owns the texts can hand on statistics instead."""

from pathlib import Path

from fuse_to_forget.audit.plan import CAUSAL, CLASSIFICATION, DataSet
from fuse_to_forget.audit.statistics import audit_statistics
from fuse_to_forget.errors import InputError
from fuse_to_forget.pretrained import open_config
from fuse_to_forget.statistics.store import Statistics
from fuse_to_forget.subsets.sequences import context_length

LONGEST = 512  # tokens of a text, if nothing else is said


def statistics_of_file(
    folder: str | Path,
    file: str | Path,
    kind: str,
    *,
    text_column: str,
    label_column: str | None,
    examples: int | None,
    batch_size: int,
    max_length: int | None,
    seed: int,
) -> Statistics:
    """Return statistics of one `kind` (gram, fisher) of a text classifier or a causal language model.

    Labels are names or numbers of the classifier's classes. Without a column of them Fisher information is that of the
    labels that the model expects. A language model's Fisher information is that of the tokens that are there.
    `examples` of the file, drawn by `seed`, are used, or all.

    Raises InputError for a folder that holds no such model, a file that cannot be read, and columns or labels that
    there are not.
    """
    config = open_config(folder)
    named = " ".join(config.architectures or [])
    task = CLASSIFICATION if named.endswith("ForSequenceClassification") else CAUSAL
    context = context_length(config)
    if max_length is not None and max_length > context:
        raise InputError(
            f"The longest text is to have {max_length} tokens, but the context of {folder} is {context}"
        )
    gold = label_column is not None and kind == "fisher"
    columns = {"text": text_column, "id": None} | ({"label": label_column} if gold else {})
    return audit_statistics(
        folder,
        kind,
        [DataSet(str(file), columns, [])],
        {"examples": examples, "batch_size": batch_size, "labels": "gold" if gold else "expected"},
        task=task,
        classes=[config.id2label[number] for number in range(config.num_labels)],
        length=max_length or min(context, LONGEST),
        seed=seed,
    )
