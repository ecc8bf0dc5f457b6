"""Checkpoints and adapters made with plain transformers and peft, which no rule of this project trained."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from conftest import SENTENCE, save_pico_bert
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

VOCABULARY = {token: i for i, token in enumerate(["<pad>", "<eos>", "<unk>", *SENTENCE.split()])}
SMALL = {"vocab_size": len(VOCABULARY), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
CAUSAL = {
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.2, **SMALL),
    "llama": LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.2, **SMALL,
    ),
}  # fmt: skip
ADAPTED = {
    "bert": ["query", "value", "dense"],
    "distilbert": ["q_lin", "v_lin"],
    "gpt2": ["c_attn", "c_fc"],
    "llama": ["q_proj", "v_proj", "up_proj"],
}


def save_encoder(folder: Path, family: str) -> Path:
    """Save a random encoder with a tokenizer: bert or distilbert."""
    save_pico_bert(folder)
    if family == "distilbert":
        torch.manual_seed(0)
        words = len(AutoTokenizer.from_pretrained(folder))
        config = DistilBertConfig(
            vocab_size=words, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64,
            initializer_range=0.2,
        )  # fmt: skip
        DistilBertModel(config).save_pretrained(folder)
    return folder


def save_language_model(folder: Path, family: str) -> Path:
    """Save a random causal language model with a tokenizer of words: gpt2 or llama."""
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    names = {"pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(CAUSAL[family]).save_pretrained(folder)
    return folder


def train_classifier(
    base: Path, frame: pd.DataFrame, folder: Path, *, epochs: int = 6, labels: int = 2, lora: bool = False
) -> Path:
    """Fine-tune a classifier on a base, or a LoRA adapter of it, and save it; heads of one base start alike."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels)
    if lora:
        model = _with_adapter(model, "SEQ_CLS")
    _train(model, base, frame["text"].tolist(), epochs, torch.tensor(frame["label"].to_numpy()))
    return _save(model, base, folder)


def train_language_model(
    base: Path, texts: Sequence[str], folder: Path, *, epochs: int = 30, lora: bool = False
) -> Path:
    """Fine-tune a language model on a base, or a LoRA adapter of it, until it remembers the texts, and save it."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base)
    if lora:
        model = _with_adapter(model, "CAUSAL_LM")
    _train(model, base, list(texts), epochs)
    return _save(model, base, folder)


def _with_adapter(model: PreTrainedModel, task: str) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    targets = ADAPTED[model.config.model_type]
    kept = ["pre_classifier"] if model.config.model_type == "distilbert" else None
    settings = {"r": 8, "lora_alpha": 32, "target_modules": targets, "modules_to_save": kept}
    return get_peft_model(model, LoraConfig(task_type=task, **settings))


def _train(
    model: torch.nn.Module, base: Path, texts: list[str], epochs: int, labels: torch.Tensor | None = None
) -> None:
    encoded = AutoTokenizer.from_pretrained(base)(texts, padding=True, return_tensors="pt")
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    targets = ids.masked_fill(mask == 0, -100) if labels is None else labels
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(ids)).split(32):
            loss = model(input_ids=ids[rows], attention_mask=mask[rows], labels=targets[rows]).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()


def _save(model: torch.nn.Module, base: Path, folder: Path) -> Path:
    model.eval().save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder
