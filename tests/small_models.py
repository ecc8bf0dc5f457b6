"""Random 2-layer models of several architectures, with token ids and what they are to predict of them."""

import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    RobertaConfig,
)

from fuse_to_forget.prediction.likelihood import IGNORED
from fuse_to_forget.statistics.fisher import Targets, next_tokens

SMALL = {"vocab_size": 40, "pad_token_id": 0}
ENCODER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
GPT2 = GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=32, initializer_range=0.2, **SMALL)
BERT = BertConfig(max_position_embeddings=32, initializer_range=0.2, **ENCODER, **SMALL)
MODELS = {
    "bert": lambda: AutoModelForSequenceClassification.from_config(BERT),
    "roberta": lambda: AutoModelForSequenceClassification.from_config(RobertaConfig(**ENCODER, **SMALL)),
    "distilbert": lambda: AutoModelForSequenceClassification.from_config(
        DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=24, **SMALL)
    ),
    "gpt2 classifier": lambda: AutoModelForSequenceClassification.from_config(GPT2),
    "gpt2": lambda: GPT2LMHeadModel(GPT2),
    "masked bert": lambda: AutoModelForMaskedLM.from_config(BERT),
}
LANGUAGE_MODELS = ("gpt2", "masked bert")
TOKEN_IDS = [[2, *range(4 + i, 4 + i + n), 3] for i, n in enumerate((3, 9, 1, 6, 3, 5, 8))]
LABELS = [0, 1, 1, 0, 1, 0, 0]


def made(family: str) -> PreTrainedModel:
    torch.manual_seed(3)
    return MODELS[family]()


def targets_of(family: str) -> Targets:
    if family == "masked bert":
        return [[t if i % 2 else IGNORED for i, t in enumerate(ids)] for ids in TOKEN_IDS]
    return next_tokens(TOKEN_IDS) if family == "gpt2" else LABELS
