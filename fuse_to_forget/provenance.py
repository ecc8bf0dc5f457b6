"""Versions by content: a job runs again when the code that it uses has changed, and only then."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def code_version(script: str) -> str:
    """Digest of a workflow script and of every module of this project that it imports, directly or not.

    Comments, docstrings and formatting do not count. Imports are followed without being run; libraries
    outside the project do not count (the lock file pins them). Snakemake tracks params, so a rule
    that carries this digest as a param reruns exactly when its own code changes.
    """
    found: dict[Path, str] = {}
    files = [ROOT / "workflow" / "scripts" / script]
    while files:
        file = files.pop()
        if file not in found:
            found[file], imports = _parsed(file.read_text(encoding="utf-8"))
            files += (imported for name in imports for imported in _files_of(name, file))
    digest = hashlib.sha256()
    for file in sorted(found):
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(found[file].encode())
    return digest.hexdigest()[:12]


@functools.cache  # rules share most of their modules, and every job on a cluster parses the rules twice
def _parsed(source: str) -> tuple[str, frozenset[str]]:
    """Return Python source without comments and docstrings, in one canonical layout, and the names that it imports.

    A name is that of a module or of what is taken from one, with its dots; a relative one starts with them.
    """
    tree = ast.parse(source)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (f"{node.module}." if node.module else "")
            names.update(module + alias.name for alias in node.names)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree), frozenset(names)


def _files_of(name: str, importer: Path) -> Iterator[Path]:
    """Yield the files of the project that importing `name` runs: the packages on the way and the module."""
    parts = name.lstrip(".").split(".")
    level = len(name) - len(name.lstrip("."))
    folder = importer.parents[level - 1] if level else ROOT
    for part in parts:
        if (folder / part / "__init__.py").is_file():
            folder /= part
            yield folder / "__init__.py"
        else:
            if (folder / f"{part}.py").is_file():
                yield folder / f"{part}.py"
            return
