"""What a config asks of an audit, and what makes no sense in it."""

import re

import pytest
import yaml
from conftest import ROOT

from fuse_to_forget.audit.plan import audit_downloads, read_audit
from fuse_to_forget.audit.uses import audited_uses
from fuse_to_forget.errors import InputError
from fuse_to_forget.settings import check_config

USES = yaml.safe_load((ROOT / "config.yaml").read_text())["methods"]


@pytest.fixture
def section(tmp_path, monkeypatch) -> dict:
    """The shortest section, with what it names in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "base"):
        (tmp_path / name).mkdir()
    (tmp_path / "test.csv").write_text("text,label\nhi,0\n")
    return {"task": "classification", "models": {"a": "a", "b": "b"}, "data": {"test": "test.csv"}}


def config_of(section: dict) -> dict:
    return {"audit": section, "downloads": {"encoder": {}}, "methods": USES}


def test_the_shortest_config_is_enough(section):
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert config["audit"] == {}
    assert read_audit(config) is None
    check_config(config | {"audit": section}, schema)
    audit = read_audit(config_of(section))
    assert audit.data["test"].known_to == ["a", "b"]
    uses, left_out = audited_uses(config_of(section), audit)
    assert "average" in uses
    assert "ensemble" in uses
    assert set(uses) | set(left_out) == set(USES["uses"])
    assert "fine-tuned from" in left_out["ties"]
    assert "statistics" in left_out["regmean"]


def test_the_example_has_every_key():
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    text = (ROOT / "config" / "audit.example.yaml").read_text()
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    check_config(config | yaml.safe_load(text), schema)
    for key in schema["properties"]["audit"]["properties"]:
        assert re.search(rf"^  (# )?{key}:", text, flags=re.M), key


def test_models_of_the_hub_are_downloads_under_their_names(section):
    given = {"repo": "o/n", "revision": "0" * 40, "adapter": True}
    section |= {"models": {"a": given, "b": "encoder"}, "base": {"repo": "o/b", "revision": "1" * 40}}
    assert audit_downloads(section)["audit_a"] == {"repo": "o/n", "revision": "0" * 40}
    audit = read_audit(config_of(section))
    assert audit.models == {"a": "results/downloads/audit_a", "b": "results/downloads/encoder"}
    assert (audit.base, audit.repo) == ("results/downloads/audit_base", "o/b")
    assert audit.checkpoints()["a"] == "results/audit/adapters/a"


TEXT = {"own": {"file": "test.csv", "known_to": ["a"]}, "control": "test.csv"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"models": {"a": "a"}}, "fewer than two models"),
        ({"models": {"a": "a", "base": "b"}}, "calls a model 'base'"),
        ({"models": {"a": "a", "b": "nowhere"}}, "names nowhere in audit.models.b, which is not there"),
        (
            {"models": {"a": "a", "b": "test.csv"}},
            "names test.csv in audit.models.b, which is a file; give a",
        ),
        ({"models": {"a": "a", "b": "./a"}}, "names ./a as both a and b in audit.models"),
        ({"base": "nowhere"}, "names nowhere in audit.base"),
        ({"data": {"test": "nowhere.csv"}}, "names nowhere.csv in audit.data.test"),
        ({"data": {"test": {"file": "test.csv", "known_to": ["c"]}}}, "the model 'c' in audit.data.test"),
        ({"attributes": {"gender": ["c"]}}, "the model 'c' in audit.data.test"),
        ({"methods": ["mean"]}, "the method 'mean' in audit.methods"),
        ({"methods": ["ties"]}, "'ties' in audit.methods, but it needs the model that these were fine-tuned"),
        (
            {"methods": ["fisher"]},
            "but it needs fisher statistics of each model, and audit.statistics names no",
        ),
        ({"statistics": {"a": "test.csv"}}, "but none of b"),
        ({"task": "causal", "data": TEXT}, "names no audit.base, but what language models remember"),
        ({"task": "causal", "base": "base"}, "names|has 1 sets|1 sets in audit.data that no model knows"),
        ({"task": "causal", "base": "base", "data": TEXT, "prefix": 200}, "lower the prefix"),
        ({"task": "causal", "base": "base", "data": TEXT, "attributes": ["x"]}, "language models predict no"),
    ],
)
def test_what_makes_no_sense_is_refused(section, changes, sentence):
    config = config_of(section | changes)
    with pytest.raises(InputError, match=sentence):
        audited_uses(config, read_audit(config))


def test_an_adapter_needs_a_base(section, tmp_path):
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="the adapter a, which is nothing without"):
        read_audit(config_of(section))
    with pytest.raises(InputError, match="which is an adapter; name a whole model"):
        read_audit(config_of(section | {"models": {"c": "base", "b": "b"}, "base": "a"}))


def test_text_that_a_model_knows_gives_statistics(section):
    text = {
        "of_a": {"file": "test.csv", "known_to": ["a"]},
        "both": {"file": "test.csv", "known_to": ["a", "b"]},
    }
    config = config_of(section | {"task": "causal", "base": "base", "data": text | {"control": "test.csv"}})
    assert [len(sets) for sets in read_audit(config).sampled().values()] == [2, 1]
    assert "regmean" in audited_uses(config, read_audit(config))[0]
    del config["audit"]["data"]["both"]
    assert "not every model" in audited_uses(config, read_audit(config))[1]["regmean"]
