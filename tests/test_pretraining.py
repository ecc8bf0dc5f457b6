"""Pretraining of small language models and their tokenizers."""

import pytest
from test_language_model_training import LENGTH, OBJECTIVES, SETTINGS, TEXTS, die_after, facts_of, make_base
from transformers import AutoTokenizer

from fuse_to_forget.errors import InputError
from fuse_to_forget.objectives import AUTO_MODELS
from fuse_to_forget.training.pretraining import train_tokenizer


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_killed_pretraining_ends_with_the_bytes_of_an_undisturbed_one(objective, tmp_path, monkeypatch):
    settings = {"settings": SETTINGS | {"batch_size": 16}}
    whole = make_base(tmp_path / "whole", objective, **settings)
    die_after(8, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        make_base(tmp_path / "killed", objective, **settings)
    assert list((tmp_path / "killed" / "checkpoints").glob("checkpoint-*"))
    monkeypatch.undo()
    resumed = make_base(tmp_path / "killed", objective, **settings)
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "config.json"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes()
    other = make_base(tmp_path / "other", objective, seed=2, **settings)
    assert (other / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("change", [{"seed": 2}, {"texts": [*TEXTS[1:], TEXTS[0] + "!"]}])
def test_a_killed_pretraining_with_another_seed_or_text_starts_afresh(change, tmp_path, monkeypatch, capfd):
    settings = {"settings": SETTINGS | {"batch_size": 16}}
    with monkeypatch.context() as patch:
        die_after(8, patch)
        with pytest.raises(KeyboardInterrupt):
            make_base(tmp_path, "causal", **settings)
    assert list((tmp_path / "checkpoints").glob("checkpoint-*"))
    capfd.readouterr()
    make_base(tmp_path, "causal", **settings, **change)
    assert "starting afresh" in capfd.readouterr().out


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_pretrained_checkpoint_opens_with_the_auto_classes(objective, tmp_path):
    folder = make_base(tmp_path, objective)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AUTO_MODELS[objective].from_pretrained(folder)
    fresh = train_tokenizer(TEXTS, 290, objective, LENGTH)
    assert tokenizer(TEXTS)["input_ids"] == fresh(TEXTS)["input_ids"]
    assert model.config.vocab_size == len(tokenizer) <= 290
    assert tokenizer.model_max_length == LENGTH
    assert model(**tokenizer(TEXTS[0], return_tensors="pt")).logits.shape[-1] == len(tokenizer)
    facts = facts_of(tmp_path)
    # a separator after each text
    whole = sum(len(ids) + 1 for ids in fresh(TEXTS, add_special_tokens=False)["input_ids"]) // LENGTH
    assert facts["dev_sequences"] == whole // 20
    assert facts["train_sequences"] + facts["dev_sequences"] == whole


def test_the_tokenizer_loses_nothing_and_is_a_function_of_its_texts():
    tokenizer = train_tokenizer(iter(TEXTS), 290, "causal", LENGTH)
    for text in (*TEXTS, "Hello  world!\n\ttwo 's  . , don 't", "日本 🎉", " lead "):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    again = train_tokenizer(iter(TEXTS), 290, "causal", LENGTH)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.unk_token_id == 0


def test_the_masked_tokenizer_frames_a_text():
    tokenizer = train_tokenizer(TEXTS, 290, "masked", LENGTH)
    assert tokenizer.decode(tokenizer("the cat")["input_ids"]) == "[CLS]the cat[SEP]"
    assert tokenizer.convert_ids_to_tokens(range(5)) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("architecture 'gpt22'", {"architecture": "gpt22"}),
        ("No causal language model can be made", {"config": {"n_embd": 15, "n_head": 2}}),
        ("No masked language model can be made", {"objective": "masked"}),
        ("Sequences of 33 tokens do not fit into the gpt2 model's context of 32", {"length": 33}),
        ("make only 2 sequences of 16 tokens, fewer than 20", {"texts": TEXTS[:2]}),
        ("make only 0 sequences", {"texts": []}),
        ("A vocabulary of 256 does not hold the 257 bytes", {"vocabulary": 256}),
    ],
)
def test_bad_pretraining_is_refused_in_a_sentence(message, changes, tmp_path):
    with pytest.raises(InputError, match=message):
        make_base(tmp_path, "causal", **changes)
    assert not (tmp_path / "model").exists()
