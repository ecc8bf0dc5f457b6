"""The whole workflow, from raw rows to table and figure, and what a change makes it run again."""

import os
import signal
import subprocess
import time

import pandas as pd
import pytest
from workflow_runs import command, environment, make_project, rules_to_run, run

SCORING = {"score_biases", "tabulate_table1", "plot_figure5"}
SHORTCUT_FIGURES = {"plot_interpolations", "plot_figure4", "plot_triplet"}
SHORTCUT_CLAIMS = {"judge_shortcut_claims", "plot_figure4", "combine_claims"}
SHORTCUT_SCORING = {"score_shortcuts"} | SHORTCUT_CLAIMS | SHORTCUT_FIGURES
FISHER = {"tabulate_table4", "plot_fisher_layers"} | SHORTCUT_CLAIMS
MEMORIZATION_TABLES = {"tabulate_memorization", "tabulate_extraction"}
MEMORIZATION_FIGURES = {"plot_memorization", "plot_extraction"}
MEMORIZATION_SCORING = {"score_memorization", "judge_memorization_claims", "combine_claims"}
MEMORIZATION_SCORING |= MEMORIZATION_TABLES | MEMORIZATION_FIGURES
AFTER_FUSION = {"sweep", "read_sequences"} | SCORING | SHORTCUT_SCORING | MEMORIZATION_SCORING


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in which everything was made once."""
    folder = make_project(tmp_path_factory.mktemp("workflow") / "project")
    run(folder, "all")
    return folder


@pytest.fixture
def edit(project):
    """Change files of the project; they are put back after the test."""
    before = {}

    def change(path, old, new):
        file = project / path
        before.setdefault(file, file.read_text())
        assert old in before[file]
        file.write_text(file.read_text().replace(old, new, 1))

    yield change
    for file, text in before.items():
        file.write_text(text)


def test_table_1_has_the_rows_and_columns_of_the_paper(project):
    table = pd.read_csv(project / "results" / "table1.csv")
    methods = ["biased", "inlp", "leace", "full", "fused"]
    assert list(zip(table["bias"], table["method"], strict=True)) == [
        (b, m) for b in ("age", "gender") for m in methods
    ]
    assert table.columns[:6].tolist() == ["bias", "method", "dp", "tpr_gap", "accuracy", "alpha"]
    assert table.columns[-2:].tolist() == ["n_seeds", "dataset"]
    assert set(table["n_seeds"]) == {1}
    assert set(table["dataset"]) == {"tiny, recorded demographics"}
    assert table["alpha"].notna().tolist() == [method == "fused" for method in table["method"]]
    for metric in ("dp", "tpr_gap", "accuracy"):
        assert (
            table[metric].between(table[f"{metric}_low"] - 1e-9, table[f"{metric}_high"] + 1e-9).mean() > 0.8
        )


def test_scores_are_tidy_and_complete(project):
    scores = pd.read_csv(project / "results" / "scores" / "biases.csv", dtype={"seed": str})
    contract = [
        "study",
        "model",
        "kind",
        "method",
        "coefficients",
        "dataset",
        "split",
        "metric",
        "value",
        "low",
        "high",
    ]
    assert set(contract) <= set(scores.columns)
    assert set(scores["seed"]) == {"1", "all"}
    assert set(scores["split"]) == {"dev", "test"}
    assert not scores["value"].isna().any()
    key = ["model", "method", "coefficients", "split", "attribute", "metric", "seed"]
    assert not scores.duplicated(key).any()


def test_figure_5_comes_as_pdf_and_png(project):
    assert (project / "results" / "figure5.pdf").read_bytes().startswith(b"%PDF")
    assert (project / "results" / "figure5.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_run_has_nothing_to_do(project):
    assert "Nothing to be done" in run(project, "all")


def test_no_scratch_or_checkpoint_is_left(project):
    left = [path for path in (project / "results").rglob("*") if path.name.endswith(".part")]
    assert left == []
    assert list((project / "results" / "checkpoints").rglob("checkpoint-*")) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "reruns"),
    [
        (
            "fuse_to_forget/scoring/fairness.py",
            "np.abs(_prediction_rate_gaps",
            "2 * np.abs(_prediction_rate_gaps",
            SCORING,
        ),
        ("fuse_to_forget/figures/figure5.py", "figsize=(10", "figsize=(9", {"plot_figure5"}),
        ("fuse_to_forget/figures/triplet.py", "figsize=(", "figsize=(1 + ", {"plot_triplet"}),
        (
            "fuse_to_forget/scoring/shortcut_claims.py",
            "HALF = 0.5",
            "HALF = 0.6",
            SHORTCUT_CLAIMS,
        ),
        (
            "fuse_to_forget/scoring/memorization.py",
            "[:, -1:] // 10, 1)",
            "[:, -1:] // 5, 1)",
            MEMORIZATION_SCORING,
        ),
        ("fuse_to_forget/figures/memorization.py", "figsize=(", "figsize=(1 + ", MEMORIZATION_FIGURES),
        ("fuse_to_forget/fusion/average.py", "CHUNK = 1 << 18", "CHUNK = 1 << 17", AFTER_FUSION),
        ("fuse_to_forget/tables/table1.py", '"accuracy"]', '"accuracy", ]', set()),
        ("fuse_to_forget/tables/table1.py", 'METRICS = ["dp"', 'METRICS = ["f1", "dp"', {"tabulate_table1"}),
        ("fuse_to_forget/scoring/fairness.py", '"""DP of the paper', '"""The DP of the paper', set()),
        (
            "fuse_to_forget/training/base.py",
            "# The mean of the old rows",
            "# A mean of the old rows",
            set(),
        ),
        ("workflow/scripts/finetune.py", '"""Fine-tune one model', '"""Fine-tune a model', set()),
    ],
    ids=[
        "dp",
        "plot",
        "triplet",
        "claims",
        "memorization",
        "memorization-figures",
        "fusion",
        "layout",
        "table",
        "docstring",
        "comment",
        "script-docstring",
    ],
)
def test_a_change_of_code_reruns_what_uses_it_and_nothing_else(project, edit, path, old, new, reruns):
    edit(path, old, new)
    assert rules_to_run(project, "all") == reruns


@pytest.mark.parametrize(
    ("old", "new", "reruns"),
    [
        (
            "resamples: 50",
            "resamples: 51",
            SCORING | SHORTCUT_SCORING | MEMORIZATION_SCORING | {"record_run"},
        ),
        ("sweep: {steps: 4}", "sweep: {steps: 5}", {"sweep", "record_run"} | SCORING),
        ("    steps: 4", "    steps: 5", {"sweep", "record_run"} | SHORTCUT_SCORING),
        ("groups: 4", "groups: 5", {"compare_fisher", "record_run"} | FISHER),
        ("inlp_iterations: 5", "inlp_iterations: 6", {"erase", "record_run"} | SCORING),
        ("prefix: 4", "prefix: 5", {"read_sequences", "record_run"} | MEMORIZATION_SCORING),
    ],
    ids=["bootstrap", "sweep", "shortcut-sweeps", "fisher", "inlp", "prefix"],
)
def test_a_change_of_config_reruns_what_uses_it_and_nothing_else(project, edit, old, new, reruns):
    edit("tests/config.yaml", old, new)
    assert rules_to_run(project, "all") == reruns


def test_a_new_seed_trains_only_its_own_models(project, edit):
    edit("tests/config.yaml", "seeds: [1]", "seeds: [1, 2]")
    output = run(project, "all", "-n")
    trained = [line for line in output.splitlines() if "wildcards: study=" in line and ", model=" in line]
    assert trained
    assert all("seed=2" in line for line in trained)


def test_the_fused_checkpoint_of_a_recipe_can_be_asked_for(project):
    from transformers import AutoModelForSequenceClassification

    run(project, "results/fused/biases/average/seed1/model.safetensors")
    folder = project / "results" / "fused" / "biases" / "average" / "seed1"
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.id2label == {0: "0", 1: "1"}
    card = (folder / "README.md").read_text()
    assert "gender" in card
    assert "tables of the user" in card
    assert str(project) not in card


def test_the_report_holds_table_and_figure(project):
    run(project, "--report", "report.html")
    page = (project / "report.html").read_text()
    made = ["table1.html", "table3.html", "table4.html", "shortcuts.html", "fisher_layers.png", "run.csv"]
    made += ["table2.html", "table7.html", "extraction.html", "figure_extraction.png", "claims.html"]
    made += [f"figure{number}.png" for number in range(2, 13)]
    for what in (*made, "What did the fused model keep"):
        assert what in page


def test_killed_in_training_the_same_command_ends_with_the_same_table(project):
    """`kill -9` of the whole process tree leaves a lock and half-written files; neither may stop the next run."""
    table = project / "results" / "table1.csv"
    target = "results/models/biases/gender/seed1/model.safetensors"
    weights = project / target
    expected, expected_weights = table.read_bytes(), weights.read_bytes()
    weights.unlink()
    process = subprocess.Popen(
        command("all", target),
        cwd=project,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = project / "results" / "checkpoints" / "biases" / "gender" / "seed1"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("checkpoint-*")) and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not weights.exists()
    assert list((project / ".snakemake" / "locks").iterdir())
    run(project, "all", target)
    assert weights.read_bytes() == expected_weights
    assert table.read_bytes() == expected
    assert "Nothing to be done" in run(project, "all")
