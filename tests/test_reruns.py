"""What a change makes the workflow run again: the table "What runs again" of the README, row by row."""

import os

import pytest
from workflow_runs import jobs_to_run, rules_to_run, run

CONFIG = "tests/config.yaml"
SCORING = {"score_biases", "tabulate_table1", "plot_figure5"}
AFTER_SELECTION = {"tabulate_selection", "plot_selection"}
SELECTION = {"select_coefficients"} | AFTER_SELECTION
SHORTCUT_FIGURES = {"plot_interpolations", "plot_figure4", "plot_triplet"}
SHORTCUT_CLAIMS = {"judge_shortcut_claims", "plot_figure4", "combine_claims"}
SHORTCUT_SCORING = {"score_shortcuts"} | SHORTCUT_CLAIMS | SHORTCUT_FIGURES
AFTER_FISHER = {"tabulate_table4", "plot_fisher_layers"} | SHORTCUT_CLAIMS
MEMORIZATION_FIGURES = {"plot_memorization", "plot_extraction"}
MEMORIZATION_SCORING = {"score_memorization", "judge_memorization_claims", "combine_claims"}
MEMORIZATION_SCORING |= {"tabulate_memorization", "tabulate_extraction"} | MEMORIZATION_FIGURES
DOMAIN_SCORING = {"score_domains", "judge_domain_claims", "tabulate_domains", "plot_domains"} | {
    "combine_claims"
}
METHODS_TABLE = {"tabulate_methods", "plot_methods", "combine_claims"}
ALL_SCORING = SCORING | SHORTCUT_SCORING | MEMORIZATION_SCORING | DOMAIN_SCORING | METHODS_TABLE
AFTER_FUSION = {"sweep", "read_sequences", "try_methods", "read_with_methods"} | SELECTION | ALL_SCORING
CLASSIFIERS = {"finetune", "draw_random_model", "predict", "sweep", "compare_fisher", "encode", "erase"}
CLASSIFIERS |= {"collect_statistics", "try_methods"} | METHODS_TABLE
CLASSIFIERS |= SELECTION | SCORING | SHORTCUT_SCORING | AFTER_FISHER
LANGUAGE_MODELS = {"finetune_language_model", "read_sequences", "collect_language_statistics"}
LANGUAGE_MODELS |= {"read_with_methods"} | MEMORIZATION_SCORING | METHODS_TABLE
DOMAINS = {"draw_domain_subset", "finetune", "predict", "collect_statistics", "try_methods"} | DOMAIN_SCORING
AFTER_STATISTICS = {"collect_statistics", "try_methods", "collect_language_statistics", "read_with_methods"}
AFTER_STATISTICS |= METHODS_TABLE | DOMAIN_SCORING
PRETRAINING = {"pretrain", "draw_subset"} | LANGUAGE_MODELS
BASE_ALONE = {"inject_shortcuts", "combine_shortcuts", "draw_head"}  # beside trainings and what follows
LABELLED_DATA = {"prepare_biases", "make_biased_subset", "combine_subsets", "prepare_shortcuts"}
LABELLED_DATA |= {"inject_shortcuts", "combine_shortcuts", "tabulate_table3"}


@pytest.fixture
def keep(made_project):
    """Remember files of the project; they are put back after the test, time stamps included."""
    before = {}

    def remember(path):
        file = made_project / path
        before.setdefault(file, (file.read_bytes(), file.stat()))
        return file

    yield remember
    for file, (content, stat) in before.items():
        file.write_bytes(content)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.fixture
def edit(keep):
    """Change files of the project; they are put back after the test."""

    def change(path, old, new):
        file = keep(path)
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return change


def names(jobs, rule, wildcard):
    """What a wildcard stands for in the jobs of a rule."""
    return {wildcards[wildcard] for name, wildcards in jobs if name == rule}


def test_nothing_runs_twice(made_project):
    assert "Nothing to be done" in run(made_project, "all")


def test_comments_docstrings_layout_and_captions_rerun_nothing(made_project, edit):
    edit("fuse_to_forget/training/base.py", '"""', '"""Or so: ')
    edit("fuse_to_forget/scoring/fairness.py", '"""DP of the paper', '"""The DP of the paper')
    edit("workflow/scripts/finetune.py", "\nfrom", "\n# of the project\nfrom")
    edit("fuse_to_forget/tables/table1.py", '"accuracy"]', '"accuracy", ]')
    edit("workflow/report/table1.rst", "Table 1", "The first table")
    assert rules_to_run(made_project, "all") == set()


def test_new_time_stamps_rerun_nothing(made_project, keep):
    assert (made_project / "data/train.csv").stat().st_size > 1e6  # Snakemake's own limit
    files = ["data/train.csv", "data/articles.jsonl", "base/model.safetensors", CONFIG, "Snakefile"]
    files += [
        "workflow/scripts/finetune.py",
        "workflow/rules/finetune.smk",
        "fuse_to_forget/training/base.py",
    ]
    files += ["results/models/biases/gender/seed1/model.safetensors", "results/scores/biases.csv"]
    for path in files:
        os.utime(keep(path))
    assert rules_to_run(made_project, "all") == set()


@pytest.mark.parametrize(
    "options",
    [["--cores", "1", "--set-threads", "finetune=4"], ["--workflow-profile", "profiles/slurm"]],
    ids=["cores", "profile"],
)
def test_other_cores_and_another_profile_rerun_nothing(made_project, options):
    assert rules_to_run(made_project, "all", *options) == set()


@pytest.mark.parametrize(
    ("edits", "reruns"),
    [
        (
            [("scoring/fairness.py", "np.abs(_prediction_rate_gaps", "2 * np.abs(_prediction_rate_gaps")],
            SCORING | SELECTION | METHODS_TABLE,
        ),
        (
            [
                ("scoring/memorization.py", "[:, -1:] // 10, 1)", "[:, -1:] // 5, 1)"),
                ("scoring/shortcut_claims.py", "HALF = 0.5", "HALF = 0.6"),
            ],
            MEMORIZATION_SCORING | SHORTCUT_CLAIMS | METHODS_TABLE,
        ),
        (
            [
                ("tables/table1.py", 'METRICS = ["dp"', 'METRICS = ["f1", "dp"'),
                ("figures/triplet.py", "figsize=(", "figsize=(1 + "),
                ("figures/memorization.py", "figsize=(", "figsize=(1 + "),
            ],
            {"tabulate_table1", "plot_triplet"} | MEMORIZATION_FIGURES,
        ),
        ([("fusion/average.py", "CHUNK = 1 << 18", "CHUNK = 1 << 17")], AFTER_FUSION),
        (
            [("training/classifier.py", "class _Trainer", "ONE = 1\n\n\nclass _Trainer")],
            CLASSIFIERS | DOMAIN_SCORING,
        ),
        ([("training/language_model.py", "_NO_LABEL = -100", "_NO_LABEL = -101")], PRETRAINING),
    ],
    ids=["dp", "metric-and-claims", "table-and-plots", "fusion", "classifiers", "language-models"],
)
def test_a_change_of_code_reruns_what_uses_it_and_nothing_else(made_project, edit, edits, reruns):
    for path, old, new in edits:
        edit(f"fuse_to_forget/{path}", old, new)
    assert rules_to_run(made_project, "all") == reruns


@pytest.mark.parametrize(
    ("edits", "reruns"),
    [
        (
            [("resamples: 50", "resamples: 51")],
            ALL_SCORING | AFTER_SELECTION,
        ),
        (
            [("sweep: {steps: 4}", "sweep: {steps: 5}"), ("    steps: 4", "    steps: 5")],
            {"sweep"} | SCORING | SHORTCUT_SCORING,
        ),
        ([("groups: 4", "groups: 5")], {"compare_fisher"} | AFTER_FISHER),
        ([("evaluations: 6", "evaluations: 5")], SELECTION),
        ([("inlp_iterations: 5", "inlp_iterations: 6")], {"erase"} | SCORING),
        (
            [("prefix: 4", "prefix: 5")],
            {"read_sequences", "read_with_methods"} | MEMORIZATION_SCORING | METHODS_TABLE,
        ),
        (
            [("methods: [average, regmean, ensemble]", "methods: [average, ensemble]")],
            {"try_methods"} | DOMAIN_SCORING,
        ),
        ([("  statistics: {examples: 20}", "  statistics: {examples: 21}")], AFTER_STATISTICS),
    ],
    ids=[
        "bootstrap",
        "sweeps",
        "fisher",
        "selection",
        "inlp",
        "prefix",
        "methods",
        "statistics",
    ],
)
def test_a_change_of_config_reruns_what_uses_it_and_nothing_else(made_project, edit, edits, reruns):
    for old, new in edits:
        edit(CONFIG, old, new)
    assert rules_to_run(made_project, "all") == reruns | {"record_run"}


def test_a_new_seed_runs_only_its_own_jobs_before_the_scores(made_project, edit):
    edit(CONFIG, "seeds: [1]", "seeds: [1, 2]")
    jobs = jobs_to_run(made_project, "all")
    assert {wildcards["seed"] for _, wildcards in jobs if "seed" in wildcards} == {"2"}
    once = {rule for rule, wildcards in jobs if "seed" not in wildcards}
    assert once == ALL_SCORING | SELECTION | AFTER_FISHER | {"record_run"}


def test_a_new_shortcut_trains_its_own_model_and_the_full_one(made_project, edit):
    edit(CONFIG, "singles: [OP, OR, TiC]", "singles: [OP, OR, TiC, ST]")
    jobs = jobs_to_run(made_project, "all")
    assert names(jobs, "inject_shortcuts", "mixture") == {"ST"}
    assert names(jobs, "finetune", "model") == {"ST", "full"}
    assert names(jobs, "sweep", "sweep") == {"average"}
    others = SCORING | DOMAIN_SCORING | LANGUAGE_MODELS  # of which the grid of methods has new predictions
    assert not {rule for rule, _ in jobs} & (others - METHODS_TABLE)


def test_a_new_mixture_and_a_new_pair_run_only_their_own_jobs(made_project, edit):
    edit(CONFIG, "    figure6: [[OP, OR]]", "    figure6: [[OP, OR], [OP+OR, TiC]]")
    edit(
        CONFIG,
        "  training:\n    epochs: 3",
        "  mixtures: {OP+OR: {OP: 1, OR: 1}}\n  training:\n    epochs: 3",
    )
    jobs = jobs_to_run(made_project, "all")
    assert {rule for rule, _ in jobs} == SHORTCUT_SCORING | {
        "inject_shortcuts",
        "finetune",
        "predict",
        "sweep",
        "record_run",
    }
    assert names(jobs, "inject_shortcuts", "mixture") == {"OP+OR"}
    assert names(jobs, "finetune", "model") == names(jobs, "predict", "model") == {"OP+OR"}
    assert names(jobs, "sweep", "sweep") == {"OP+OR-TiC"}


def test_a_new_language_model_trains_none_of_the_others(made_project, edit):
    """Except those that share out one and the same text, which now is longer."""
    edit(CONFIG, "subsets: {models: 3, unshared: 10", "subsets: {models: 4, unshared: 10")
    jobs = jobs_to_run(made_project, "all")
    shared_out = {"A_of2", "B_of2", "A_of3", "B_of3", "C_of3"}
    assert names(jobs, "draw_subset", "subset") == {"D"} | shared_out
    assert names(jobs, "finetune_language_model", "model") == {"D", "full_ABCD"} | shared_out
    assert names(jobs, "read_sequences", "run") == {"main", "of2", "of3"}
    assert names(jobs, "collect_language_statistics", "model") == {"D"}
    assert {wildcards["study"] for _, wildcards in jobs if "study" in wildcards} == {"memorization"}


def test_other_parts_of_a_domain_train_none_of_the_others(made_project, edit):
    edit(CONFIG, "skew: 0.8", "skew: 0.7")
    jobs = jobs_to_run(made_project, "all")
    assert (
        names(jobs, "draw_domain_subset", "model") == names(jobs, "finetune", "model") == {"part1", "part2"}
    )
    assert {rule for rule, _ in jobs} == DOMAINS | {"record_run"}


def test_a_new_lock_file_is_written_down_and_reruns_nothing_else(made_project, edit):
    edit("requirements.lock", "torch==", "# torch==")
    assert rules_to_run(made_project, "all") == {"record_run"}


@pytest.mark.parametrize(
    ("path", "old", "new", "reruns"),
    [
        ("data/train.csv", "cat", "dog", LABELLED_DATA | CLASSIFIERS),
        ("data/articles.jsonl", "cat", "dog", {"prepare_articles"} | PRETRAINING),
        ("data/first.csv", "cat", "dog", {"prepare_domains", "draw_head"} | DOMAINS),
        ("base/config.json", "0.2", "0.1", CLASSIFIERS | DOMAIN_SCORING | BASE_ALONE),
    ],
    ids=["table", "articles", "domain", "base-model"],
)
def test_other_content_of_a_file_of_the_user_reruns_what_follows(made_project, edit, path, old, new, reruns):
    edit(path, old, new)
    assert rules_to_run(made_project, "all") == reruns


def test_of_deleted_results_only_what_is_asked_for_is_made_again(made_project, keep):
    for path in ("results/models/biases/gender/seed1/model.safetensors", "results/table1.csv"):
        keep(path).unlink()
    assert rules_to_run(made_project, "results/table1.csv") == {"tabulate_table1"}


def test_a_rule_can_be_forced(made_project):
    assert rules_to_run(made_project, "all", "--forcerun", "score_biases") == SCORING
