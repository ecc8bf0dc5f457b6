"""The digest of a script's code follows its imports and ignores what does not run."""

import pytest

from fuse_to_forget import provenance
from fuse_to_forget.provenance import code_version


@pytest.fixture
def tree(tmp_path, monkeypatch):
    files = {
        "workflow/scripts/job.py": '"""Job."""\nfrom lib.used import value\nprint(value)\n',
        "lib/__init__.py": "",
        "lib/used.py": '"""Used."""\nfrom lib.deeper import other\nvalue = other + 1  # why\n',
        "lib/deeper.py": "other = 1\n\n\ndef f():\n    return other\n",
        "lib/unused.py": "x = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("lib/deeper.py", "other = 1", "other = 2", True),
        ("lib/used.py", "+ 1", "+ 2", True),
        ("workflow/scripts/job.py", "print(value)", "print(value, 1)", True),
        ("lib/unused.py", "x = 1", "x = 2", False),
        ("lib/used.py", "# why", "# because", False),
        ("lib/used.py", '"""Used."""', '"""Used often."""', False),
        ("lib/used.py", '"""Used."""\n', "", False),
        ("lib/deeper.py", "def f():", 'def f():\n    """Say."""', False),
        ("lib/deeper.py", "other = 1", "other   =   1", False),
    ],
)
def test_only_code_that_runs_counts(tree, file, old, new, changes):
    before = code_version("job.py")
    text = (tree / file).read_text()
    assert old in text
    (tree / file).write_text(text.replace(old, new))
    assert (code_version("job.py") != before) == changes


def test_every_rule_carries_the_digest_of_its_own_script():
    import re

    from conftest import ROOT

    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.M)[1:]:
            name = rule.split(":")[0]
            script = re.search(r'"\.\./scripts/(\w+\.py)"', rule)
            assert script, f"{name} has no script"
            assert f'code=code_version("{script[1]}")' in rule, name
            assert script[1] == f"{name}.py"
            for needed in ("log:", "conda:", "mem_mb=", "runtime=", '"""'):
                assert needed in rule, f"{name} lacks {needed}"
