"""The conda environments carry the versions of the lock."""

import re

import pytest
import yaml
from conftest import ROOT


def locked_versions() -> dict[str, str]:
    """Versions that the lock pins for Python 3.11."""
    pins = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        match = re.match(r"([\w.-]+)==([\w.+-]+)\s*(;.*)?$", line)
        if match and ">= '3.12'" not in (match[3] or ""):
            pins[match[1]] = match[2]
    return pins


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda file: file.stem)
def test_versions_do_not_drift(file):
    python, _, pip = yaml.safe_load(file.read_text())["dependencies"]
    assert python == "python=3.11"
    locked = locked_versions()
    for pin in pip["pip"]:
        name, version = pin.split("==")
        assert locked[name] == version, f"{file.name} pins {pin}, the lock {locked[name]}"


def test_every_direct_dependency_is_locked():
    wanted = [
        re.match(r"[\w-]+", line)[0]
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line[:1].isalpha()
    ]
    assert set(wanted) <= set(locked_versions())
    assert "torch" in locked_versions()


def test_what_scripts_import_is_in_their_environment():
    """Each rule's environment pins every package that its script, and the modules it uses, import."""
    from modulefinder import ModuleFinder

    names = {
        "sklearn": "scikit-learn",
        "concept_erasure": "concept-erasure",
        "huggingface_hub": "huggingface-hub",
    }
    known = set(locked_versions())
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.M)[1:]:
            script = re.search(r'"\.\./scripts/(\w+\.py)"', rule)[1]
            environment = re.search(r'"\.\./\.\./envs/(\w+)\.yaml"', rule)[1]
            pinned = {
                pin.split("==")[0]
                for pin in yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())[
                    "dependencies"
                ][2]["pip"]
            }
            finder = ModuleFinder(path=[str(ROOT)])
            finder.run_script(str(ROOT / "workflow" / "scripts" / script))
            tops = {name.split(".")[0] for name in finder.badmodules}
            imported = {names.get(top, top) for top in tops} & known
            assert imported <= pinned, (
                f"{script} imports {imported - pinned}, which envs/{environment}.yaml lacks"
            )
