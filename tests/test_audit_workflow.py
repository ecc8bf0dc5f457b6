"""The audit as a user runs it: one command, one config file, models that no rule of this project trained."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from audit_models import save_encoder, train_classifier
from conftest import ROOT, demographic_frame
from snakemake.utils import update_config
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from workflow_runs import make_project, rules_to_run, run_with, the_sentence

TABLE = "results/audit/kept_and_forgotten.csv"
RULES = {"prepare_audit", "predict_audit", "score_audit", "plot_audit"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project with a user's two checkpoints, one of them an adapter, data and my.yaml."""
    folder = make_project(tmp_path_factory.mktemp("audit") / "project")
    frame = demographic_frame(400)
    frame[:300].to_csv(folder / "train.csv", index=False)
    frame[300:].to_csv(folder / "test.csv", index=False)
    base = save_encoder(folder / "models" / "base", "bert")
    for attribute in ("gender", "age"):
        biased = frame[:300][frame[attribute][:300] == frame["label"][:300]]
        train_classifier(base, biased, folder / "models" / attribute, lora=attribute == "age")
    config = {
        "task": "classification",
        "models": {"gender": "models/gender", "age": "models/age"},
        "base": "models/base",
        "methods": ["average", "ties", "regmean", "ensemble"],
        "attributes": {"gender": ["gender"], "age": ["age"]},
        "data": {"test": "test.csv"},
        "statistics": {"gender": "train.csv", "age": "train.csv"},
        "length": 64,
    }
    (folder / "my.yaml").write_text(yaml.safe_dump({"audit": config, "bootstrap": {"resamples": 50}}))
    return folder


def run(project: Path, *arguments: str) -> str:
    """Run the real command to its end and return all it printed."""
    # models this small do not fill a processor
    options = ["--cores", "2", "--set-threads", "predict_audit=1", "collect_audit_statistics=1"]
    command = [sys.executable, "-m", "snakemake", *arguments, *options, "--configfile", "my.yaml"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_one_command_audits_the_users_own_models(project):
    run(project, "audit", "results/audit/fused/average", "results/audit/fused/regmean")
    table = pd.read_csv(project / TABLE)
    assert table["method"].drop_duplicates().tolist() == [
        "constant", "finetuned", "mean", "average", "ties", "regmean", "ensemble",
    ]  # fmt: skip
    assert set(table["metric"]) == {"accuracy", "dp", "tpr_gap"}
    test = pd.read_csv(project / "test.csv")
    for use in ("average", "regmean"):
        predicted = predict(project / "results" / "audit" / "fused" / use, test["text"].tolist())
        own = table[table["method"] == use].set_index(["metric", "attribute"], drop=False)
        assert own.loc[("accuracy",), "value"].item() == pytest.approx((predicted == test["label"]).mean())
        rates = predicted.groupby(test["gender"]).mean()
        assert own.loc[("dp", "gender"), "value"] == pytest.approx(2 * abs(rates[0] - rates[1]))
        card = (project / "results" / "audit" / "fused" / use / "README.md").read_text()
        assert f"| accuracy on test | {own.loc[('accuracy',), 'value'].item():.3f} (" in card
    for name in ("kept_and_forgotten.html", "figure.pdf", "figure.png"):
        assert (project / "results" / "audit" / name).stat().st_size > 1000
    assert "Nothing to be done" in run(project, "audit")
    due = run(project, "audit", "-n", "--forcerun", "plot_audit")
    assert "rule plot_audit:" in due
    assert "rule predict_audit:" not in due


def predict(folder: Path, texts: list[str]) -> pd.Series:
    """What plain transformers makes of a checkpoint."""
    encoded = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        inputs = {key: encoded[key] for key in ("input_ids", "attention_mask")}
        return pd.Series(model(**inputs).logits.argmax(1).numpy())


def test_an_audit_changes_no_job_of_the_studies(project):
    """What a study's jobs depend on is the same with and without an audit in the config."""
    plans = []
    for audited in (True, False):
        config = yaml.safe_load((ROOT / "tests" / "config.yaml").read_text())
        if audited:
            update_config(config, yaml.safe_load((project / "my.yaml").read_text()))
        config["bootstrap"]["resamples"] = 50
        (project / "study.yaml").write_text(yaml.safe_dump(config))
        command = ["results/table1.csv", "-n", "--forceall", "--configfile", "config.yaml", "study.yaml"]
        plans.append(
            sorted(line for line in plan(project, *command) if line.startswith(("rule ", "    input")))
        )
    assert plans[0] == plans[1]
    assert not RULES & set(rules_to_run(project, "results/table1.csv"))


def plan(project: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def refused(project: Path, folder: Path, log: str | None, **audit: object) -> str:
    """What the workflow says of an audit that differs from the user's, in one sentence."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((project / "my.yaml").read_text()))
    section = config["audit"] | audit
    section["models"] = {name: str(project / path) for name, path in section["models"].items()}
    for key in ("base",):
        section[key] = str(project / section[key])
    section["data"] = {name: str(project / path) for name, path in section["data"].items()}
    section.pop("statistics")
    section["methods"] = ["average"]
    config["audit"] = section
    done = run_with(folder, "audit", config)
    if log:
        return the_sentence(done, folder / log)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_bad_input_is_refused_in_a_sentence_before_any_work(project, tmp_path):
    shutil.copytree(project / "models" / "gender", project / "models" / "again")
    (project / "groups.csv").write_text("text,label,gender\nhi,0,male\nyo,1,female\nhey,1,other\n")
    sentence = refused(
        project, tmp_path, "logs/prepare_audit.log", data={"test": "groups.csv"}, attributes=["gender"],
        models={"gender": "models/gender", "again": "models/again"},
    )  # fmt: skip
    assert "the attribute 'gender' has 3 values" in sentence
    assert not (tmp_path / "results" / "audit").exists()


def test_the_target_without_a_config_says_what_to_do(tmp_path):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    done = run_with(tmp_path, "audit", config)
    assert done.returncode == 1
    assert "copy config/audit.example.yaml" in done.stdout + done.stderr
