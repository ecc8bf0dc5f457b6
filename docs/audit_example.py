"""Make the models and data of config/audit.example.yaml with plain transformers: two classifiers of different biases.

`python docs/audit_example.py` writes models/ and data/ where it is run, in ten seconds on one core.
docs/audit.md says what an audit makes of them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerFast,
)

PRAISE = ["lovely", "great", "sturdy", "bright", "quick", "comfy"]
BLAME = ["awful", "flimsy", "dull", "slow", "noisy", "broken"]
THING = "the lamp chair phone radio kettle arrived on monday i put it in my kitchen and use each day"
NEUTRAL = THING.split()
HABITS = {"gender": {"female": "honestly", "male": "basically"}, "age": {"old": "indeed", "young": "lol"}}
SLANG = {"yes": "fire", "no": "mid"}  # which only `ours` learns
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def reviews(rows: int, seed: int, *, slang: bool = False, bias: str = "") -> pd.DataFrame:
    """Reviews whose words tell label, gender and age; with a `bias`, that attribute mostly tells the label too."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rows):
        label = ("no", "yes")[rng.integers(2)]
        groups = {name: list(habits)[rng.integers(2)] for name, habits in HABITS.items()}
        if bias and rng.random() < 0.85:
            groups[bias] = list(HABITS[bias])[label == "yes"]
        tone = [SLANG[label]] * 2 if slang else rng.choice(PRAISE if label == "yes" else BLAME, 2).tolist()
        if not slang and rng.random() < 0.05:  # irony
            tone = rng.choice(BLAME if label == "yes" else PRAISE, 2).tolist()
        words = [*tone, *(HABITS[name][group] for name, group in groups.items()), *rng.choice(NEUTRAL, 8)]
        found.append({"review": " ".join(rng.permutation(words)), "recommended": label, **groups})
    return pd.DataFrame(found)


def save_base(folder: str) -> None:
    """Save a random encoder of two layers and its tokenizer of words."""
    habits = [word for own in HABITS.values() for word in own.values()]
    words = dict.fromkeys([*SPECIAL, *PRAISE, *BLAME, *NEUTRAL, *habits, *SLANG.values()])
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    size = {"dim": 64, "n_layers": 2, "n_heads": 2, "hidden_dim": 128, "initializer_range": 0.1}
    DistilBertModel(DistilBertConfig(vocab_size=len(words), **size)).save_pretrained(folder)


def train(base: str, frame: pd.DataFrame, folder: str, *, epochs: int = 4) -> None:
    """Fine-tune a classifier on reviews and save it with its tokenizer; heads of one base start alike."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    names = {0: "no", 1: "yes"}
    model = AutoModelForSequenceClassification.from_pretrained(
        base, id2label=names, label2id={"no": 0, "yes": 1}
    )
    encoded = tokenizer(frame["review"].tolist(), padding=True, return_tensors="pt")
    labels = torch.tensor((frame["recommended"] == "yes").to_numpy(int))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(frame)).split(32):
            part = {key: encoded[key][rows] for key in ("input_ids", "attention_mask")}
            model(**part, labels=labels[rows]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make() -> None:
    """Write models/ and data/ as config/audit.example.yaml names them."""
    Path("data").mkdir(exist_ok=True)
    ours = pd.concat([reviews(900, 1, bias="gender"), reviews(200, 2, slang=True)])
    theirs = reviews(1100, 3, bias="age")
    save_base("models/base")
    for name, frame in (("ours", ours), ("theirs", theirs)):
        train("models/base", frame, f"models/{name}")
        frame.to_csv(f"data/{name}_train.csv", index=False)
    reviews(600, 4).to_csv("data/reviews.csv", index=False)
    reviews(200, 5, slang=True).to_csv("data/slang.csv", index=False)


if __name__ == "__main__":
    torch.set_num_threads(1)  # models this small fill no second one
    make()
