"""The fusion methods by name, with what each asks for.

To add one: a pure function in its own module, and a row of METHODS.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion import average
from fuse_to_forget.fusion.compatibility import check_coefficients
from fuse_to_forget.fusion.fisher_average import FLOOR, fisher_state_dicts
from fuse_to_forget.fusion.model_stock import model_stock
from fuse_to_forget.fusion.regmean import OFF_DIAGONAL, regmean_state_dicts
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
from fuse_to_forget.statistics.store import FISHER, GRAM

WEIGHTED_AVERAGE = "weighted_average"


@dataclass(frozen=True)
class Setting:
    """A number that a method takes: its default (an int if it counts something), smallest and largest value."""

    default: float
    low: float
    high: float


@dataclass(frozen=True)
class Method:
    """A fusion method: `function(tensors, base, coefficients, **settings)` of the tensors of one name.

    A function of a `random` method also takes `seeds`, one for each model. One of a method that needs `statistics` of
    a kind takes whole models: `function(state_dicts, statistics, coefficients, **settings)`. `coefficients` says
    which ones make sense: any, weights (none negative, some positive), or only equal ones.
    """

    function: Callable[..., Tensor]
    source: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    needs_base: bool = False
    statistics: Literal["gram", "fisher"] | None = None
    pairs_only: bool = False
    random: bool = False
    coefficients: Literal["any", "weights", "equal"] = "any"


def _weighted_average(tensors: Sequence[Tensor], base: None, coefficients: Sequence[float]) -> Tensor:
    return average.weighted_average(tensors, coefficients)


FLOORS = {"floor": Setting(FLOOR, 0.0, 1.0)}
SCALE = {"scale": Setting(1.0, -10.0, 10.0)}


def _density(default: float) -> dict[str, Setting]:
    return {"density": Setting(default, 0.001, 1.0)}


METHODS = {
    WEIGHTED_AVERAGE: Method(_weighted_average, "Zaman, Choshen & Srivastava, 2024"),
    "slerp": Method(slerp, "Shoemake, 1985", pairs_only=True, coefficients="weights"),
    "karcher": Method(
        karcher, "Karcher, 1977; Buss & Fillmore, 2001",
        {"iterations": Setting(20, 1, 1000), "tolerance": Setting(1e-6, 0.0, 0.1)}, coefficients="weights",
    ),
    "task_arithmetic": Method(task_arithmetic, "Ilharco et al., 2023", SCALE, needs_base=True),
    "ties": Method(ties, "Yadav et al., 2023", _density(0.2) | SCALE, needs_base=True, coefficients="weights"),
    "dare_linear": Method(dare_linear, "Yu et al., 2024", _density(0.5) | SCALE, needs_base=True, random=True),
    "dare_ties": Method(
        dare_ties, "Yu et al., 2024, with the signs of Yadav et al., 2023", _density(0.5) | SCALE,
        needs_base=True, random=True,
    ),
    "breadcrumbs": Method(
        breadcrumbs, "Davari & Belilovsky, 2024",
        {"drop_smallest": Setting(0.85, 0.0, 0.999), "drop_largest": Setting(0.01, 0.0, 0.999)} | SCALE,
        needs_base=True,
    ),
    "della": Method(
        della, "Deep, Bhardwaj & Poria, 2024", _density(0.5) | {"spread": Setting(0.3, 0.0, 1.0)} | SCALE,
        needs_base=True, random=True, coefficients="weights",
    ),
    "sign_consensus": Method(
        sign_consensus, "after the sign election of Yadav et al., 2023", needs_base=True, coefficients="weights"
    ),
    "model_stock": Method(model_stock, "Jang, Yun & Han, 2024", needs_base=True, coefficients="equal"),
    "regmean": Method(
        regmean_state_dicts, "Jin et al., 2023", {"off_diagonal": Setting(OFF_DIAGONAL, 0.0, 1.0)},
        statistics=GRAM, coefficients="weights",
    ),
    "fisher": Method(
        fisher_state_dicts, "Matena & Raffel, 2022", FLOORS, statistics=FISHER, coefficients="weights"
    ),
    "fisher_normalized": Method(
        partial(fisher_state_dicts, normalize="model"), "Matena & Raffel, 2022, normalized as Jin et al., 2023",
        FLOORS, statistics=FISHER, coefficients="weights",
    ),
}  # fmt: skip


def find_method(name: str) -> Method:
    """The method of that name; raises InputError with the valid names if there is none."""
    if name not in METHODS:
        raise InputError(f"there is no fusion method {name!r}: choose one of {', '.join(METHODS)}")
    return METHODS[name]


def complete_settings(name: str, settings: Mapping[str, float | str] | None) -> dict[str, float]:
    """The method's settings with the defaults of those not given; numbers may be text.

    Raises InputError for a setting that the method does not have, or a value out of its range.
    """
    allowed = find_method(name).settings
    for unknown in (settings or {}).keys() - allowed.keys():
        listed = f"it has {', '.join(allowed)}" if allowed else "it has none"
        raise InputError(f"{name} has no setting {unknown!r}: {listed}")
    given = {key: _number(f"{key} of {name}", value, allowed[key]) for key, value in (settings or {}).items()}
    return {key: setting.default for key, setting in allowed.items()} | given


def _number(label: str, value: float | str, setting: Setting) -> float:
    kind = "a whole number" if isinstance(setting.default, int) else "a number"
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    whole = number.is_integer() or not isinstance(setting.default, int)
    if not (setting.low <= number <= setting.high and whole):
        raise InputError(f"{label} is {value}: give {kind} from {setting.low:g} to {setting.high:g}")
    return type(setting.default)(number)


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
