"""What a result was made with: versions, hardware and the whole configuration, as a table."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

PACKAGES = (
    "torch", "transformers", "datasets", "safetensors", "concept-erasure", "scikit-learn",
    "numpy", "pandas", "matplotlib", "seaborn", "snakemake",
)  # fmt: skip


def describe_run(config: dict[str, Any]) -> pd.DataFrame:
    """Return the columns `kind` (version, machine, config), `name` and `value`, one row per fact."""
    rows = [("version", "python", platform.python_version())]
    rows += [("version", package, _version(package)) for package in PACKAGES]
    rows += [("machine", "platform", platform.machine()), ("machine", "cpus", os.cpu_count())]
    rows += [("config", name, value) for name, value in _flat(config)]
    return pd.DataFrame(rows, columns=["kind", "name", "value"])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed here"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Walk a nested configuration; yield its leaves under dotted names."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if children is None:
        yield name, value
    else:
        for key, child in children:
            yield from _flat(child, f"{name}.{key}".lstrip("."))
