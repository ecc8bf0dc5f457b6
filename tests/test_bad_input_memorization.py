"""Bad articles and settings end the study of memorised text with one sentence and leave nothing behind."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, article_frame
from snakemake.utils import update_config
from test_bad_input import files_under
from transformers import GPT2Config
from workflow_runs import run_with, the_sentence

from fuse_to_forget.training.pretraining import train_tokenizer

ARTICLES, SUBSETS = "results/data/articles/train.parquet", "results/subsets/memorization/C.parquet"
PREPARING, DRAWING = "logs/prepare_articles.log", "logs/draw_subset/memorization/C.log"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A GPT-2 of 32 positions without weights, which nothing here comes so far as to load."""
    folder = tmp_path_factory.mktemp("base")
    train_tokenizer(article_frame(40)["text"], 300, "causal", 32).save_pretrained(folder)
    GPT2Config(n_positions=32, vocab_size=300).save_pretrained(folder)
    return str(folder)


def run(
    folder: Path, target: str, splits: dict[str, pd.DataFrame], *options: str, **study: object
) -> subprocess.CompletedProcess:
    """Ask the real workflow for `target`, with the user's articles and changes to the section `memorization`."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "tests/config.yaml").read_text()))
    config["sources"]["mine"] = {"kind": "articles", "columns": {"text": "text"}}
    for split, frame in splits.items():
        file = folder / f"{split}.jsonl"
        frame.to_json(file, orient="records", lines=True)
        config["sources"]["mine"][split] = str(file)
    update_config(config, {"articles": {"source": "mine"}, "memorization": study})
    return run_with(folder, target, config, *options)


def refused(folder: Path, log: str, target: str, splits: dict[str, pd.DataFrame], **study: object) -> str:
    """Assert that the job that writes `log` fails with one sentence, shown to the user, and leaves no output."""
    done = run(folder, target, splits, **study)
    sentence = the_sentence(done, folder / log)
    assert files_under((folder / target).parent) == []
    return sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(" ", "has an empty text in row 7"), ("x" * 10**6, "a text of 1000000 characters in row 7")],
    ids=["empty", "endless"],
)
def test_an_empty_article_and_one_of_a_million_characters(tmp_path, text, sentence):
    frame = article_frame(20)
    frame.loc[6, "text"] = text
    told = refused(tmp_path, PREPARING, ARTICLES, {"train": frame})
    assert f"{tmp_path / 'train.jsonl'} has" in told
    assert sentence in told
    assert len(told) < 400
    assert files_under(tmp_path / "results") == []


def test_a_dev_file_that_is_the_train_file(tmp_path):
    frame = article_frame(100)
    told = refused(tmp_path, PREPARING, ARTICLES, {"train": frame, "dev": frame})
    assert "The splits dev and train share 100 of the 100 texts of train" in told
    assert files_under(tmp_path / "results") == []


def test_too_few_articles_for_the_subsets(tmp_path, base):
    sizes = {"models": 3, "unshared": 5000, "shared": 8, "dev": 8, "held_out": 8}
    told = refused(tmp_path, DRAWING, SUBSETS, {"train": article_frame(160)}, base_model=base, subsets=sizes)
    assert "80 articles make" in told
    assert "but 15008 are wanted (8 for shared, 5000 for A, 5000 for B, 5000 for C)" in told
    assert len(files_under(tmp_path / "results/data/articles")) == 4  # what was right stays


def test_sequences_beyond_the_context_of_the_users_model(tmp_path, base):
    articles, settings = {"train": article_frame(160)}, {"length": 33}
    told = refused(tmp_path, DRAWING, SUBSETS, articles, base_model=base, sequences=settings)
    assert f"sequences of 33 tokens, but the context of {base} is 32; lower" in told


def test_a_base_model_without_its_config(tmp_path):
    (tmp_path / "empty").mkdir()
    folder = str(tmp_path / "empty")
    told = refused(tmp_path, DRAWING, SUBSETS, {"train": article_frame(160)}, base_model=folder)
    assert f"The model {folder} cannot be opened" in told


def test_sequences_beyond_the_context_of_a_model_that_is_pretrained_here(tmp_path):
    done = run(tmp_path, SUBSETS, {"train": article_frame(160)}, "-n", sequences={"length": 33})
    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    assert "Traceback (most recent call last)" not in shown
    told = [line for line in shown.splitlines() if line.strip().startswith("The config ")]
    assert len(told) == 1, shown
    assert (
        "33 tokens in memorization.sequences.length, but memorization.base_model is pretrained on 32"
        in told[0]
    )
    assert not (tmp_path / "results").exists()
