"""The example of docs/audit.md: its script makes what config/audit.example.yaml names, and that can be audited."""

import importlib.util
from functools import partial

import yaml
from conftest import ROOT

from fuse_to_forget.audit.models import check_models
from fuse_to_forget.audit.plan import read_audit
from fuse_to_forget.audit.reading import read_data
from fuse_to_forget.audit.uses import audited_uses


def test_the_script_makes_what_the_example_config_names(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("audit_example", ROOT / "docs" / "audit_example.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "train", partial(script.train, epochs=0))
    script.make()
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    # as the page says: with the line of statistics
    text = (ROOT / "config" / "audit.example.yaml").read_text().replace("  # statistics:", "  statistics:")
    config |= yaml.safe_load(text)
    audit = read_audit(config)
    uses, left_out = audited_uses(config, audit)
    assert list(left_out) == ["regmean_plus_plus"]  # as the page says
    assert len(uses) == 14  # as the page says
    classes = check_models(audit.checkpoints(), audit.base, audit.task, audit.length, audit.labels)
    frame = read_data(audit.data, audit.base, classes, audit.length)
    assert frame["dataset"].value_counts().to_dict() == {"test": 600, "slang": 200}
    test = frame[frame["dataset"] == "test"]
    for attribute in ("gender", "age"):
        assert abs(test["label"].corr(test[attribute])) < 0.1
