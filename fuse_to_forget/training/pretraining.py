"""Pretraining of a tiny language model and its tokenizer, where no pretrained one is small enough (section 6)."""

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast, set_seed

from fuse_to_forget.errors import InputError, first_line
from fuse_to_forget.objectives import AUTO_MODELS, Objective
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.subsets.sequences import context_length, pack, separator_id
from fuse_to_forget.training.language_model import LanguageModelSettings, finetune_language_model

# in the order of their ids
_SPECIAL_TOKENS = {
    "causal": {f"{name}_token": "<|endoftext|>" for name in ("bos", "eos", "unk")},
    "masked": {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
}
_LEAST_SEQUENCES = 20  # of which one in twenty is held out


def train_tokenizer(
    texts: Iterable[str], vocabulary: int, objective: Objective, length: int
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of at most `vocabulary` entries, special tokens included.

    Causal: `<|endoftext|>` begins and ends a text, and nothing is added. Masked: a text becomes [CLS] text [SEP].
    Every text can be encoded, and decodes to itself. `length` is the tokenizer's `model_max_length`, in tokens.
    The same texts give the same tokenizer. Raises InputError if the vocabulary does not hold the 256 bytes.
    """
    names = _SPECIAL_TOKENS[objective]
    special = list(dict.fromkeys(names.values()))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    least = len(alphabet) + len(special)
    if vocabulary < least:
        raise InputError(
            f"A vocabulary of {vocabulary} does not hold the {least} bytes and special tokens of a {objective} "
            f"tokenizer; set it to {least} or more."
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    if objective == "masked":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        clean_up_tokenization_spaces=False,
        model_input_names=[
            "input_ids",
            "attention_mask",
        ],  # GPT-2 would add token types as if they were words
        **names,
    )


def pretrain(
    texts: Sequence[str],
    output: str | Path,
    checkpoints: str | Path,
    *,
    architecture: str,
    config: dict,
    vocabulary: int,
    objective: Objective,
    length: int,
    settings: LanguageModelSettings,
    seed: int,
    identity: dict,
) -> None:
    """Train a tokenizer and a language model from scratch on `texts` and save a checkpoint at `output`.

    `architecture` is a model type of transformers ("gpt2", "bert"), `config` the fields of its config. The texts are
    joined, a separator after each, and cut into sequences of `length` tokens, the rest dropped; 5 % of them,
    drawn by `seed`, serve as dev. Training, files and resuming are those of `finetune_language_model`, where the seed
    and a digest of the texts join `identity`: a killed job with others starts afresh.
    Raises InputError for an architecture or config that makes no model of that objective, a `length` beyond its
    context, a vocabulary too small for bytes, or texts of fewer than 20 sequences.
    """
    tokenizer = train_tokenizer(texts, vocabulary, objective, length)
    model = _fresh_model(architecture, config, tokenizer, objective, derive_seed(seed, "initialisation"))
    context = context_length(model.config)
    if length > context:
        raise InputError(
            f"Sequences of {length} tokens do not fit into the {architecture} model's context of {context}; "
            "make them shorter or the context in its config longer."
        )
    train, dev = _split(_packed(texts, tokenizer, length), derive_seed(seed, "dev"))
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        finetune_language_model(
            scratch,
            train,
            dev,
            output,
            checkpoints,
            settings,
            objective=objective,
            seed=seed,
            identity=identity | {"seed": seed, "texts": _digest(texts)},
        )


def _fresh_model(
    architecture: str, config: dict, tokenizer: PreTrainedTokenizerFast, objective: Objective, seed: int
) -> PreTrainedModel:
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    set_seed(seed)
    try:
        fields = AutoConfig.for_model(architecture, **{**config, **ids, "vocab_size": len(tokenizer)})
        return AUTO_MODELS[objective].from_config(fields)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"No {objective} language model can be made of architecture {architecture!r} and its config "
            f"({first_line(error)}); name a model type of transformers, such as gpt2 (causal) or bert (masked), and "
            "fields of its config."
        ) from error


def _digest(texts: Sequence[str]) -> str:
    """Return a sha256 that tells any two lists of texts apart."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()


def _packed(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, length: int) -> np.ndarray:
    """Return the texts' tokens, a separator after each text, as rows of `length` (sequences x length, int64)."""
    separator = [separator_id(tokenizer)]
    encoded = (tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] for text in texts)
    rows = [ids for _, ids in pack((("", ids + separator) for ids in encoded), length)]
    if len(rows) < _LEAST_SEQUENCES:
        raise InputError(
            f"The pretraining texts make only {len(rows)} sequences of {length} tokens, fewer than {_LEAST_SEQUENCES}; "
            "give more text or a shorter length."
        )
    return np.array(rows, dtype=np.int64)


def _split(sequences: np.ndarray, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train and dev frames with a column `input_ids`; one sequence in twenty is dev."""
    drawn = np.random.default_rng(seed).permutation(len(sequences))
    held_out = len(sequences) // _LEAST_SEQUENCES
    return tuple(
        pd.DataFrame({"input_ids": list(sequences[np.sort(rows)])})
        for rows in (drawn[held_out:], drawn[:held_out])
    )
