"""Statistics of a model on data that stays with its owner: what RegMean and Fisher-weighted averaging want to know.

A file is safetensors with what it was collected from in its metadata. Beside a model it takes: for Gram matrices,
four bytes for each entry of each layer's square (BERT-base: 72 encoder layers, 60 of them 768 wide and 12 of them
3,072 wide, 0.6 GB, more than its weights); for a Fisher diagonal, as much as the model in float32.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path, checkpoint_digest
from fuse_to_forget.fusion.card import constituent_names
from fuse_to_forget.fusion.catalog import FISHER, GRAM
from fuse_to_forget.fusion.checkpoint import read_header, read_tensor

FORMAT = "fuse-to-forget statistics 1"  # the one key of the metadata: several are written in no fixed order
COLLECT = "collect the statistics again"


class StoredTensors(Mapping[str, Tensor]):
    """The tensors of one safetensors file, each read when it is asked for and not kept."""

    def __init__(self, file: str | Path) -> None:
        """Read the header; raises InputError if the file is damaged."""
        self._stored = read_header(Path(file))

    def __getitem__(self, name: str) -> Tensor:
        return read_tensor(self._stored[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


@dataclass(frozen=True)
class Statistics:
    """What one model and its data have to say about its weights.

    - `kind`: "gram", (i, i) for the weight of each linear layer with i inputs, or "fisher", the parameter's own shape
    - `tensors`: by the name of the parameter in the model's state dict, float32
    - `examples`, `tokens`: how many they were collected on; padding is no token
    - `settings`: how they were collected; statistics that are used together have the same
    - `left_out`: parameters that could have had statistics and have none
    - `transposed`: weights stored (inputs, outputs), as in transformers' Conv1D
    - `tied`: other names of a parameter in the state dict -> the name it has in `tensors`
    - `model`, `model_digest`: the checkpoint, see `of_model`
    """

    kind: Literal["gram", "fisher"]
    tensors: Mapping[str, Tensor]
    examples: int
    tokens: int
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)
    left_out: Sequence[str] = field(default_factory=list)
    transposed: Sequence[str] = field(default_factory=list)
    tied: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    model_digest: str = ""


def of_model(statistics: Statistics, folder: str | Path) -> Statistics:
    """Return statistics with the name and the digest of the checkpoint that they were collected with."""
    name = constituent_names([Path(folder)])[0]
    return replace(statistics, model=name, model_digest=_weights_digest(folder))


def check_model(statistics: Statistics, folder: str | Path) -> None:
    """Raise InputError unless statistics were collected with the checkpoint in `folder`."""
    if statistics.model_digest != _weights_digest(folder):
        raise InputError(
            f"The statistics are those of {statistics.model or 'an unnamed model'}, not of {folder}, or that "
            f"checkpoint has changed since: {COLLECT}"
        )


def _weights_digest(folder: str | Path) -> str:
    """Digest of the weights alone: what lies beside them may differ from place to place."""
    return checkpoint_digest(sorted(Path(folder).glob("*.safetensors")))


def check_statistics(statistics: Statistics, label: str) -> None:
    """Raise InputError, naming `label`, unless there are finite statistics of at least one example."""
    if statistics.examples < 1 or statistics.tokens < 1 or not statistics.tensors:
        raise InputError(
            f"The statistics of {label} are of {statistics.examples} examples, {statistics.tokens} tokens and "
            f"{len(statistics.tensors)} parameters: {COLLECT} with some of each"
        )
    for name, tensor in statistics.tensors.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise InputError(f"The statistics of {name} of {label} hold NaN or infinite values: {COLLECT}")
        gram = statistics.kind == GRAM
        if gram and (tensor.ndim != 2 or tensor.shape[0] != tensor.shape[1]):
            raise InputError(
                f"The Gram matrix of {name} of {label} has shape {tuple(tensor.shape)}: {COLLECT}"
            )
        if ((tensor.diagonal() if gram else tensor) < 0).any():
            raise InputError(
                f"The statistics of {name} of {label} hold negative mean squares: {COLLECT}, without noise"
            )


def check_together(statistics: Sequence[Statistics], kind: str, models: int) -> None:
    """Raise InputError unless there are good statistics of one `kind`, collected alike, for each of `models` models."""
    if len(statistics) != models:
        raise InputError(
            f"The models are {models} and the statistics {len(statistics)}: give one for each model"
        )
    first = statistics[0]
    for position, own in enumerate(statistics, start=1):
        label = f"model {position}"
        if own.kind != kind:
            raise InputError(
                f"The statistics of {label} are of the kind {own.kind}, not {kind}: collect these"
            )
        if own.settings != first.settings:
            raise InputError(
                f"The statistics of model 1 were collected with {dict(first.settings)}, those of {label} with "
                f"{dict(own.settings)}: collect both alike"
            )
        if different := sorted(own.tensors.keys() ^ first.tensors.keys()):
            raise InputError(
                f"Only one of model 1 and {label} has statistics of {different[0]}: collect them of both"
            )
        check_statistics(own, label)


def write_statistics(statistics: Statistics, file: str | Path) -> None:
    """Write statistics to a safetensors file that appears whole or not at all.

    Raises InputError for what `read_statistics` would refuse.
    """
    check_statistics(statistics, str(file))
    facts = asdict(replace(statistics, tensors={}))
    del facts["tensors"]
    tensors = {name: tensor.float().contiguous().cpu() for name, tensor in statistics.tensors.items()}
    with atomic_path(file) as scratch:
        save_file(tensors, scratch, metadata={FORMAT: json.dumps(facts)})


def read_statistics(file: str | Path) -> Statistics:
    """Read what `write_statistics` wrote.

    Raises InputError if the file is missing, damaged, or of another kind, or holds no finite statistics.
    """
    statistics = open_statistics(file)
    statistics = replace(statistics, tensors=dict(statistics.tensors))
    check_statistics(statistics, str(file))
    return statistics


def open_statistics(file: str | Path) -> Statistics:
    """Return what `write_statistics` wrote, each tensor read when it is asked for; what they hold is not looked at.

    Raises InputError if the file is missing, damaged, or of another kind.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"There are no statistics at {file}: name a file that write_statistics made")
    tensors = StoredTensors(file)
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
        if FORMAT not in metadata:
            raise InputError(f"{file} holds no statistics but other tensors: name a file of statistics")
        statistics = Statistics(tensors=tensors, **json.loads(metadata[FORMAT]))
        sound = _is_sound(statistics)
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        sound = False
    if not sound:
        raise InputError(f"The metadata of {file} are damaged: {COLLECT}")
    return statistics


def _is_sound(statistics: Statistics) -> bool:
    """Whether metadata have the types that they were written with."""
    names = [*statistics.left_out, *statistics.transposed, *statistics.tied.values()]
    return (
        statistics.kind in (GRAM, FISHER)
        and type(statistics.examples) is type(statistics.tokens) is int
        and all(isinstance(text, str) for text in (*names, statistics.model, statistics.model_digest))
        and all(isinstance(mapping, dict) for mapping in (statistics.settings, statistics.tied))
    )


def tied_names(model: torch.nn.Module) -> dict[str, str]:
    """Return the further names of parameters that have several in a state dict -> the first of them."""
    first: dict[Tensor, str] = {}
    tied = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if first.setdefault(parameter, name) != name:
            tied[name] = first[parameter]
    return tied
