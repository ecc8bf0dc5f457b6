"""Which jobs the command `cost` counts: those of Snakemake's own dry run."""

import shutil

import pytest
import yaml
from conftest import ROOT

from fuse_to_forget.__main__ import main
from fuse_to_forget.cost.plan import Job, available_targets, merged_config, parse_dry_run
from fuse_to_forget.errors import InputError

DRY_RUN = """\
Building DAG of jobs...
Job stats:
job         count
--------  -------
finetune        1
all             1
total           2

[Sun Nov 22 15:36:39 2026]
rule finetune:
    input: results/subsets/biases/age.parquet
    output: results/models/biases/age/seed1/model.safetensors
    jobid: 3
    wildcards: study=biases, model=age, seed=1
    threads: 2
    resources: tmpdir=<TBD>, runtime=600, mem_mb=8000, mem=8 GB, mem_mib=7630, gpu=1
[Sun Nov 22 15:36:39 2026]
localrule all:
    input: results/table1.csv
    jobid: 0
    resources: tmpdir=<TBD>
Job stats:
job         count
--------  -------
finetune        1
all             1
total           2
"""


def test_jobs_are_read_from_a_dry_run():
    assert parse_dry_run(DRY_RUN) == [
        Job("finetune", {"study": "biases", "model": "age", "seed": "1"}, 8000),
        Job("all", {}, 0),
    ]


def test_a_dry_run_of_another_form_is_not_misread():
    with pytest.raises(ValueError, match="1 jobs read from a dry run that counts 2"):
        parse_dry_run(DRY_RUN.replace("localrule all:", "a job of all:"))


def test_configs_are_merged_as_snakemake_does():
    from snakemake.utils import update_config

    expected = yaml.safe_load((ROOT / "config.yaml").read_text())
    for file in ("config/paper.yaml", "tests/config.yaml"):
        update_config(expected, yaml.safe_load((ROOT / file).read_text()))
    files = [ROOT / "config/paper.yaml", ROOT / "tests/config.yaml"]
    assert merged_config(files, ROOT / "config.yaml") == expected


@pytest.mark.parametrize("content", [None, "[1, 2]", "a: [1"])
def test_a_file_that_is_no_config_is_refused(tmp_path, content):
    file = tmp_path / "my.yaml"
    if content:
        file.write_text(content)
    with pytest.raises(InputError, match=r"The config .*my\.yaml "):
        merged_config([file], ROOT / "config.yaml")


def test_studies_whose_data_are_missing_are_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no data lie here
    config = merged_config([], ROOT / "config.yaml")
    paper = merged_config([ROOT / "config" / "paper.yaml"], ROOT / "config.yaml")
    assert available_targets(config) == (["all"], [])
    targets, left_out = available_targets(paper)
    assert targets == ["shortcuts", "memorization"]
    assert left_out[0].startswith("biases is left out. The config names data/pan16-dual")


def test_the_command_counts_the_jobs_of_a_target(tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["cost", "results/fused/biases/average/seed1/model.safetensors"]) == 0
    lines = capsys.readouterr().out.splitlines()
    jobs = {cells[1].strip(): cells[2].strip() for line in lines if len(cells := line.split("|")) > 2}
    assert (jobs["finetune"], jobs["download"], jobs["total"]) == ("2", "2", "8")
    assert not (tmp_path / "results").exists()


def test_a_target_that_does_not_exist_is_one_sentence(tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["cost", "results/table99.csv"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: Snakemake makes no plan: MissingRuleException")
    assert "results/table99.csv" in printed
    assert printed.count("\n") == 1
