"""What a result was made with: versions, hardware and the whole configuration, as a table."""

import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    "torch", "transformers", "tokenizers", "datasets", "safetensors", "concept-erasure", "scikit-learn",
    "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "seaborn", "snakemake",
)  # fmt: skip
KINDS = {"version": "Versions", "machine": "Machine", "config": "Configuration"}


def describe_run(config: dict[str, Any], lock: str) -> list[dict[str, Any]]:
    """Return one row per fact: `kind` (version, machine, config), `name` and `value`.

    `lock` is the digest of the lock file. What is no text stands as in JSON, a list in one row.
    """
    facts = [("version", name, value) for name, value in installed_versions().items()]
    facts += [("version", "requirements.lock (sha256)", lock)]
    facts += [("machine", "platform", platform.machine()), ("machine", "cpus", os.cpu_count())]
    facts += [("config", name, value) for name, value in _flat(config)]
    return [dict(zip(("kind", "name", "value"), fact, strict=True)) for fact in facts]


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, in this environment."""
    return {"python": platform.python_version()} | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed here"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Walk a nested configuration; yield its leaves, and lists without settings inside, under dotted names."""
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        children = enumerate(value)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return
    for key, child in children:
        yield from _flat(child, f"{name}.{key}".lstrip("."))
