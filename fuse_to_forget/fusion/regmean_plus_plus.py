"""RegMean++: RegMean block by block, each on the inputs that the merged blocks before it make.

Nguyen, Dang, Suzuki & Le, TMLR 2026, https://arxiv.org/abs/2508.03121. A Gram matrix of RegMean is of the inputs that a
model's own earlier layers make, which the merged model never sees. Here the statistics of a block depend on the merged
blocks before it, so that all models and their texts must be in one place.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.catalog import OFF_DIAGONAL
from fuse_to_forget.fusion.compatibility import check_coefficients
from fuse_to_forget.fusion.regmean import regmean_state_dicts
from fuse_to_forget.fusion.with_statistics import check_weights
from fuse_to_forget.prediction.classifier import TokenIds
from fuse_to_forget.prediction.sweep import load_weights
from fuse_to_forget.progress import Progress
from fuse_to_forget.statistics.evaluation import check_examples, evaluation_mode
from fuse_to_forget.statistics.grams import gram_statistics, linear_layers


def regmean_plus_plus(
    model: PreTrainedModel,
    state_dicts: Sequence[Mapping[str, Tensor]],
    token_ids: Sequence[TokenIds],
    coefficients: Sequence[float] | None = None,
    *,
    off_diagonal: float = OFF_DIAGONAL,
    batch_size: int = 16,
) -> dict[str, Tensor]:
    """Merge state dicts with the texts, as token ids, that each model was trained on; the inputs are never changed.

    It begins with the weighted average. Block after block, in the order in which they are called, each model's own
    weights of the block get the inputs that the merged model makes of that model's texts; RegMean merges the block with
    these Gram matrices. The rest (embeddings, LayerNorm, biases) stays averaged. `model`, of the same architecture,
    does the computing and is left with other weights. It takes one pass over all texts for each block.

    Raises InputError if there are not texts for each model, and for what `regmean_state_dicts` and `gram_statistics`
    refuse.
    """
    coefficients = check_coefficients(coefficients, len(state_dicts))
    check_weights(coefficients)
    if len(token_ids) != len(state_dicts):
        raise InputError(
            f"the models are {len(state_dicts)} and those with texts {len(token_ids)}: give texts of each model"
        )
    for own in token_ids:
        check_examples(own)
    merged = average_state_dicts(state_dicts, coefficients)
    blocks = linear_blocks(model, token_ids[0][0])
    progress = Progress(len(blocks) * sum(map(len, token_ids)), "examples")
    for block, layers in blocks.items():
        names = [name for name in merged if name.startswith(f"{block}.")]
        parts = [{name: own[name] for name in names} for own in state_dicts]
        statistics = []
        for part, own in zip(parts, token_ids, strict=True):
            # Later blocks do not matter to what this one is given.
            load_weights(model, merged | part)
            statistics.append(
                gram_statistics(model, own, batch_size=batch_size, only=layers, progress=progress)
            )
        merged |= regmean_state_dicts(parts, statistics, coefficients, off_diagonal=off_diagonal)
    progress.finish()
    return {name: merged[name] for name in state_dicts[0]}


def linear_blocks(model: PreTrainedModel, token_ids: Sequence[int]) -> dict[str, list[str]]:
    """Return the blocks of linear layers in the order in which a text calls them: weights by the block's name.

    A block is what stands under the first number in a layer's name, as `bert.encoder.layer.0`, or a layer without one,
    as `classifier`.
    """
    names, blocks = linear_layers(model)[0], {}
    handles = [
        module.register_forward_pre_hook(lambda module, _: called.setdefault(names[module]))
        for module in names
    ]
    called: dict[str, None] = {}
    try:
        with evaluation_mode(model), torch.inference_mode():
            model(input_ids=torch.tensor([list(token_ids)], device=model.device))
    finally:
        for handle in handles:
            handle.remove()
    for name in called:
        blocks.setdefault(_block(name), []).append(name)
    return blocks


def _block(name: str) -> str:
    parts = name.split(".")[:-1]
    end = next((position for position, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
    return ".".join(parts[: end + 1])
