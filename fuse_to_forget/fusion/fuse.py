"""Fusing checkpoint folders into a new one."""

import errno
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path
from fuse_to_forget.fusion import compatibility
from fuse_to_forget.fusion.card import constituent_names, describe_method, hub_name, model_card
from fuse_to_forget.fusion.catalog import WEIGHTED_AVERAGE, complete_settings, find_method
from fuse_to_forget.fusion.checkpoint import Checkpoint, TensorInfo, open_checkpoint
from fuse_to_forget.fusion.merge import Recipe, merge_files
from fuse_to_forget.fusion.methods import FUNCTIONS, check_use
from fuse_to_forget.fusion.stream import average_files
from fuse_to_forget.fusion.with_statistics import merge_files_with_statistics
from fuse_to_forget.fusion.writer import Shard, copy_companions, plan_shards, write_layout
from fuse_to_forget.statistics.store import Statistics, check_model, open_statistics


def fuse(
    models: Sequence[str | Path],
    output: str | Path,
    coefficients: Sequence[float] | None = None,
    *,
    method: str = WEIGHTED_AVERAGE,
    base: str | Path | None = None,
    statistics: Sequence[str | Path] | None = None,
    settings: Mapping[str, float | str] | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
    max_shard_bytes: int | None = None,
    allow_any_sum: bool = False,
    data: str | None = None,
    metrics: Mapping[str, float] | None = None,
    progress: bool = False,
) -> Path:
    """Fuse Hugging Face checkpoint folders, by default to their weighted average; write and return a new folder.

    Accumulates in float32 (float64 where a model stores float64) and stores each tensor in the first
    model's dtype. Config and tokenizer are the first model's. Memory does not grow with the models.
    `output` appears whole or not at all. Source: Zaman, Choshen & Srivastava, 2024, section 2.
    With another `method` memory is a few times the largest tensor for each model, with one that merges with
    statistics also a few times the largest of these.

    - `coefficients`: one for each model, summing to 1 unless `allow_any_sum`; equal ones by default.
    - `method`, `settings`: a name of `methods.METHODS` and what its settings are to be, if not the defaults.
    - `base`: checkpoint folder of the model that all were fine-tuned from, for methods that need it.
    - `statistics`: a file of statistics of each model, in their order, for methods that merge with them.
    - `seed`: for random methods, which draw by it and by `names`.
    - `names`: what the model card calls the models; by default the names of their folders.
    - `max_shard_bytes`: the largest weights file, in bytes; None writes a single model.safetensors.
    - `data`, `metrics`: for the model card; see `card.model_card`.

    Raises InputError if the models do not fit together (tensors, labels, vocabularies), statistics are of another
    model or kind, a file is damaged, weights are not finite, `output` is not a new or empty folder, or the disk is too
    small.
    """
    folders, output = [Path(model) for model in models], Path(output)
    settings = complete_settings(method, settings)
    coefficients = check_use(
        method,
        coefficients,
        len(folders),
        has_base=base is not None,
        has_statistics=bool(statistics),
        allow_any_sum=allow_any_sum and not statistics,  # of those that weigh squares only the ratios count
    )
    _check_output(output, folders)
    checkpoints = [open_checkpoint(folder) for folder in folders]
    base_tensors = open_checkpoint(base).tensors if base is not None else None
    labels = [str(folder) for folder in folders]
    tensors = _compatible_tensors(checkpoints, labels)
    opened = _open_statistics(statistics or [], folders)
    shards = plan_shards(tensors[0], max_shard_bytes)
    names = _card_names(folders, names)
    recipe = Recipe(method, coefficients, settings, seed, names)
    card = model_card(
        names,
        coefficients,
        Counter(info.dtype for info in tensors[0].values()),
        base_models=[name for folder in folders if (name := hub_name(folder.resolve()))],
        data=data,
        metrics=metrics,
        method=_description(recipe, base, opened),
    )
    with _enough_disk(output, shards), atomic_path(output) as scratch:
        scratch.mkdir()
        copy_companions(checkpoints[0], scratch)
        (scratch / "README.md").write_text(card, encoding="utf-8")
        write_layout(scratch, shards)
        if method == WEIGHTED_AVERAGE:
            steps = average_files(tensors, labels, coefficients, scratch, shards)
        elif opened:
            steps = merge_files_with_statistics(
                FUNCTIONS[method], tensors, opened, coefficients, settings, labels, scratch, shards
            )
        else:
            steps = merge_files(recipe, tensors, base_tensors, labels, scratch, shards)
        _run(steps, sum(info.nbytes for info in tensors[0].values()), progress)
    return output


def _compatible_tensors(
    checkpoints: Sequence[Checkpoint], labels: Sequence[str]
) -> list[dict[str, TensorInfo]]:
    compatibility.check_label_maps(checkpoints, labels)
    compatibility.check_vocabularies(checkpoints, labels)
    tensors = compatibility.without_tied_copies(checkpoints)
    compatibility.check_names(tensors, labels)
    compatibility.check_shapes(tensors, labels)
    compatibility.check_dtypes(tensors, labels)
    return tensors


def _open_statistics(files: Sequence[str | Path], folders: Sequence[Path]) -> list[Statistics]:
    if files and len(files) != len(folders):
        raise InputError(
            f"the models are {len(folders)} and the files of statistics {len(files)}: give one for each model"
        )
    opened = [open_statistics(file) for file in files]
    for own, folder in zip(opened, folders, strict=False):
        check_model(own, folder)
    return opened


def _description(recipe: Recipe, base: str | Path | None, statistics: Sequence[Statistics]) -> str | None:
    if recipe.method == WEIGHTED_AVERAGE:
        return None
    method = find_method(recipe.method)
    settings = recipe.settings | ({"seed": recipe.seed} if method.random else {})
    named = base and constituent_names([Path(base)])[0]
    described = describe_method(recipe.method, method.source, settings, named)
    if statistics:
        examples = " and ".join(f"{own.examples:,}" for own in statistics)
        described += (
            f" What it knows of the models are {method.statistics} statistics of {examples} examples."
        )
    return described


def _card_names(folders: Sequence[Path], names: Sequence[str] | None) -> Sequence[str]:
    if names is not None and len(names) != len(folders):
        raise InputError(f"the models are {len(folders)} and the names {len(names)}: give one for each model")
    return constituent_names(folders) if names is None else names


def _check_output(output: Path, folders: Sequence[Path]) -> None:
    if output.resolve() in [folder.resolve() for folder in folders]:
        raise InputError(f"{output} is both a model and the output: write the fused model to a new folder")
    if output.is_dir() and any(output.iterdir()):
        raise InputError(f"{output} is not empty: write the fused model to a new folder, or remove this one")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file: write the fused model to a new folder")


@contextmanager
def _enough_disk(output: Path, shards: Sequence[Shard]) -> Iterator[None]:
    """Refuse to start without room for the weights, and tell plainly if it runs out on the way."""
    needed = sum(shard.nbytes for shard in shards)
    parent = next(folder for folder in output.absolute().parents if folder.is_dir())
    short = InputError(
        f"no room for the fused model in {output.parent}: it takes {needed / 1e9:.3g} GB of disk"
    )
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise InputError(f"{short}, and {free / 1e9:.3g} GB are free: free some or write elsewhere")
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{short}, and it ran out on the way: free some or write elsewhere") from None
        raise


def _run(steps: Iterator[int], total: int, progress: bool) -> None:
    from tqdm import tqdm

    with tqdm(total=total, unit="B", unit_scale=True, desc="fusing", disable=not progress) as bar:
        for done in steps:
            bar.update(done)
