"""The diagonal of the empirical Fisher information, by batches (Zaman, Choshen & Srivastava, 2024, appendix D, eq. 9).

The square of each example's own gradient is needed, and a backward pass through a batch returns only the sum
of the gradients. It also returns, however, the gradient of every module's output with one row for each
example, and from that and the module's input each example's parameter gradient follows in one product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional
from transformers import PreTrainedModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.prediction.classifier import TokenIds, batches_by_length
from fuse_to_forget.progress import Progress

HANDLED = (nn.Linear, nn.Embedding, nn.LayerNorm)

Names = dict[str, str]  # of a module's trainable parameters: "weight", "bias" -> name in the model


@dataclass(frozen=True)
class Call:
    """One module's part in a batch: its input (b, ...) and the gradient of its output (b, ...), float32."""

    inputs: Tensor
    gradient: Tensor


def squared_gradient_sums(
    model: PreTrainedModel,
    token_ids: TokenIds,
    labels: Sequence[int],
    *,
    batch_size: int,
    groups: int,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Return for each trainable parameter the sums of squares of its per-example gradients.

    The gradient is that of the cross-entropy (nats) of the label given, not of a predicted one, without
    dropout. Example i belongs to group i % groups; a result has shape (groups, *parameter shape), float32, in
    the processor's memory: `groups` times the model. Summed over the groups and divided by the number of
    examples it is eq. 9. Each parameter has to act through the one call of its own module alone.

    Raises InputError, naming the parameter, if its module is not an nn.Linear, nn.Embedding or nn.LayerNorm, is
    called twice or mixes examples, or if modules share it; and if labels are missing or a group has no example.
    """
    _check_counts(len(token_ids), len(labels), groups)
    owners = _owners(model)
    sums = {
        name: torch.zeros(groups, *parameter.shape, device=model.device)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    targets = torch.as_tensor(labels)
    pad_id = model.config.pad_token_id or 0
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        for positions, ids, mask in batches_by_length(token_ids, pad_id, batch_size, progress):
            rows = torch.as_tensor(positions % groups, device=model.device)
            for module, call in _calls(model, owners, ids, mask, targets[positions]).items():
                _add_squares(module, {kind: sums[name] for kind, name in owners[module].items()}, rows, call)
    finally:
        for module, training in modes.items():
            module.training = training
    return {name: total.cpu() for name, total in sums.items()}


def _check_counts(examples: int, labels: int, groups: int) -> None:
    if labels != examples:
        raise InputError(
            f"There are {examples} examples and {labels} labels: give one label for each example"
        )
    if examples < groups:
        raise InputError(
            f"There are {examples} examples for {groups} groups: give more examples or ask for fewer groups"
        )


def _owners(model: nn.Module) -> dict[nn.Module, Names]:
    """Return the modules that hold trainable parameters, with the names of these; refuse what is not handled."""
    owners: dict[nn.Module, Names] = {}
    first_names: dict[Tensor, str] = {}
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(prefix, recurse=False):
            if not parameter.requires_grad:
                continue
            if parameter in first_names:
                raise InputError(
                    f"The parameters {first_names[parameter]} and {name} are one, whose gradient is a sum over two "
                    "modules: untie or freeze them"
                )
            if type(module) not in HANDLED:  # a subclass may compute something else
                raise InputError(
                    f"The parameter {name} belongs to a {type(module).__name__}, whose per-example gradients are "
                    "not known: freeze it or use a model of nn.Linear, nn.Embedding and nn.LayerNorm"
                )
            first_names[parameter] = name
            owners.setdefault(module, {})[name.rpartition(".")[2]] = name
    return owners


def _calls(
    model: PreTrainedModel, owners: dict[nn.Module, Names], ids: Tensor, mask: Tensor, labels: Tensor
) -> dict[nn.Module, Call]:
    """Run one batch forward and backward; return the call of each module that the losses depend on."""
    inputs: dict[nn.Module, Tensor] = {}
    edges: dict[nn.Module, GradientEdge] = {}

    def record(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        name = next(iter(owners[module].values()))
        if module in edges:
            raise InputError(
                f"The module of {name} is called twice for a batch, so that its gradient is a sum over both calls: "
                "freeze its parameters or use a model without shared layers"
            )
        seen, output = _rows(module, args[0].detach(), output, len(ids), name)
        inputs[module], edges[module] = seen, get_gradient_edge(output)
        return output

    handles = [module.register_forward_hook(record) for module in owners]
    try:
        with torch.enable_grad():
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
            loss = functional.cross_entropy(logits.float(), labels.to(model.device), reduction="sum")
    finally:
        for handle in handles:
            handle.remove()
    # Asked for outputs alone, autograd leaves out the products for the parameters.
    gradients = torch.autograd.grad(loss, list(edges.values()), allow_unused=True)
    return {
        module: Call(inputs[module], gradient.float())
        for module, gradient in zip(edges, gradients, strict=True)
        if gradient is not None
    }


def _rows(
    module: nn.Module, inputs: Tensor, output: Tensor, examples: int, name: str
) -> tuple[Tensor, Tensor]:
    """Return a call's input and output with one row for each example; refuse what has no such rows."""
    embedding = isinstance(module, nn.Embedding)
    if embedding and len(output) == 1:
        # BERT's positions are broadcast over the batch; a copy for each example keeps their gradients apart.
        inputs, output = (x.expand(examples, *x.shape[1:]) for x in (inputs, output))
    if len(output) != examples or output.ndim < 2 + embedding:
        raise InputError(
            f"The output of the module of {name} has shape {tuple(output.shape)} for {examples} examples, not a "
            "row for each: freeze its parameters or use another model"
        )
    return inputs, output


def _add_squares(module: nn.Module, sums: dict[str, Tensor], rows: Tensor, call: Call) -> None:
    """Add the squares of the gradients of example b to `sums` (groups, ...) at row `rows[b]`."""
    if isinstance(module, nn.Embedding):
        _add_embedding(sums["weight"], module.padding_idx, rows, call)
        return
    # All positions of an example in one dimension: (b, t, ...).
    inner = module.normalized_shape if isinstance(module, nn.LayerNorm) else (module.out_features,)
    gradient = call.gradient.reshape(len(rows), -1, *inner)
    if "bias" in sums:
        sums["bias"].index_add_(0, rows, gradient.sum(1).square_())
    if "weight" not in sums:
        return
    if isinstance(module, nn.LayerNorm):
        normal = functional.layer_norm(call.inputs.float(), inner, eps=module.eps).view_as(gradient)
        sums["weight"].index_add_(0, rows, (gradient * normal).sum(1).square_())
    else:
        inputs = call.inputs.float().reshape(*gradient.shape[:2], module.in_features)
        _add_products(sums["weight"], rows, gradient, inputs)


def _add_products(total: Tensor, rows: Tensor, gradient: Tensor, inputs: Tensor) -> None:
    """Add to `total` (groups, o, i) the squares of sum_t g_t x_t' of each example: g (b, t, o), x (b, t, i)."""
    # Where only the first token is classified, the last layer's other positions have no gradient.
    used = gradient.abs().sum((0, 2)).nonzero().flatten()
    if len(used) == 1:  # an outer product's square is the outer product of the squares
        gradient, inputs = gradient[:, used].square(), inputs[:, used].square()
    # One example at a time into one buffer, so that the processor's cache still holds what is squared.
    product = total.new_empty(total.shape[1:])
    for row, g, x in zip(rows.tolist(), gradient, inputs, strict=True):
        if len(used) == 1:
            total[row].addmm_(g.T, x)
        else:
            torch.mm(g.T, x, out=product)
            total[row].addcmul_(product, product)


def _add_embedding(total: Tensor, padding_id: int | None, rows: Tensor, call: Call) -> None:
    """Add to `total` (groups, v, d) the squares of what each example gives each id, all of its positions summed."""
    groups, size, width = total.shape
    ids = call.inputs.flatten(1)
    examples = torch.arange(len(ids), device=ids.device)[:, None]
    keys, places = (examples * size + ids).unique(return_inverse=True)
    own = total.new_zeros(len(keys), width)
    own.index_add_(0, places.flatten(), call.gradient.flatten(0, -2))
    words = keys % size
    if padding_id is not None:  # autograd gives padding no gradient
        own[words == padding_id] = 0
    total.view(groups * size, width).index_add_(0, rows[keys // size] * size + words, own.square_())
