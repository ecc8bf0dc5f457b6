"""The fusion methods by name, with what each asks for: facts that cost nothing to read.

Their functions stand in `methods.py`, under the same names.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fuse_to_forget.errors import InputError

WEIGHTED_AVERAGE, REGMEAN_PLUS_PLUS = "weighted_average", "regmean_plus_plus"
ENSEMBLE = "ensemble"  # no method: models that answer together, the baseline of all
GRAM, FISHER = "gram", "fisher"  # the kinds of statistics
OFF_DIAGONAL, FLOOR = 0.9, 1e-10  # of RegMean and Fisher averaging


@dataclass(frozen=True)
class Setting:
    """A number that a method takes: its default (an int if it counts something), smallest and largest value."""

    default: float
    low: float
    high: float


@dataclass(frozen=True)
class Method:
    """What a fusion method asks for.

    `statistics` is the kind that it needs of each model, if any; one that `needs_texts` looks at each model's texts
    itself. A `random` one draws by a seed. `coefficients` says which ones make sense: any, weights (none negative, some
    positive), or only equal ones.
    """

    source: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    needs_base: bool = False
    statistics: Literal["gram", "fisher"] | None = None
    needs_texts: bool = False
    pairs_only: bool = False
    random: bool = False
    coefficients: Literal["any", "weights", "equal"] = "any"


SCALE = {"scale": Setting(1.0, -10.0, 10.0)}
OFF_DIAGONALS = {"off_diagonal": Setting(OFF_DIAGONAL, 0.0, 1.0)}
FLOORS = {"floor": Setting(FLOOR, 0.0, 1.0)}


def _density(default: float) -> dict[str, Setting]:
    return {"density": Setting(default, 0.001, 1.0)}


METHODS = {
    WEIGHTED_AVERAGE: Method("Zaman, Choshen & Srivastava, 2024"),
    "slerp": Method("Shoemake, 1985", pairs_only=True, coefficients="weights"),
    "karcher": Method(
        "Karcher, 1977; Buss & Fillmore, 2001",
        {"iterations": Setting(20, 1, 1000), "tolerance": Setting(1e-6, 0.0, 0.1)},
        coefficients="weights",
    ),
    "task_arithmetic": Method("Ilharco et al., 2023", SCALE, needs_base=True),
    "ties": Method("Yadav et al., 2023", _density(0.2) | SCALE, needs_base=True, coefficients="weights"),
    "dare_linear": Method("Yu et al., 2024", _density(0.5) | SCALE, needs_base=True, random=True),
    "dare_ties": Method(
        "Yu et al., 2024, with the signs of Yadav et al., 2023",
        _density(0.5) | SCALE,
        needs_base=True,
        random=True,
    ),
    "breadcrumbs": Method(
        "Davari & Belilovsky, 2024",
        {"drop_smallest": Setting(0.85, 0.0, 0.999), "drop_largest": Setting(0.01, 0.0, 0.999)} | SCALE,
        needs_base=True,
    ),
    "della": Method(
        "Deep, Bhardwaj & Poria, 2024",
        _density(0.5) | {"spread": Setting(0.3, 0.0, 1.0)} | SCALE,
        needs_base=True,
        random=True,
        coefficients="weights",
    ),
    "sign_consensus": Method(
        "after the sign election of Yadav et al., 2023", needs_base=True, coefficients="weights"
    ),
    "model_stock": Method("Jang, Yun & Han, 2024", needs_base=True, coefficients="equal"),
    "regmean": Method("Jin et al., 2023", OFF_DIAGONALS, statistics=GRAM, coefficients="weights"),
    REGMEAN_PLUS_PLUS: Method("Nguyen et al., 2026", OFF_DIAGONALS, needs_texts=True, coefficients="weights"),
    "fisher": Method("Matena & Raffel, 2022", FLOORS, statistics=FISHER, coefficients="weights"),
    "fisher_normalized": Method(
        "Matena & Raffel, 2022, normalized as Jin et al., 2023",
        FLOORS,
        statistics=FISHER,
        coefficients="weights",
    ),
}


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
