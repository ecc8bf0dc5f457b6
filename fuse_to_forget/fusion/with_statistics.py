"""What methods that merge with statistics have in common: some tensors of whole models merged, the rest averaged."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts, check_finite
from fuse_to_forget.fusion.compatibility import check_coefficients, check_names, check_shapes
from fuse_to_forget.statistics.store import Statistics, check_together


def check_weights(coefficients: Sequence[float]) -> None:
    """Raise InputError unless coefficients weigh squares: none negative, some positive."""
    if min(coefficients) < 0 or sum(coefficients) <= 0:
        raise InputError(
            f"the coefficients are {list(coefficients)}, but what weighs information is never negative: give "
            "numbers from 0 to 1"
        )


def check_models(
    state_dicts: Sequence[Mapping[str, Tensor]],
    statistics: Sequence[Statistics],
    kind: str,
    coefficients: Sequence[float] | None,
) -> list[float]:
    """Return the coefficients; raise InputError for models that differ and statistics that do not go together."""
    coefficients = check_coefficients(coefficients, len(state_dicts))
    labels = [f"model {position}" for position in range(1, len(state_dicts) + 1)]
    check_names(state_dicts, labels)
    check_shapes(state_dicts, labels)
    check_together(statistics, kind, len(state_dicts))
    return coefficients


def merge_some(
    state_dicts: Sequence[Mapping[str, Tensor]],
    coefficients: Sequence[float],
    names: Iterable[str],
    merge: Callable[[str, list[Tensor]], Tensor],
) -> dict[str, Tensor]:
    """Return a state dict in which `merge(name, tensors)` made the tensors of `names`, and the average the others.

    Raises InputError, naming the tensor, for what `merge` or `average_state_dicts` refuses and what is not finite.
    """
    merged = {}
    for name in names:
        tensors = [state_dict[name] for state_dict in state_dicts]
        try:
            merged[name] = merge(name, tensors)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        check_finite(name, merged[name], tensors)
    rest = [{n: t for n, t in state_dict.items() if n not in merged} for state_dict in state_dicts]
    averaged = average_state_dicts(rest, coefficients)
    return {name: merged[name] if name in merged else averaged[name] for name in state_dicts[0]}
