"""Gram matrices of the inputs of linear layers, G = X'X / N: what RegMean merges with (Jin et al., ICLR 2023).

https://arxiv.org/abs/2212.09849. The N rows of X are the layer's inputs at all positions of all examples. A Gram
matrix holds no text, but neither does it promise privacy: that of a single row gives the row away.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.catalog import GRAM
from fuse_to_forget.prediction.classifier import TokenIds, batches_by_length
from fuse_to_forget.progress import Progress
from fuse_to_forget.statistics.evaluation import check_examples, evaluation_mode
from fuse_to_forget.statistics.store import Statistics, check_statistics, tied_names

LINEAR = (nn.Linear, Conv1D)


def gram_statistics(
    model: PreTrainedModel,
    token_ids: TokenIds,
    *,
    batch_size: int,
    padding: bool = False,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Statistics:
    """Return the Gram matrix (i, i) of every linear layer's inputs, float32, in the processor's memory.

    With `only`, of the layers whose weights have these names.

    Each batch's product is taken in float32 on the model's device and added up in float64 there: twice the size of
    the result. A layer that is called several times counts the rows of all calls; one that sees an example
    as one row (BERT's pooler) has as many rows as examples. A masked language model sees the ids as they are
    given: mask them first. `left_out` are linear layers that share their weight, as a language model's head does
    with the embeddings, and those that were never called; RegMean averages them.

    With `padding` the positions that only fill a batch count too, as in the authors' code; the result then depends on
    `batch_size`.

    Raises InputError if there are no examples, one has no tokens or the model no linear layers, and if a layer's inputs
    are not a row for each position or each example, or not finite.
    """
    check_examples(token_ids)
    layers, left_out = linear_layers(model)
    if only is not None:
        layers = {module: name for module, name in layers.items() if name in only}
    if not layers:
        raise InputError(
            "The model has no linear layers with a weight of their own: merge it by another method"
        )
    sums: dict[str, Tensor] = {}
    rows = dict.fromkeys(layers.values(), 0)
    with evaluation_mode(model), torch.inference_mode():
        for _, ids, mask in batches_by_length(
            token_ids, model.config.pad_token_id or 0, batch_size, progress
        ):
            _add_batch(model, layers, ids.to(model.device), mask.to(model.device), padding, sums, rows)
    # Each sum is let go when its mean is there, so that both sets are never in memory whole.
    grams = {name: (sums.pop(name) / rows[name]).float().cpu() for name in list(sums)}
    statistics = Statistics(
        GRAM,
        grams,
        examples=len(token_ids),
        tokens=sum(len(ids) for ids in token_ids),
        settings={"padding": padding},
        left_out=sorted([*left_out, *(name for name in layers.values() if name not in grams)]),
        transposed=[name for module, name in layers.items() if name in grams and type(module) is Conv1D],
    )
    check_statistics(statistics, "the model")
    return statistics


def linear_layers(model: nn.Module) -> tuple[dict[nn.Module, str], list[str]]:
    """Return the linear layers with the names of their weights, and the names of weights that are shared."""
    tied = tied_names(model)
    shared = tied.keys() | set(tied.values())
    # A subclass may compute something else.
    names = {
        module: f"{prefix}.weight".lstrip(".")
        for prefix, module in model.named_modules()
        if type(module) in LINEAR
    }
    layers = {module: name for module, name in names.items() if name not in shared}
    return layers, [name for name in names.values() if name in shared]


def _add_batch(
    model: PreTrainedModel,
    layers: Mapping[nn.Module, str],
    ids: Tensor,
    mask: Tensor,
    padding: bool,
    sums: dict[str, Tensor],
    rows: dict[str, int],
) -> None:
    """Run one batch forward, adding X'X to `sums` and the number of rows of X to `rows` for each layer."""

    def record(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        name = layers[module]
        inputs = _rows(args[0], mask, padding, name).float()
        product = (inputs.T @ inputs).double()
        sums[name] = sums[name].add_(product) if name in sums else product
        rows[name] += len(inputs)

    handles = [module.register_forward_pre_hook(record) for module in layers]
    try:
        model(input_ids=ids, attention_mask=mask)
    finally:
        for handle in handles:
            handle.remove()


def _rows(inputs: Tensor, mask: Tensor, padding: bool, name: str) -> Tensor:
    """Return the inputs of one call as rows (n, i): those of positions that `mask` (b, l) has, or one an example."""
    flat = inputs.reshape(-1, inputs.shape[-1])
    leading = tuple(inputs.shape[:-1])
    if leading in (tuple(mask.shape), (mask.numel(),)):
        return flat if padding else flat[mask.flatten().bool()]
    if len(flat) != len(mask):
        raise InputError(
            f"The inputs of the layer of {name} have shape {tuple(inputs.shape)} for a batch of "
            f"{tuple(mask.shape)} tokens, not a row for each: merge this model by another method"
        )
    return flat
