"""A fused model of an audit as a checkpoint, with a model card that says what it kept and what it forgot."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from safetensors.torch import save_file

from fuse_to_forget.files import atomic_path
from fuse_to_forget.fusion.card import describe_method, model_card
from fuse_to_forget.fusion.catalog import complete_settings, find_method
from fuse_to_forget.fusion.checkpoint import WEIGHTS, load_state_dict, open_checkpoint
from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.fusion.merge import merge_state_dicts
from fuse_to_forget.fusion.writer import copy_companions
from fuse_to_forget.prediction.methods import Constituents, Use
from fuse_to_forget.statistics.store import check_model, read_statistics


def write_fused(
    constituents: Constituents, use: Use, output: str | Path, table: pd.DataFrame, seed: int
) -> None:
    """Write the checkpoint folder that a use of a method makes of the models; it appears whole or not at all.

    `table` holds its rows of `kept_and_forgotten`, for the model card.
    A method that merges with statistics holds all models in memory; the others do as `fuse` does.
    """
    method = find_method(use.method)
    metrics, data = card_metrics(table), _data(table)
    if method.statistics:
        _write_in_memory(constituents, use, Path(output), metrics, data)
        return
    fuse(
        list(constituents.folders.values()),
        output,
        use.coefficients,
        method=use.method,
        base=constituents.base if method.needs_base else None,
        settings=use.settings,
        seed=seed,
        names=list(constituents.folders),
        max_shard_bytes=None,
        data=data,
        metrics=metrics,
        progress=True,
    )


def card_metrics(table: pd.DataFrame) -> dict[str, str]:
    """Return what a model card says of each measure, such as `accuracy on test`: value, interval, and what was kept."""
    metrics = {}
    for row in table.itertuples():
        name = f"{row.metric}{f' ({row.attribute})' if row.attribute else ''} on {row.dataset}"
        text = f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"
        metrics[name] = text if pd.isna(row.kept) else f"{text}, kept {row.kept:.2f}"
    return metrics


def _data(table: pd.DataFrame) -> str:
    sets = table.drop_duplicates("dataset")
    listed = ", ".join(
        f"{name} ({kind})" for name, kind in zip(sets["dataset"], sets["knowledge"], strict=True)
    )
    return (
        f"What the constituents were trained on was not given; this model was measured on {listed}. In the metrics, "
        "*kept* is 0 for the base and 1 for the mean of the constituents that know the set or are biased in the "
        "attribute; in brackets are the ends of bootstrap intervals."
    )


def _write_in_memory(
    constituents: Constituents, use: Use, output: Path, metrics: Mapping[str, str], data: str
) -> None:
    folders, names = list(constituents.folders.values()), list(constituents.folders)
    method, settings = find_method(use.method), complete_settings(use.method, use.settings)
    statistics = [read_statistics(file) for file in constituents.statistics[method.statistics]]
    for own, folder in zip(statistics, folders, strict=True):
        check_model(own, folder)
    merged = merge_state_dicts(
        use.method, [load_state_dict(folder) for folder in folders], coefficients=use.coefficients,
        settings=settings, names=names, statistics=statistics,
    )  # fmt: skip
    first = open_checkpoint(folders[0])
    examples = " and ".join(str(own.examples) for own in statistics)
    described = describe_method(use.method, method.source, settings, None)
    card = model_card(
        names,
        use.coefficients or [1 / len(names)] * len(names),
        Counter(info.dtype for info in first.tensors.values()),
        data=f"{data} The method's {method.statistics} statistics are of {examples} examples.",
        metrics=metrics,
        method=described,
    )
    with atomic_path(output) as scratch:
        scratch.mkdir()
        copy_companions(first, scratch)
        (scratch / "README.md").write_text(card, encoding="utf-8")
        save_file(
            {name: own.contiguous() for name, own in merged.items()}, scratch / WEIGHTS, {"format": "pt"}
        )
