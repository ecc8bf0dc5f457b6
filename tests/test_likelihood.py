"""Likelihoods are those of one forward pass for each sequence, and recitation is that of greedy decoding."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel, GPT2Config, GPT2LMHeadModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.prediction.likelihood import (
    causal_likelihoods,
    check_context,
    draw_maskings,
    load_language_model,
    masked_likelihoods,
)

VOCABULARY, CONTEXT, PREFIX = 20, 24, 4
CLS, SEP, MASK = 1, 2, 3
SPECIAL = {0, CLS, SEP, MASK}
GPT2 = GPT2Config(
    vocab_size=VOCABULARY,
    n_positions=CONTEXT,
    n_embd=16,
    n_layer=2,
    n_head=2,
    initializer_range=0.4,  # far from uniform, so that contexts matter
    bos_token_id=None,
    eos_token_id=None,
)
BERT = BertConfig(
    vocab_size=VOCABULARY,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=CONTEXT,
    initializer_range=0.4,
)


def build(architecture, config):
    torch.manual_seed(5)
    return architecture(config).eval()


@pytest.fixture
def gpt2():
    return build(GPT2LMHeadModel, GPT2)


@pytest.fixture
def bert():
    return build(BertForMaskedLM, BERT)


@pytest.fixture(scope="module")
def sequences():
    """Thirteen sequences of 1 to 24 tokens, not in order of length, some with the id that pads."""
    rng = np.random.default_rng(2)
    lengths = [7, 24, 1, 2, 13, 7, 5, 4, 19, 11, 3, 24, 6]
    return [rng.integers(0, VOCABULARY, length).tolist() for length in lengths]


@pytest.fixture(scope="module")
def framed():
    """Eleven sequences between [CLS] and [SEP], and their ids."""
    rng = np.random.default_rng(3)
    lengths = [6, 1, 22, 9, 9, 3, 14, 2, 22, 5, 7]
    token_ids = [[CLS, *rng.integers(4, VOCABULARY, length).tolist(), SEP] for length in lengths]
    return token_ids, [f"text-{i}" for i in range(len(token_ids))]


@pytest.fixture(scope="module")
def overfitted():
    """A GPT-2 that knows four sequences, and sequences that it knows wholly, up to a changed token, or not."""
    model = build(GPT2LMHeadModel, GPT2)
    rng = np.random.default_rng(4)
    known = rng.integers(0, VOCABULARY, (4, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    batch = torch.tensor(known)
    for _ in range(60):
        optimizer.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
    changed = known.copy()
    changed[range(4), [4, 7, 11, 15]] += 1
    changed %= VOCABULARY
    unknown = rng.integers(0, VOCABULARY, (3, 9))
    return model, [*known.tolist(), *changed.tolist(), *unknown.tolist(), known[0, :10].tolist()]


def zeroed(model):
    """The same model with uniform predictions."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


def log_probabilities(model, ids):
    with torch.inference_mode():
        return torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0].double(), -1)


def refuse_to_run(*args, **kwargs):
    raise AssertionError("the model ran")


@pytest.mark.parametrize("batch_size", [1, 3, 5, 50])
def test_causal_likelihoods_are_those_of_one_forward_pass_each(gpt2, sequences, batch_size):
    expected = []
    for ids in sequences:
        scores = log_probabilities(gpt2, ids)
        expected.append(sum(scores[t - 1, ids[t]].item() for t in range(1, len(ids))))
    got = causal_likelihoods(gpt2, sequences, batch_size, PREFIX)
    assert got.log_likelihood == pytest.approx(expected, abs=1e-4)
    assert got.log_likelihood.dtype == np.float64
    assert got.tokens.tolist() == [len(ids) - 1 for ids in sequences]
    assert np.std(got.log_likelihood[1:] / np.maximum(got.tokens[1:], 1)) > 0.1  # the case is not trivial


def test_order_and_batch_size_change_no_causal_result(overfitted):
    model, sequences = overfitted
    order = np.random.default_rng(0).permutation(len(sequences))
    one = causal_likelihoods(model, sequences, 4, PREFIX)
    other = causal_likelihoods(model, [sequences[i] for i in order], 7, PREFIX)
    assert other.log_likelihood == pytest.approx(one.log_likelihood[order], abs=1e-4)
    assert other.tokens.tolist() == one.tokens[order].tolist()
    assert other.verbatim.tolist() == one.verbatim[order].tolist()


@pytest.mark.parametrize("prefix", [1, PREFIX, 8])
def test_verbatim_is_what_greedy_decoding_recites(overfitted, prefix):
    model, sequences = overfitted
    expected = []
    for ids in sequences:
        decoded = model.generate(
            torch.tensor([ids[:prefix]]),
            attention_mask=torch.ones(1, prefix, dtype=torch.long),
            do_sample=False,
            max_new_tokens=len(ids) - prefix,
        )[0].tolist()
        assert len(decoded) == len(ids)
        errors = [t for t in range(prefix, len(ids)) if decoded[t] != ids[t]]
        expected.append((errors[0] if errors else len(ids)) - prefix)
    got = causal_likelihoods(model, sequences, 3, prefix).verbatim
    assert got.tolist() == expected
    part = got / [len(ids) - prefix for ids in sequences]
    assert (part == 0).any()
    assert (part == 1).any()
    assert ((part > 0) & (part < 1)).any()


def test_uniform_causal_model_by_hand(gpt2):
    # All logits are equal, so every token has probability 1/V and the argmax is token 0.
    token_ids = [[3, 0, 0, 5, 0], [3, 0, 0], [3, 9], [7]]
    got = causal_likelihoods(zeroed(gpt2), token_ids, 3, 1)
    assert got.log_likelihood == pytest.approx(-np.log(VOCABULARY) * np.array([4, 2, 1, 0]), abs=1e-5)
    assert got.tokens.tolist() == [4, 2, 1, 0]
    assert got.verbatim.tolist() == [2, 2, 0, -1]


def test_sequences_not_longer_than_the_prefix_have_no_verbatim_part(gpt2):
    token_ids = [[3, 0, 0, 0, 0], [3, 0, 0, 0], [3, 0, 0]]
    assert causal_likelihoods(zeroed(gpt2), token_ids, 2, 4).verbatim.tolist() == [1, -1, -1]
    assert causal_likelihoods(gpt2, token_ids, 2, 40).verbatim.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_masked_likelihoods_are_those_of_one_forward_pass_for_each_copy(bert, framed, batch_size):
    token_ids, names = framed
    maskings = draw_maskings(token_ids, SPECIAL, names, rate=0.3, repeats=4, seed=1)
    expected = []
    for ids, masking in zip(token_ids, maskings, strict=True):
        total = 0.0
        for masked in masking:
            copy = [MASK if hidden else token for token, hidden in zip(ids, masked, strict=True)]
            scores = log_probabilities(bert, copy)
            total += sum(scores[t, ids[t]].item() for t in np.flatnonzero(masked))
        expected.append(total)
    got = masked_likelihoods(bert, token_ids, maskings, MASK, batch_size)
    assert got.log_likelihood == pytest.approx(expected, abs=1e-4)
    assert got.log_likelihood.dtype == np.float64
    assert got.tokens.tolist() == [int(masking.sum()) for masking in maskings]
    assert got.verbatim.tolist() == [-1] * len(token_ids)


def test_uniform_masked_model_by_hand(bert):
    maskings = [
        np.array([[0, 1, 1, 0], [0, 0, 0, 0]], dtype=bool),
        np.array([[0, 0, 0], [0, 1, 0]], dtype=bool),
    ]
    got = masked_likelihoods(zeroed(bert), [[CLS, 5, 6, SEP], [CLS, 5, SEP]], maskings, MASK, 3)
    assert got.log_likelihood == pytest.approx([-2 * np.log(VOCABULARY), -np.log(VOCABULARY)], abs=1e-5)
    assert got.tokens.tolist() == [2, 1]


def test_a_sequence_is_masked_the_same_whatever_else_is_evaluated(framed):
    token_ids, names = framed
    together = draw_maskings(token_ids, SPECIAL, names, rate=0.3, repeats=4, seed=1)
    for i in (8, 0, 5):
        (alone,) = draw_maskings([token_ids[i]], SPECIAL, [names[i]], rate=0.3, repeats=4, seed=1)
        assert alone.tolist() == together[i].tolist()


def test_masks_differ_between_seeds_sequences_and_repeats():
    token_ids = [list(range(4, 20)) * 4] * 2
    first, second = draw_maskings(token_ids, SPECIAL, ["a", "b"], rate=0.5, repeats=6, seed=1)
    other_seed, _ = draw_maskings(token_ids, SPECIAL, ["a", "b"], rate=0.5, repeats=6, seed=2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other_seed)
    assert len({tuple(row) for row in first.tolist()}) == 6


def test_masks_spare_special_tokens_and_keep_the_rate():
    token_ids = [[CLS, 5, 6, 0, *range(4, 20), SEP]] * 300
    maskings = np.stack(
        draw_maskings(token_ids, SPECIAL, [str(i) for i in range(300)], rate=0.15, repeats=10, seed=1)
    )
    assert maskings.shape == (300, 10, 21)
    assert maskings.dtype == bool
    special = np.isin(token_ids[0], list(SPECIAL))
    assert not maskings[:, :, special].any()
    # 54,000 draws: the standard error is .0015.
    assert maskings[:, :, ~special].mean() == pytest.approx(0.15, abs=0.007)


def test_a_sequence_left_whole_gets_one_mask_in_the_first_repeat():
    names = [str(i) for i in range(40)]
    maskings = np.stack(
        draw_maskings([[CLS, 5, 6, 7, SEP]] * 40, SPECIAL, names, rate=0.0, repeats=3, seed=1)
    )
    assert maskings[:, 0, 1:4].sum(axis=1).tolist() == [1] * 40
    assert maskings.sum() == 40
    assert maskings[:, 0, 1:4].any(axis=0).all()  # not always the same token


def test_sequences_longer_than_the_context_are_refused_before_any_forward_pass(gpt2, bert, monkeypatch):
    monkeypatch.setattr(gpt2, "forward", refuse_to_run)
    monkeypatch.setattr(bert, "forward", refuse_to_run)
    token_ids = [[5] * 3, [5] * (CONTEXT + 3), [5] * CONTEXT]
    maskings = [np.ones((1, len(ids)), dtype=bool) for ids in token_ids]
    sentence = r"27 tokens.*context is 24 tokens; lower the sequence length"
    with pytest.raises(InputError, match=sentence):
        causal_likelihoods(gpt2, token_ids, 1, PREFIX)
    with pytest.raises(InputError, match=sentence):
        masked_likelihoods(bert, token_ids, maskings, MASK, 1)
    check_context(gpt2, [[5] * CONTEXT])


def test_empty_sequences_and_prefixes_are_refused(gpt2, monkeypatch):
    monkeypatch.setattr(gpt2, "forward", refuse_to_run)
    with pytest.raises(InputError, match=r"Sequence 1 \(from 0\) has no tokens"):
        causal_likelihoods(gpt2, [[5], []], 2, PREFIX)
    with pytest.raises(InputError, match="prefix is 0 tokens"):
        causal_likelihoods(gpt2, [[5, 6]], 2, 0)
    with pytest.raises(InputError, match="The sequence b has only special tokens"):
        draw_maskings([[CLS, 5, SEP], [CLS, SEP]], SPECIAL, ["a", "b"], rate=0.15, repeats=2, seed=1)


@pytest.mark.parametrize(
    ("objective", "architecture", "config"),
    [("causal", GPT2LMHeadModel, GPT2), ("masked", BertForMaskedLM, BERT)],
)
def test_a_loaded_model_predicts_what_the_saved_one_did(tmp_path, objective, architecture, config):
    saved = build(architecture, config)
    saved.half().save_pretrained(tmp_path)
    loaded = load_language_model(tmp_path, objective)
    assert not loaded.training
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    ids = [4, 9, 6, 3, 8]
    got = log_probabilities(loaded.cpu(), ids).numpy()
    assert got == pytest.approx(log_probabilities(saved.float(), ids).numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("objective", "architecture", "config", "sentence"),
    [
        ("causal", BertForMaskedLM, BERT, "is not a causal language model but a masked one"),
        ("masked", GPT2LMHeadModel, GPT2, "is not a masked language model but a causal one"),
        ("masked", BertModel, BERT, "lacks the weight cls.predictions"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(tmp_path, objective, architecture, config, sentence):
    build(architecture, config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=sentence):
        load_language_model(tmp_path, objective)
