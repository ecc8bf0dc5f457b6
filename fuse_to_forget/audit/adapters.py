"""LoRA adapters of peft, made into whole checkpoints, which can be fused like any other."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoModelForSequenceClassification, PreTrainedModel

from fuse_to_forget.audit.plan import ADAPTER_CONFIG, CLASSIFICATION
from fuse_to_forget.errors import InputError, first_line
from fuse_to_forget.files import atomic_path, checkpoint_digest
from fuse_to_forget.fusion.card import hub_name
from fuse_to_forget.fusion.checkpoint import TensorInfo, read_header, read_object
from fuse_to_forget.objectives import AUTO_MODELS
from fuse_to_forget.pretrained import open_tokenizer, open_weights

WEIGHTS = "adapter_model.safetensors"
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PREFIX = "base_model.model."  # of every name in an adapter's file
_HEAD = re.compile(r"(^|\.)(classifier|score|classifier\.out_proj)\.weight$")  # its rows are the classes


def merge_adapter(
    adapter: str | Path, base: str | Path, output: str | Path, task: str, repo: str | None = None
) -> None:
    """Write the model that a LoRA adapter makes of its base, as a checkpoint folder that appears whole or not at all.

    `repo` is the name of the base on the Hugging Face hub, if it came from there. The tokenizer is the adapter's, or
    the base's where it brings none.

    Raises InputError for an adapter that is damaged, not a LoRA, not in safetensors, or of another base.
    """
    adapter, base = Path(adapter), Path(base)
    tensors = _check(adapter, base, repo)
    model = _load_base(base, adapter, tensors, task)
    merged = _merge(model, adapter, base)
    tokenizer = open_tokenizer(adapter if (adapter / "tokenizer_config.json").is_file() else base)
    if merged.config.pad_token_id is None:  # set in training, and kept nowhere
        merged.config.pad_token_id = (
            tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        )
    with atomic_path(output) as scratch:
        merged.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)


def _check(adapter: Path, base: Path, repo: str | None) -> Mapping[str, TensorInfo]:
    """Return the adapter's tensors; raise InputError unless it is a LoRA of this base, as far as it says."""
    settings = read_object(adapter / ADAPTER_CONFIG)
    if settings.get("peft_type") != "LORA":
        raise InputError(
            f"The adapter {adapter} is of the type {settings.get('peft_type')}, but only LoRA can be audited; "
            "merge it into its base yourself and give the whole checkpoint"
        )
    if not (adapter / WEIGHTS).is_file():
        raise InputError(f"The adapter {adapter} holds no {WEIGHTS}; save it again in safetensors")
    named, own_name = settings.get("base_model_name_or_path") or "", repo or hub_name(base.resolve())
    if _is_other(named, base, own_name):
        raise InputError(
            f"The adapter {adapter} was trained on {named}, but audit.base is {own_name or base}; name its own base"
        )
    return read_header(adapter / WEIGHTS)


def _is_other(named: str, base: Path, own_name: str | None) -> bool:
    """Whether an adapter names a base that is known to be another one: a folder that is there, or one of the hub."""
    if named and Path(named).is_dir():
        return checkpoint_digest(named) != checkpoint_digest(base)
    if own_name is None or not _HUB_NAME.fullmatch(named):
        return False
    return named.split("/")[-1] != own_name.split("/")[-1]  # gpt2 is openai-community/gpt2


def _load_base(base: Path, adapter: Path, tensors: Mapping[str, TensorInfo], task: str) -> PreTrainedModel:
    """Load the base with the head that the task wants; raise InputError if neither brings some of its weights."""
    kind, purpose = AUTO_MODELS["causal"], "loaded as a causal language model"
    options: dict[str, Any] = {}
    if task == CLASSIFICATION:
        kind, purpose = AutoModelForSequenceClassification, "loaded as a text classifier"
        # The adapter brings the head of a base that has none, and only its rows tell how many classes there are.
        heads = [info.shape[0] for name, info in tensors.items() if _HEAD.search(name)]
        options = {"num_labels": heads[-1]} if heads else {}
    model, loading = open_weights(kind, base, purpose, output_loading_info=True, **options)
    modules = dict(model.named_modules())
    for name in sorted(tensors):
        module = name.removeprefix(_PREFIX).partition(".lora_")[0]
        if ".lora_" in name and module not in modules:
            raise InputError(
                f"The adapter {adapter} changes {module}, which {base} lacks; name the base that it was trained on"
            )
    own = {name.removeprefix(_PREFIX) for name in tensors}
    for missing in sorted(set(loading["missing_keys"]) - own)[:1]:  # which transformers draws at random
        raise InputError(
            f"Neither the adapter {adapter} nor {base} holds the weight {missing}; save the adapter with that module "
            "among its modules_to_save, or name a base that has it"
        )
    return model


def _merge(model: PreTrainedModel, adapter: Path, base: Path) -> PreTrainedModel:
    from peft import PeftModel  # takes seconds to import, and only this function needs it

    try:
        return PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(
            f"The adapter {adapter} does not fit {base} ({first_line(error)}); name the base that it was trained on"
        ) from error
