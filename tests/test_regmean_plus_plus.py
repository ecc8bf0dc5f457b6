"""RegMean++ merges each block on what the merged blocks before it make of the texts."""

import copy

import pytest
import torch
from small_models import MODELS, TOKEN_IDS, made

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.merge import merge_state_dicts
from fuse_to_forget.fusion.regmean import regmean_linear, regmean_state_dicts
from fuse_to_forget.fusion.regmean_plus_plus import linear_blocks, regmean_plus_plus
from fuse_to_forget.statistics.grams import gram_statistics

COEFFICIENTS = [0.3, 0.7]
TEXTS = [TOKEN_IDS[:4], TOKEN_IDS[3:]]
EMBEDDINGS = ("embeddings", "wte", "wpe", "lm_head", "decoder")  # or the same tensor under another name
# the second block, and the first linear layer that is called in it
FIRST_OF_SECOND = {
    "bert": ("bert.encoder.layer.1.", "bert.encoder.layer.1.attention.self.query.weight"),
    "gpt2": ("transformer.h.1.", "transformer.h.1.attn.c_attn.weight"),
}


def weights_of(family, count=2, *, embeddings="other"):
    """State dicts of models of a family that differ in every weight, or in all but the embeddings."""
    drawn = []
    for seed in range(count):
        own = copy.deepcopy(made(family).state_dict())
        torch.manual_seed(seed)
        for name, tensor in own.items():
            kept = embeddings == "same" and any(part in name for part in EMBEDDINGS)
            if tensor.is_floating_point() and not kept:
                tensor.add_(torch.randn_like(tensor), alpha=0.1)
        drawn.append(own)
    return drawn


def close(found, expected, tolerance=2e-5):
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("family", MODELS)
def test_equal_models_give_the_model(family):
    weights = made(family).state_dict()
    close(regmean_plus_plus(made(family), [weights, weights], TEXTS), weights)


def states_before(family, model, ids):
    """What the second block's first linear layer is given, in a model with these weights before and in it."""
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[1][0]
        return model.transformer.h[1].ln_1(states) if family == "gpt2" else states


@pytest.mark.parametrize("family", FIRST_OF_SECOND)
def test_a_later_block_is_merged_on_the_states_that_the_merged_model_makes(family):
    weights = weights_of(family)
    merged = regmean_plus_plus(made(family), weights, TEXTS, COEFFICIENTS)
    block, name = FIRST_OF_SECOND[family]
    grams = []
    for own, texts in zip(weights, TEXTS, strict=True):
        hybrid = made(family).eval()
        hybrid.load_state_dict({n: (own if n.startswith(block) else merged)[n] for n in merged})
        rows = torch.cat([states_before(family, hybrid, ids) for ids in texts])
        grams.append(rows.T @ rows / len(rows))
    own = [state_dict[name] for state_dict in weights]
    expected = regmean_linear(own, grams, COEFFICIENTS, transposed=family == "gpt2")
    torch.testing.assert_close(merged[name], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", MODELS)
def test_where_the_embeddings_are_the_same_the_first_block_is_that_of_regmean_and_the_second_is_not(family):
    weights, model = weights_of(family, embeddings="same"), made(family)
    found = regmean_plus_plus(model, weights, TEXTS, COEFFICIENTS)
    grams = []
    for own, texts in zip(weights, TEXTS, strict=True):
        model.load_state_dict(own)
        grams.append(gram_statistics(model, texts, batch_size=3))
    plain = regmean_state_dicts(weights, grams, COEFFICIENTS)
    blocks = list(linear_blocks(model, TOKEN_IDS[0]))
    first = [name for name in plain if name.startswith(f"{blocks[0]}.")]
    close({name: found[name] for name in first}, {name: plain[name] for name in first})
    second = next(name for name in grams[0].tensors if name.startswith(f"{blocks[1]}."))
    assert (found[second] - plain[second]).abs().max() > 1e-3


def test_the_order_of_the_models_does_not_matter():
    weights = weights_of("bert")
    forth = regmean_plus_plus(made("bert"), weights, TEXTS, COEFFICIENTS)
    close(regmean_plus_plus(made("bert"), weights[::-1], TEXTS[::-1], COEFFICIENTS[::-1]), forth)


def test_what_is_no_linear_layer_is_averaged_and_the_models_stay_as_they_are():
    weights = weights_of("bert")
    before = copy.deepcopy(weights)
    merged = regmean_plus_plus(made("bert"), weights, TEXTS, COEFFICIENTS)
    average = average_state_dicts(weights, COEFFICIENTS)
    layers = {name for names in linear_blocks(made("bert"), TOKEN_IDS[0]).values() for name in names}
    rest = [name for name in average if name not in layers]
    close({name: merged[name] for name in rest}, {name: average[name] for name in rest})
    for own, earlier in zip(weights, before, strict=True):
        close(own, earlier, 0)


def test_blocks_come_in_the_order_of_their_calls_and_heads_after_them():
    assert list(linear_blocks(made("bert"), TOKEN_IDS[0])) == [
        "bert.encoder.layer.0",
        "bert.encoder.layer.1",
        "bert.pooler.dense",
        "classifier",
    ]
    assert list(linear_blocks(made("gpt2"), TOKEN_IDS[0])) == ["transformer.h.0", "transformer.h.1"]


def test_texts_of_each_model_are_needed():
    weights = weights_of("bert")
    with pytest.raises(InputError, match="models are 2 and those with texts 1"):
        regmean_plus_plus(made("bert"), weights, TEXTS[:1])
    with pytest.raises(InputError, match="no examples"):
        regmean_plus_plus(made("bert"), weights, [TEXTS[0], []])
    with pytest.raises(InputError, match="needs the texts of all models"):
        merge_state_dicts("regmean_plus_plus", weights)
