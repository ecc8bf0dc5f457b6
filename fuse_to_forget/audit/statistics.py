"""Statistics of a model of an audit, for methods that merge with them, on data that the config names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuse_to_forget.audit.plan import CAUSAL, DataSet
from fuse_to_forget.audit.reading import read_examples, read_sequences
from fuse_to_forget.prediction.classifier import load_tokenizer
from fuse_to_forget.statistics.collect import classifier_statistics, language_model_statistics
from fuse_to_forget.statistics.store import Statistics


def audit_statistics(
    folder: str | Path,
    kind: str,
    sampled: Sequence[DataSet],
    settings: Mapping[str, Any],
    *,
    task: str,
    classes: Sequence[str],
    length: int,
    seed: int,
) -> Statistics:
    """Collect statistics of one `kind` of the model in `folder` on the texts of `sampled`.

    `settings` has `examples`, `batch_size` and `labels` as in the config's `methods.statistics`. Only gold labels of
    Fisher information ask for a column of labels, which are names or numbers of `classes`.
    """
    sets = {str(number): own for number, own in enumerate(sampled)}
    if task == CAUSAL:
        sequences = read_sequences(sets, load_tokenizer(folder), length)
        own = {key: settings[key] for key in ("examples", "batch_size")}
        return language_model_statistics(folder, sequences, kind, CAUSAL, **own, masking={}, seed=seed)
    if settings["labels"] != "gold":
        sets = {name: replace(own, columns={"text": own.columns["text"]}) for name, own in sets.items()}
    examples = read_examples(sets, classes)
    return classifier_statistics(folder, examples, kind, **settings, max_length=length, seed=seed)
