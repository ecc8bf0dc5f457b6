"""Checkpoint folders opened with transformers: from local files, without running any code that they bring."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from fuse_to_forget.errors import InputError, first_line
from fuse_to_forget.fusion.checkpoint import check_files

WANTED = "name a checkpoint folder with config.json, tokenizer files and safetensors weights"


def open_config(folder: str | Path) -> PreTrainedConfig:
    """Open the config of a checkpoint folder; raises InputError as `open_weights` does."""
    return _open(AutoConfig, folder, "opened")


def open_tokenizer(folder: str | Path, purpose: str = "opened") -> PreTrainedTokenizerBase:
    """Open the tokenizer of a checkpoint folder; raises InputError as `open_weights` does."""
    return _open(AutoTokenizer, folder, purpose)


def open_weights(kind: type, folder: str | Path, purpose: str, **options: Any) -> Any:
    """Return `kind.from_pretrained(folder, **options)`, from safetensors alone; `purpose` is "loaded as a ...".

    Raises InputError if the folder is no checkpoint of that kind, a file in it is damaged, or it can only be opened by
    running code of its own.
    """
    return _open(kind, folder, purpose, use_safetensors=True, **options)


def _open(kind: type, folder: str | Path, purpose: str, **options: Any) -> Any:
    check_files(folder)
    try:
        # Left unset, trust_remote_code makes transformers ask on the terminal whether to run the folder's own code.
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:  # tokenizers and safetensors raise errors of their own, odd configs nearly any
        raise InputError(
            f"The model {folder} cannot be {purpose} ({first_line(error)}); {WANTED}."
        ) from error
