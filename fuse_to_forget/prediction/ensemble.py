"""A prediction ensemble: models that answer together without being merged, the baseline of every merge."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from transformers import PreTrainedModel
from transformers.modeling_outputs import ModelOutput


class Ensemble(nn.Module):
    """Models of one architecture as one: its logits are the log of the weighted mean of their probabilities.

    `model` gives the architecture, `state_dicts` the weights, which all stay in memory; each input costs a pass through
    each. `coefficients` are not negative and sum to 1. It is called as the model is, and its output has only `logits`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        state_dicts: Sequence[Mapping[str, Tensor]],
        coefficients: Sequence[float],
    ) -> None:
        super().__init__()
        self.config, self.device = model.config, model.device
        self._model = [model]  # in a list: its own weights are not the ensemble's
        pairs = zip(state_dicts, coefficients, strict=True)
        self._members = [(state_dict, math.log(weight)) for state_dict, weight in pairs if weight > 0]

    def forward(self, **inputs: Tensor) -> ModelOutput:
        total = None
        for state_dict, weight in self._members:
            logits = functional_call(self._model[0], dict(state_dict), (), inputs).logits
            weighted = logits.float().log_softmax(-1) + weight
            total = weighted if total is None else torch.logaddexp(total, weighted)
        return ModelOutput(logits=total)
