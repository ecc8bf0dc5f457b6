"""The weighted average of tensors: theta = sum_i c_i theta_i (Zaman, Choshen & Srivastava, 2024, section 2).

Every product and every sum is rounded once, element by element, in the order of the models. The result
therefore depends neither on how tensors are cut into chunks nor on the number of threads, and averaging
in memory gives the same bits as averaging files.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.compatibility import check_coefficients, check_names, check_shapes

CHUNK = 1 << 18  # elements; the buffers of one chunk stay in the processor's cache


def accumulation_dtype(dtypes: Iterable[torch.dtype]) -> torch.dtype:
    """float64 if any of the dtypes is, else float32: what averages are accumulated in."""
    return torch.float64 if torch.float64 in dtypes else torch.float32


def accumulate(total: Tensor, term: Tensor, parts: Iterable[Tensor], coefficients: Sequence[float]) -> None:
    """Write sum_i c_i x_i into `total`, using `term` as scratch space.

    `total`, `term` and each of the parts have the same shape; parts may be of any floating dtype, and
    lazily read into one buffer. Product and sum are separate steps because a fused multiply-add would
    round differently in the tail that does not fill a vector register.
    """
    for position, (part, coefficient) in enumerate(zip(parts, coefficients, strict=True)):
        product = term if position else total
        product.copy_(part).mul_(coefficient)
        if position:
            total.add_(term)


def is_finite(values: Tensor) -> bool:
    """Whether all values are finite. The sum of a NaN or an infinity is never finite, and quick to take."""
    return math.isfinite(values.sum().item()) or bool(values.isfinite().all())


def weighted_average(tensors: Sequence[Tensor], coefficients: Sequence[float]) -> Tensor:
    """Average tensors of one shape; return float32, or float64 if any of them is float64.

    With a zero coefficient a tensor still counts for finiteness: 0 x NaN is NaN.
    """
    dtype = accumulation_dtype({tensor.dtype for tensor in tensors})
    average = torch.empty(tensors[0].shape, dtype=dtype, device=tensors[0].device)
    _average_into(average, tensors, coefficients)
    return average


def average_state_dicts(
    state_dicts: Sequence[Mapping[str, Tensor]],
    coefficients: Sequence[float],
    out: dict[str, Tensor] | None = None,
    *,
    allow_any_sum: bool = False,
) -> dict[str, Tensor]:
    """Average state dicts in memory; the result has the first one's names, shapes and dtypes.

    Integer and boolean buffers are those of the first model and must be equal in all. `out`, an earlier
    result, is overwritten and returned: a sweep over coefficients then allocates nothing large. The inputs
    are never changed. Bit for bit what `fuse` writes for the same checkpoints.

    Raises InputError for coefficients that do not fit, for names or shapes that differ, for integer
    buffers that differ, and for a result that is not finite, naming the tensor.
    """
    labels = [f"model {position}" for position in range(1, len(state_dicts) + 1)]
    coefficients = check_coefficients(coefficients, len(state_dicts), allow_any_sum=allow_any_sum)
    check_names(state_dicts, labels)
    check_shapes(state_dicts, labels)
    if out is None:
        out = {
            name: torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
            for name, tensor in state_dicts[0].items()
        }
    check_names([state_dicts[0], out], [labels[0], "out"])
    for name, target in out.items():
        tensors = [state_dict[name] for state_dict in state_dicts]
        if all(tensor.is_floating_point() for tensor in tensors):
            _average_into(target, tensors, coefficients)
            check_finite(name, target, tensors)
        else:
            target.copy_(common(name, tensors))
    return out


def not_finite(name: str, label: str) -> InputError:
    """The refusal of a tensor with NaN or infinite values."""
    return InputError(
        f"{name} of {label} holds NaN or infinite values: train that model again or leave it out"
    )


def overflowed(name: str, dtype: torch.dtype) -> InputError:
    """The refusal of an average of finite values that is too large for its dtype."""
    return InputError(
        f"the average of {name} overflows {str(dtype).removeprefix('torch.')} though every model is finite: "
        "use smaller coefficients or store the first model in a wider dtype"
    )


def not_common(name: str) -> InputError:
    """The refusal of integers that are not the same in all models."""
    return InputError(
        f"{name} holds integers that differ between the models, and these have no average: fuse models that "
        "agree on it"
    )


def check_finite(name: str, fused: Tensor, tensors: Sequence[Tensor]) -> None:
    """Raise InputError naming the model to blame unless what was made of `tensors` is finite."""
    if is_finite(fused):
        return
    for position, tensor in enumerate(tensors, start=1):
        if not is_finite(tensor):
            raise not_finite(name, f"model {position}")
    raise overflowed(name, fused.dtype)


def common(name: str, tensors: Sequence[Tensor]) -> Tensor:
    """Return the first of tensors of integers; raise InputError unless all are the same."""
    if any(tensor.dtype != tensors[0].dtype or not torch.equal(tensor, tensors[0]) for tensor in tensors[1:]):
        raise not_common(name)
    return tensors[0]


def _average_into(target: Tensor, tensors: Sequence[Tensor], coefficients: Sequence[float]) -> None:
    """Write the average to `target`, contiguous and of any floating dtype, chunk by chunk."""
    # An accelerator has no such cache and pays for each call: it takes a tensor whole.
    size = max(min(target.numel(), CHUNK) if target.device.type == "cpu" else target.numel(), 1)
    dtype = accumulation_dtype({tensor.dtype for tensor in tensors})
    total, term = torch.empty(2, size, dtype=dtype, device=target.device)
    flat = [tensor.reshape(-1).split(size) for tensor in tensors]
    for piece, *parts in zip(target.view(-1).split(size), *flat, strict=True):
        length = piece.numel()
        accumulate(total[:length], term[:length], parts, coefficients)
        piece.copy_(total[:length])
