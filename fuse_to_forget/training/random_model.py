"""A random model at the distance of fine-tuned ones from their base (paper, appendix C.2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, set_seed

from fuse_to_forget.files import atomic_path
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.compatibility import check_names, check_shapes
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.training.base import load_base


def random_weights(
    base: Mapping[str, Tensor], models: Sequence[Mapping[str, Tensor]], fresh: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return base + d R / ||R|| for each tensor, with R freshly initialised and d the mean of ||model - base||.

    Norms are Frobenius norms of single tensors, so each layer is as far from its base as the models' are. A tensor
    that is zero when fresh (a bias) stays at its base. float32 throughout; integer buffers are the base's.
    """
    result = {}
    for name, start in base.items():
        if not start.is_floating_point():
            result[name] = start.clone()
            continue
        start, direction = start.float(), fresh[name].float()
        distance = torch.stack([(model[name].float() - start).norm() for model in models]).mean()
        result[name] = start + distance * direction / direction.norm().clamp(min=1e-12)
    return result


def draw_random_model(
    base_model: str | Path,
    folders: Sequence[str | Path],
    output: str | Path,
    *,
    label_names: Sequence[str],
    new_tokens: Sequence[str],
    seed: int,
) -> None:
    """Write a random checkpoint at `output` that is as far from `base_model` as the checkpoints in `folders` are.

    Head and new rows of the base, which training would have drawn, are drawn by `seed`; so is the direction. Raises
    InputError if the base is no classifier or the checkpoints do not fit it.
    """
    tokenizer, base = load_base(base_model, label_names, new_tokens, seed=derive_seed(seed, "base"))
    set_seed(derive_seed(seed, "direction"))
    fresh = AutoModelForSequenceClassification.from_config(base.config)
    models = [load_state_dict(folder) for folder in folders]
    states = [base.state_dict(), *models]
    labels = [str(base_model), *map(str, folders)]
    check_names(states, labels)
    check_shapes(states, labels)
    base.load_state_dict(random_weights(base.state_dict(), models, fresh.state_dict()))
    with atomic_path(output) as scratch:
        base.save_pretrained(scratch, max_shard_size="1000GB")  # one file: the workflow names it
        tokenizer.save_pretrained(scratch)
