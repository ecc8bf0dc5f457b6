"""Snakemake's output cache: what changes a result changes its key, nothing else does, a second clone trains nothing."""

import copy
import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT
from snakemake.utils import update_config
from test_settings import SHIPPED, parent_of
from workflow_runs import environment, make_project, run

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import checkpoint_digest, folder_of
from fuse_to_forget.workdir import check_cache

FINETUNE = {"finetune biases", "collect_statistics biases"}
BIASES = {"make_biased_subset biases", "combine_subsets biases"} | FINETUNE
ALL_BIASES = {"prepare_biases biases"} | BIASES
SHORTCUT_MODELS = {"finetune shortcuts", "collect_statistics shortcuts"}
TRAIN = SHORTCUT_MODELS | {"draw_random_model shortcuts"}
INJECT = {"inject_shortcuts shortcuts", "combine_shortcuts shortcuts"} | TRAIN
SHORTCUTS = {"prepare_shortcuts shortcuts"} | INJECT
CAUSAL_MODELS, MASKED_MODELS = (
    {f"finetune_language_model {study}", f"collect_language_statistics {study}"}
    for study in ("memorization", "masked_memorization")
)
CAUSAL = {"draw_subset memorization"} | CAUSAL_MODELS
MASKED = {"draw_subset masked_memorization"} | MASKED_MODELS
GPT2, BERT = {"pretrain tiny-gpt2"} | CAUSAL, {"pretrain tiny-bert"} | MASKED
ARTICLES = {"prepare_articles articles"} | GPT2 | BERT
DOMAIN_MODELS = {"finetune domains", "collect_statistics domains"}
DOMAIN_BASE = {"draw_head domains"} | DOMAIN_MODELS
DOMAINS = {"prepare_domains domains", "draw_domain_subset domains"} | DOMAIN_BASE
STATISTICS = {f"collect_statistics {study}" for study in ("biases", "shortcuts", "domains")}
STATISTICS |= {f"collect_language_statistics {study}" for study in ("memorization", "masked_memorization")}

# A place in the config, its new value, and what gets another key: by rule, and study or model
CHANGES = [
    ("bootstrap.resamples", 51, set()),
    ("biases.sweep.steps", 5, set()),
    ("shortcuts.fisher.groups", 5, set()),
    ("memorization.prediction.prefix", 5, set()),
    ("sources.tiny.values.label", [1, 0], ALL_BIASES | SHORTCUTS),
    ("biases.splits.seed", 2, ALL_BIASES),
    ("biases.subsets.size", 100, BIASES),
    ("biases.subsets.biases.0.ratio", 0.7, BIASES),
    ("biases.training.epochs", 1, FINETUNE),
    ("shortcuts.splits.dev", 0.2, SHORTCUTS),
    ("shortcuts.injection.size", 300, SHORTCUTS),
    ("shortcuts.injection.seed", 2, INJECT),
    ("departures.position_ties", "allow", INJECT),
    ("departures.insert_between", "wordpieces", INJECT),
    (
        "shortcuts.mixtures.TiC+OP",
        {"OP": 0.5, "TiC": 0.5},
        {"inject_shortcuts shortcuts"} | SHORTCUT_MODELS,
    ),
    ("shortcuts.singles", ["OR", "TiC", "OP"], {"combine_shortcuts shortcuts", "finetune shortcuts"}),
    ("shortcuts.training.stop.accuracy", 0.8, TRAIN),
    ("shortcuts.full_epochs", 0.25, {"finetune shortcuts"}),
    ("shortcuts.random_distance", ["TiC", "OP"], {"draw_random_model shortcuts"}),
    ("articles.splits.seed", 2, ARTICLES),
    ("pretrained.tiny-gpt2.training.epochs", 2, GPT2),
    ("pretrained.tiny-bert.seed", 2, BERT),
    ("memorization.sequences.packing", "articles", CAUSAL),
    ("memorization.subsets.seed", 2, CAUSAL),
    ("departures.subsets_disjoint_by", "block", CAUSAL | MASKED),
    ("masked_memorization.training.learning_rate", 1.0e-3, MASKED_MODELS),
    ("domains.splits.seed", 2, DOMAINS),
    ("domains.non_iid.skew", 0.7, {"draw_domain_subset domains"} | DOMAIN_MODELS),
    ("domains.training.epochs", 2, DOMAIN_MODELS),
    ("methods.statistics.examples", 21, STATISTICS),
    ("methods.uses.ties.settings", {"density": 0.3}, set()),
]


def config_with(base: dict, place: str | None = None, value: object = None) -> dict:
    config = copy.deepcopy(base)
    if place:
        holder, key = parent_of(config, place)
        holder[key] = value
    return config


def keys_of(project: Path, *folders: Path) -> dict[str, dict[str, str]]:
    """The keys in these working directories, by the folder's name."""
    command = [sys.executable, Path(__file__).with_name("cache_keys.py"), project, *folders]
    variables = environment() | {"SNAKEMAKE_OUTPUT_CACHE": str(project)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """What has another key, by rule, and study or model; a path that both have must be there."""
    other = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert before.keys() & after.keys()
    return {f"{name.split()[0]} {name.split('/')[2]}" for name in other}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("caching") / "project")


@pytest.fixture(scope="module")
def tiny():
    """The configuration of the tests, merged over the shipped one."""
    config = copy.deepcopy(SHIPPED)
    update_config(config, yaml.safe_load((ROOT / "tests/config.yaml").read_text()))
    return config


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, project):
    """Make a working directory with the project's raw files and a configuration."""
    parent = tmp_path_factory.mktemp("workdirs")

    def make(name, config):
        folder = parent / name
        for data in ("data", "base"):
            shutil.copytree(project / data, folder / data)
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        return folder

    make.parent = parent
    return make


@pytest.fixture(scope="module")
def keys(project, tiny, workdir):
    """The keys for the unchanged configuration (`here`, and `there` in another place), and for each change."""
    folders = [workdir("here", tiny), workdir("there", tiny)]
    folders += [workdir(place, config_with(tiny, place, value)) for place, value, _ in CHANGES]
    folders += [
        workdir("shipped", SHIPPED),
        workdir("hash", config_with(SHIPPED, "downloads.text.sha256", 64 * "0")),
    ]
    with ThreadPoolExecutor() as pool:  # two processes share the work
        halves = pool.map(lambda half: keys_of(project, *half), (folders[::2], folders[1::2]))
    return {name: found for half in halves for name, found in half.items()}


def test_every_rule_that_is_worth_it_is_cached(keys):
    cached = {name.split()[0] for name in (*keys["here"], *keys["shipped"])}
    listed = re.search(r"--cache ([a-z_ ]{50,})", (ROOT / "docs/caching.md").read_text())
    assert cached == set(listed[1].split())
    assert {"download", "pretrain", "finetune", "finetune_language_model"} <= cached


def test_no_two_results_share_an_entry(keys):
    for name in ("here", "shipped"):
        assert len(set(keys[name].values())) == len(keys[name])


def test_the_working_directory_is_in_no_key(keys):
    assert keys["there"] == keys["here"]


@pytest.mark.parametrize(("place", "expected"), [(place, expected) for place, _, expected in CHANGES])
def test_a_change_of_config_changes_the_keys_of_what_it_concerns(keys, place, expected):
    assert changed(keys["here"], keys[place]) == expected


def test_another_download_changes_its_own_key_and_those_of_what_is_made_of_it(keys):
    found = changed(keys["shipped"], keys["hash"])
    assert {
        "download text",
        "prepare_biases biases",
        "prepare_articles articles",
        "pretrain tiny-bert",
    } <= found
    assert "download encoder" not in found


def test_raw_files_are_in_the_keys_by_content(project, tiny, keys, workdir):
    texts, articles, base = (workdir(name, tiny) for name in ("texts", "articles", "base"))
    with (texts / "data/train.csv").open("a") as file:
        file.write((texts / "data/train.csv").read_text().splitlines()[-1] + "\n")
    with (articles / "data/articles.jsonl").open("a") as file:
        file.write('{"id": "one more", "text": "hi"}\n')
    (base / "base/config.json").write_text((base / "base/config.json").read_text() + " ")
    found = keys_of(project, texts, articles, base)
    assert changed(keys["here"], found["texts"]) == ALL_BIASES | SHORTCUTS
    assert changed(keys["here"], found["articles"]) == ARTICLES
    assert changed(keys["here"], found["base"]) == FINETUNE | INJECT | DOMAIN_BASE


def test_two_raw_files_that_change_places_change_the_keys(project, tiny, workdir):
    config = config_with(tiny, "sources.tiny.dev", "data/dev.csv")
    one, other = workdir("one", config), workdir("other", config)
    for folder, names in ((one, ("train", "dev")), (other, ("dev", "train"))):
        rows = pd.read_csv(folder / "data/train.csv")
        rows[:300].to_csv(folder / "data" / f"{names[0]}.csv", index=False)
        rows[300:].to_csv(folder / "data" / f"{names[1]}.csv", index=False)
    found = keys_of(project, one, other)
    assert changed(found["one"], found["other"]) == ALL_BIASES | SHORTCUTS


@pytest.mark.parametrize(
    ("module", "expected"), [("training/stopping.py", FINETUNE | TRAIN | DOMAIN_MODELS), ("jobs.py", None)]
)
def test_code_that_a_rule_imports_is_in_its_key(project, keys, workdir, tmp_path, module, expected):
    edited = shutil.copytree(project, tmp_path / "edited")
    with (edited / "fuse_to_forget" / module).open("a") as file:
        file.write("\nEDITED = True\n")
    name = "here" if expected else "shipped"
    found = changed(keys[name], keys_of(edited, workdir.parent / name)[name])
    assert found == (expected or changed(keys[name], dict.fromkeys(keys[name], "")))


def test_scripts_of_cached_rules_read_only_what_is_in_the_key(keys):
    for rule in {name.split()[0] for name in keys["shipped"]}:
        script = (ROOT / f"workflow/scripts/{rule}.py").read_text()
        read = set(re.findall(r"snakemake\.(\w+)", script))
        assert read <= {"input", "output", "params", "log", "resources"}, rule
        assert set(re.findall(r"snakemake\.resources\.(\w+)", script)) <= {"gpu"}


def test_a_place_for_the_cache_is_asked_for_before_any_work(tmp_path):
    check_cache(str(tmp_path))
    check_cache("s3://bucket/cache")
    for place in (None, "", str(tmp_path / "nowhere")):
        with pytest.raises(InputError):
            check_cache(place)


def test_a_base_model_is_the_same_however_it_comes(tmp_path):
    """As the user's files, as a folder of links, and as one into which the cache has put a second copy."""
    (tmp_path / "own").mkdir()
    (tmp_path / "entry").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "own" / name).write_text(name)
        (tmp_path / "entry" / name).symlink_to(tmp_path / "own" / name)
    expected = checkpoint_digest(tmp_path / "own")
    files = sorted(map(str, (tmp_path / "own").iterdir()), reverse=True)
    assert folder_of(files) == folder_of(str(tmp_path / "own")) == tmp_path / "own"
    shutil.copytree(tmp_path / "own", tmp_path / "entry" / "entry")
    (tmp_path / "entry" / ".snakemake_timestamp").touch()
    assert checkpoint_digest(files) == checkpoint_digest(tmp_path / "entry") == expected
    (tmp_path / "own" / "config.json").write_text("other")
    assert checkpoint_digest(files) != expected


def test_a_plain_run_says_nothing_of_caches(project):
    target = "results/models/biases/gender/seed1/model.safetensors"
    assert "caching" not in run(project, target, "-n", "--quiet", "progress").replace(str(project), "")


def test_a_second_clone_trains_nothing_and_has_the_same_bytes(tmp_path, monkeypatch):
    target = "results/predictions/biases/models/gender/seed1.parquet"
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    first = make_project(tmp_path / "first")
    second = shutil.copytree(first, tmp_path / "second")
    run(first, target, "--cache")
    run(second, target, "--cache")
    log = "logs/finetune/biases/gender_seed1.log"
    assert (first / log).stat().st_size > 0
    assert (second / log).stat().st_size == 0  # nothing was trained
    model = second / "results/models/biases/gender/seed1/model.safetensors"
    assert model.is_symlink()
    assert (second / target).read_bytes() == (first / target).read_bytes()
    for file in model.parent.iterdir():
        assert file.read_bytes() == (first / file.relative_to(second)).read_bytes()
    assert "Nothing to be done" in run(first, target)
    assert "Nothing to be done" in run(second, target, "--cache")
