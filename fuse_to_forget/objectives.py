"""The two objectives of language models, causal and masked, and the model classes that belong to them."""

from pathlib import Path
from typing import Literal

from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PretrainedConfig,
)

from fuse_to_forget.errors import InputError

Objective = Literal["causal", "masked"]
AUTO_MODELS = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}
_MAPPINGS = {"causal": MODEL_FOR_CAUSAL_LM_MAPPING, "masked": MODEL_FOR_MASKED_LM_MAPPING}


def check_objective(config: PretrainedConfig, objective: Objective, folder: str | Path) -> None:
    """Raise InputError if the checkpoint in `folder` with this config is no language model of this objective.

    An encoder such as BERT also loads as a causal model, but it would see the tokens that it is to predict.
    """
    encoder = type(config) in _MAPPINGS["masked"] and not getattr(config, "is_decoder", False)
    if type(config) not in _MAPPINGS[objective] or (objective == "causal" and encoder):
        other = {"causal": "masked", "masked": "causal"}[objective]
        raise InputError(
            f"The checkpoint {folder} is not a {objective} language model but a {other} one; choose "
            f"a {objective} language model."
        )
