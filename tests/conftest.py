"""Tiny models and data that behave like real ones."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported anywhere
# Models this small fill no second processor, and threads that wait for each other on busy ones are ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "the cat sat on a mat and then dog ran over some hill with joy @ ! . hi yo hey sup ok fine"
WORDS = SENTENCE.split()
FILLER = [word for word in WORDS[:16] if word not in ("cat", "dog")]
STYLE = {"gender": ("hi", "yo"), "age": ("hey", "sup")}
VALUES = {"label": ["0", "1"], "gender": ["male", "female"], "age": ["young", "old"]}


def save_pico_bert(folder: Path, *, seed: int = 0, hidden: int = 32) -> Path:
    """Save a random 2-layer BERT encoder with a WordPiece tokenizer of its own."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=BertWordPieceTokenizer(vocabulary)._tokenizer, model_max_length=64, **names
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,  # so that so small a model learns within seconds
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def demographic_frame(rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Prepared rows whose label, gender and age can each be read off one word of the text."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(rows) % 8)
    frame = pd.DataFrame(
        {
            "id": [f"r{i}" for i in range(rows)],
            "label": codes // 4,
            "gender": codes // 2 % 2,
            "age": codes % 2,
        }
    )
    texts = []
    for row in frame.itertuples():
        filler = rng.choice(FILLER, rng.integers(3, 12)).tolist()
        topic = "cat" if row.label == (rng.random() < 0.95) else "dog"
        texts.append(" ".join([STYLE["gender"][row.gender], STYLE["age"][row.age], topic, *filler]))
    frame.insert(1, "text", texts)
    return frame


def article_frame(rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Articles of 20 to 40 words that hardly repeat each other."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(20, 40))) for _ in range(rows)]
    return pd.DataFrame({"id": [f"a{i}" for i in range(rows)], "text": texts})


@pytest.fixture(scope="session")
def pico_bert(tmp_path_factory) -> Path:
    return save_pico_bert(tmp_path_factory.mktemp("base") / "pico")


@pytest.fixture(scope="session")
def made_project(tmp_path_factory) -> Path:
    """A copy of the project in which everything was made once; what a test changes there it puts back."""
    from workflow_runs import make_project, run  # which imports from here

    folder = make_project(tmp_path_factory.mktemp("workflow") / "project")
    run(folder, "all")
    return folder
