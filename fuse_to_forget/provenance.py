"""Versions by content: a job runs again when the code that it uses has changed, and only then."""

import ast
import hashlib
from modulefinder import ModuleFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def code_version(script: str) -> str:
    """Digest of a workflow script and of every module of this project that it imports, directly or not.

    Comments, docstrings and formatting do not count. Imports are followed without being run; libraries
    outside the project do not count (the lock file pins them). Snakemake tracks params, so a rule
    that carries this digest as a param reruns exactly when its own code changes.
    """
    finder = ModuleFinder(path=[str(ROOT)])  # only the project: other imports stay unresolved
    finder.run_script(str(ROOT / "workflow" / "scripts" / script))
    files = sorted(Path(module.__file__) for module in finder.modules.values() if module.__file__)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(_code_alone(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:12]


def _code_alone(source: str) -> str:
    """Return Python source without comments and docstrings, in one canonical layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
