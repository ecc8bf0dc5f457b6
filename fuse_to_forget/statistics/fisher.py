"""The diagonal of a model's Fisher information: what Fisher-weighted averaging merges with (Matena & Raffel, 2022).

https://arxiv.org/abs/2111.09832. F = mean over examples x of sum_y p(y) (d log p(y | x) / d theta)^2, with one of
three choices of p(y): the model's own probabilities (the Fisher information proper), all on the given label
(empirical), or all on the label that the model finds most likely.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.fisher.per_example import squared_gradient_sums
from fuse_to_forget.fusion.catalog import FISHER
from fuse_to_forget.prediction.classifier import TokenIds, batches_by_length, predict_logits
from fuse_to_forget.prediction.likelihood import IGNORED
from fuse_to_forget.progress import Progress
from fuse_to_forget.statistics.evaluation import check_examples, evaluation_mode
from fuse_to_forget.statistics.store import Statistics, check_statistics, tied_names

Labels = Literal["gold", "hard", "expected"]
Targets = Sequence[int] | Sequence[Sequence[int]]


def next_tokens(token_ids: TokenIds) -> list[list[int]]:
    """Return the targets of a causal language model: at each position the next token, at the last one none."""
    return [[*ids[1:], IGNORED] for ids in token_ids]


def fisher_statistics(
    model: PreTrainedModel,
    token_ids: TokenIds,
    targets: Targets | None,
    *,
    labels: Labels,
    batch_size: int,
    batch_mean: bool = False,
    progress: Progress | None = None,
) -> Statistics:
    """Return the diagonal Fisher information of every trainable parameter, in its shape, float32, nats squared.

    `targets` are a label for each example or, for language models, a token id for each of its positions and IGNORED
    where nothing is predicted (`next_tokens`); an example's log-likelihood is the sum over its positions.
    "gold" takes the targets, "hard" the model's argmax, "expected" all classes with the model's probabilities.
    A classifier needs targets for "gold" only; "expected" is for classifiers.

    Gradients are those of single examples, and `batch_size` is a matter of speed; with `batch_mean` they are
    those of the mean loss of `batch_size` examples, as in the code of Jin et al. (ICLR 2023): about `batch_size` times
    smaller, and with less information where the gradients of a batch cancel. Memory: two to three times the model.
    `left_out` are frozen parameters; Fisher-weighted averaging averages them.

    Raises InputError for examples and targets that do not fit each other, the choices above that do not exist, and
    information that is not finite.
    """
    _check(model, token_ids, targets, labels, batch_mean)
    squares = None
    if not batch_mean and labels != "expected" and not _per_position(targets):
        squares = _batched(model, token_ids, targets, labels, batch_size, progress)
    if squares is None:
        size = batch_size if batch_mean else 1
        squares = _by_autograd(model, token_ids, targets, labels, size, progress)
    statistics = Statistics(
        FISHER,
        {name: total.cpu() for name, total in squares.items()},
        examples=len(token_ids),
        tokens=sum(len(ids) for ids in token_ids),
        settings={"labels": labels, "gradients of": f"means of {batch_size}" if batch_mean else "examples"},
        left_out=[name for name, parameter in model.named_parameters() if not parameter.requires_grad],
        tied=tied_names(model),
    )
    check_statistics(statistics, "the model")
    return statistics


def _check(
    model: PreTrainedModel, token_ids: TokenIds, targets: Targets | None, labels: str, batch_mean: bool
) -> None:
    if labels not in ("gold", "hard", "expected"):
        raise InputError(f"There are no labels {labels!r}: choose gold, hard or expected")
    check_examples(token_ids)
    if targets is None and labels == "gold":
        raise InputError("Gold labels were asked for and none given: give a label for each example")
    if targets is not None and len(targets) != len(token_ids):
        raise InputError(
            f"There are {len(token_ids)} examples and {len(targets)} labels: give one label for each example"
        )
    if _per_position(targets) and any(
        len(own) != len(ids) for own, ids in zip(targets, token_ids, strict=True)
    ):
        raise InputError("Some targets are not as long as their example: give one for each of its tokens")
    if labels == "expected" and (batch_mean or _per_position(targets)):
        # The scores of a batch, weighted by probabilities before they are squared, cancel.
        raise InputError(
            "Expected labels are for single examples of a classifier: choose gold or hard labels for "
            "language models and for gradients of batches"
        )
    if not _per_position(targets) and model.get_output_embeddings() is not None:
        raise InputError("The model is a language model: give a target for each token of each example")


def _per_position(targets: Targets | None) -> bool:
    return targets is not None and isinstance(targets[0], Sequence)


def _batched(
    model: PreTrainedModel,
    token_ids: TokenIds,
    targets: Sequence[int] | None,
    labels: Labels,
    batch_size: int,
    progress: Progress | None,
) -> dict[str, Tensor] | None:
    """Return the mean squares by batches; None for a model whose gradients these cannot tell apart."""
    if labels == "hard":
        with evaluation_mode(model):
            targets = predict_logits(model, token_ids, batch_size).argmax(1).tolist()
    try:
        sums = squared_gradient_sums(
            model, token_ids, targets, batch_size=batch_size, groups=1, progress=progress
        )
    except InputError:  # a weight of an unknown module, or one that is used twice
        return None
    return {name: total[0] / len(token_ids) for name, total in sums.items()}


def _by_autograd(
    model: PreTrainedModel,
    token_ids: TokenIds,
    targets: Targets | None,
    labels: Labels,
    size: int,
    progress: Progress | None,
) -> dict[str, Tensor]:
    """Return the mean over batches of `size` of the squared gradient of the batch's mean loss: any model."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    squares = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in parameters.items()}
    batches = 0
    with evaluation_mode(model), torch.enable_grad():
        for positions, ids, mask in batches_by_length(
            token_ids, model.config.pad_token_id or 0, size, progress
        ):
            ids, mask = ids.to(model.device), mask.to(model.device)
            logits = model(input_ids=ids, attention_mask=mask).logits.float()
            own = None if targets is None else _padded([targets[i] for i in positions], ids)
            for weight, loss in _losses(logits, own, labels):
                _add_squares(squares, parameters, weight, loss)
            batches += 1
    return {name: total.div_(batches) for name, total in squares.items()}


def _padded(targets: Sequence[int] | Sequence[Sequence[int]], ids: Tensor) -> Tensor:
    """Return labels as (b,) or, with IGNORED at padding, (b, l) on the device of `ids` (b, l)."""
    if not _per_position(targets):
        return torch.tensor(targets, device=ids.device)
    padded = torch.full_like(ids, IGNORED)
    for row, own in zip(padded, targets, strict=True):
        row[: len(own)] = torch.tensor(own)
    return padded


def _losses(logits: Tensor, targets: Tensor | None, labels: Labels) -> Iterator[tuple[float, Tensor]]:
    """Yield (weight of the squared gradient, mean loss of the batch) from logits (b, C) or (b, l, C)."""
    if labels == "expected":
        probabilities = logits.detach()[0].softmax(-1)
        for label, probability in enumerate(probabilities.tolist()):
            yield probability, functional.cross_entropy(logits, torch.tensor([label], device=logits.device))
        return
    if targets is not None and targets.shape != logits.shape[:-1]:
        raise InputError(
            f"The model has logits of shape {tuple(logits.shape)} for targets of shape {tuple(targets.shape)}: "
            "give a classifier a label for each example and a language model one for each token"
        )
    if labels == "hard":
        best = logits.detach().argmax(-1)
        targets = best if targets is None or targets.ndim == 1 else best.where(targets != IGNORED, IGNORED)
    summed = functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    yield 1.0, summed / len(logits)


def _add_squares(
    squares: Mapping[str, Tensor], parameters: Mapping[str, Tensor], weight: float, loss: Tensor
) -> None:
    # Several losses of one batch share a graph; it is freed when the batch's logits are.
    gradients = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, allow_unused=True)
    for total, gradient in zip(squares.values(), gradients, strict=True):
        if gradient is not None:
            total.addcmul_(gradient.float(), gradient.float(), value=weight)
