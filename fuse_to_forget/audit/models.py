"""Whether checkpoints can be audited together, told before any of their weights is read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import PreTrainedConfig

from fuse_to_forget.audit.plan import ADAPTER_CONFIG, CAUSAL
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion import compatibility
from fuse_to_forget.fusion.checkpoint import Checkpoint, open_checkpoint
from fuse_to_forget.objectives import check_objective
from fuse_to_forget.pretrained import open_config
from fuse_to_forget.subsets.sequences import context_length


def check_models(
    folders: Mapping[str, str | Path],
    base: str | Path | None,
    task: str,
    length: int,
    names: Sequence[str] | None = None,
) -> list[str]:
    """Return the names of the classes that the models tell apart, or those given instead; none of language models.

    Raises InputError for models of different architectures, sizes, classes or vocabularies, for a base with another
    vocabulary or architecture, for what is no model of the task, and for a `length` (tokens) beyond their context.
    """
    opened = {name: _open(folder) for name, folder in folders.items()}
    checkpoints, labels = list(opened.values()), [str(folder) for folder in folders.values()]
    _check_architectures(checkpoints, labels)
    compatibility.check_label_maps(checkpoints, labels)
    compatibility.check_vocabularies(checkpoints, labels)
    compatibility.check_names([own.tensors for own in checkpoints], labels)
    compatibility.check_shapes([own.tensors for own in checkpoints], labels)
    config = open_config(labels[0])
    if length > context_length(config):
        raise InputError(
            f"The config wants texts of {length} tokens in audit.length, but the models' context is "
            f"{context_length(config)}; lower it"
        )
    if base is not None:
        _check_base(checkpoints[0], labels[0], base)
    if task == CAUSAL:
        for folder in (base, *labels):
            check_objective(open_config(folder), "causal", folder)
        return []
    _check_classifiers(checkpoints, labels, config)
    if names is not None and len(names) != config.num_labels:
        raise InputError(
            f"The config names {len(names)} classes in audit.labels, but the models have {config.num_labels}; name each"
        )
    return list(names or (config.id2label[number] for number in range(config.num_labels)))


def _check_classifiers(checkpoints: list[Checkpoint], labels: list[str], config: PreTrainedConfig) -> None:
    for own, label in zip(checkpoints, labels, strict=True):
        named = " ".join(own.config.get("architectures") or [])
        if not named.endswith("ForSequenceClassification"):
            raise InputError(
                f"The model {label} is no text classifier ({named or 'its config names no architecture'})"
            )
    if config.pad_token_id is None:
        raise InputError(
            f"The config of {labels[0]} names no pad_token_id, so that texts of different lengths cannot be classified "
            "together; set it as in training, in each model's config.json"
        )


def _open(folder: str | Path) -> Checkpoint:
    if (Path(folder) / ADAPTER_CONFIG).is_file() and not (Path(folder) / "config.json").is_file():
        raise InputError(f"{folder} is an adapter; say adapter: true beside its repo and revision")
    checkpoint = open_checkpoint(folder)
    if not checkpoint.config:
        raise InputError(
            f"{folder} has no config.json; give a folder that transformers' save_pretrained wrote"
        )
    return checkpoint


def _check_architectures(checkpoints: list[Checkpoint], labels: list[str]) -> None:
    kinds = [
        (own.config.get("model_type"), tuple(own.config.get("architectures") or ())) for own in checkpoints
    ]
    for kind, label in zip(kinds, labels, strict=True):
        if kind != kinds[0]:
            raise InputError(
                f"{labels[0]} is of the architecture {_kind(kinds[0])} and {label} of {_kind(kind)}; "
                "audit models of one architecture"
            )


def _kind(kind: tuple[str | None, tuple[str, ...]]) -> str:
    return f"{kind[0]} ({', '.join(kind[1])})"


def _check_base(first: Checkpoint, label: str, base: str | Path) -> None:
    own = _open(base)
    if own.config.get("model_type") != first.config.get("model_type"):
        raise InputError(
            f"audit.base, {base}, is of the architecture {own.config.get('model_type')} and {label} of "
            f"{first.config.get('model_type')}; name the model that these were fine-tuned from"
        )
    compatibility.check_vocabularies([own, first], [str(base), label])
