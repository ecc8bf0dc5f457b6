"""The functions of the fusion methods.

To add one: a pure function in its own module, a row of FUNCTIONS, and one of METHODS in `catalog.py`.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion import average
from fuse_to_forget.fusion.catalog import WEIGHTED_AVERAGE, find_method
from fuse_to_forget.fusion.compatibility import check_coefficients
from fuse_to_forget.fusion.fisher_average import fisher_plan
from fuse_to_forget.fusion.model_stock import model_stock
from fuse_to_forget.fusion.regmean import regmean_plan
from fuse_to_forget.fusion.spherical import karcher, slerp
from fuse_to_forget.fusion.task_vectors import (
    breadcrumbs,
    dare_linear,
    dare_ties,
    della,
    sign_consensus,
    task_arithmetic,
    ties,
)


def _weighted_average(tensors: Sequence[Tensor], base: None, coefficients: Sequence[float]) -> Tensor:
    return average.weighted_average(tensors, coefficients)


# `function(tensors, base, coefficients, **settings)` of the tensors of one name; one of a random method also takes
# `seeds`, one for each model. Of those with statistics it is the plan; see `with_statistics`. Those that need texts are
# not here: they are called with them.
FUNCTIONS: dict[str, Callable] = {
    WEIGHTED_AVERAGE: _weighted_average,
    "slerp": slerp,
    "karcher": karcher,
    "task_arithmetic": task_arithmetic,
    "ties": ties,
    "dare_linear": dare_linear,
    "dare_ties": dare_ties,
    "breadcrumbs": breadcrumbs,
    "della": della,
    "sign_consensus": sign_consensus,
    "model_stock": model_stock,
    "regmean": regmean_plan,
    "fisher": fisher_plan,
    "fisher_normalized": partial(fisher_plan, normalize="model"),
}


def check_use(
    name: str,
    coefficients: Sequence[float] | None,
    count: int,
    *,
    has_base: bool,
    has_statistics: bool = False,
    allow_any_sum: bool = False,
) -> list[float]:
    """Return the coefficients; raise InputError unless the method can fuse `count` models with them."""
    method = find_method(name)
    if method.needs_texts:
        raise InputError(
            f"{name} needs the texts of all models, not weights alone: list it under methods.uses in the config, or "
            f"call {name} of fuse_to_forget.fusion.{name} from Python"
        )
    checked = check_coefficients(coefficients, count, allow_any_sum=allow_any_sum)
    if method.needs_base and not has_base:
        raise InputError(
            f"{name} needs the base model that the models were fine-tuned from: give it (--base)"
        )
    if has_base and not method.needs_base:
        raise InputError(f"{name} takes no base model: leave it out, or choose a method that does")
    if method.statistics and not has_statistics:
        raise InputError(
            f"{name} needs statistics of the kind {method.statistics} of each model: collect them and give them"
        )
    if has_statistics and not method.statistics:
        raise InputError(f"{name} takes no statistics: leave them out, or choose a method that does")
    if method.pairs_only and count != 2:
        raise InputError(f"{name} fuses two models, not {count}: give two, or choose karcher")
    if method.coefficients == "weights" and (min(checked) < 0 or math.fsum(checked) <= 0):
        raise InputError(
            f"{name} takes coefficients of at least 0 and some above, not {checked}: change them"
        )
    if method.coefficients == "equal" and max(checked) - min(checked) > 1e-9:
        raise InputError(
            f"{name} weighs all models alike, so coefficients {checked} do not fit: leave them out"
        )
    return checked
