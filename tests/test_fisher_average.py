"""Fisher-weighted averaging keeps each weight from the model that is sure of it."""

import copy
from dataclasses import replace

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import weighted_average
from fuse_to_forget.fusion.fisher_average import fisher_average, fisher_state_dicts
from fuse_to_forget.statistics.fisher import fisher_statistics, next_tokens
from fuse_to_forget.statistics.store import Statistics

COEFFICIENTS = [0.5, 0.2, 0.3]


@pytest.fixture
def tensors():
    torch.manual_seed(1)
    return [torch.randn(5, 3) for _ in range(3)]


@pytest.fixture
def fishers():
    torch.manual_seed(2)
    return [torch.rand(5, 3) * 10**i for i in range(3)]


def test_the_formula_by_hand(tensors, fishers):
    merged = fisher_average(tensors, fishers, COEFFICIENTS, floor=0)
    weights = [c * f[4, 1].item() for c, f in zip(COEFFICIENTS, fishers, strict=True)]
    values = [x[4, 1].item() for x in tensors]
    expected = sum(w * x for w, x in zip(weights, values, strict=True)) / sum(weights)
    assert merged[4, 1].item() == pytest.approx(expected, rel=1e-6)
    assert not torch.allclose(merged, weighted_average(tensors, COEFFICIENTS), rtol=0.05)


def test_limits(tensors, fishers):
    average = weighted_average(tensors, COEFFICIENTS)
    assert torch.allclose(fisher_average(tensors, [fishers[0]] * 3, COEFFICIENTS), average, atol=1e-6)
    one, nothing = torch.ones(5, 3), torch.zeros(5, 3)
    assert torch.equal(fisher_average(tensors, [one, nothing, nothing], COEFFICIENTS, floor=0), tensors[0])
    first = fisher_average(tensors, [one, nothing, nothing], COEFFICIENTS)
    assert torch.allclose(first, tensors[0], atol=1e-6)
    assert torch.equal(fisher_average(tensors, fishers, [0, 1, 0]), tensors[1])
    assert torch.allclose(fisher_average(tensors[:1] * 3, fishers, COEFFICIENTS), tensors[0], rtol=1e-6)
    low, high = torch.stack(tensors).amin(0), torch.stack(tensors).amax(0)
    merged = fisher_average(tensors, fishers, COEFFICIENTS)
    assert ((low - 1e-6 <= merged) & (merged <= high + 1e-6)).all()


@pytest.mark.parametrize("floor", [0, 1e-10])
def test_where_no_model_knows_anything_it_is_the_average(tensors, fishers, floor):
    for fisher in fishers:
        fisher[2] = 0
    merged = fisher_average(tensors, fishers, COEFFICIENTS, floor=floor)
    average = weighted_average(tensors, COEFFICIENTS)
    assert torch.allclose(merged[2], average[2], atol=1e-6)
    assert not torch.allclose(merged, average, atol=0.1)


def test_far_below_the_floor_it_is_the_average(tensors, fishers):
    small = [fisher * 1e-20 for fisher in fishers]
    average = weighted_average(tensors, COEFFICIENTS)
    assert torch.allclose(fisher_average(tensors, small, COEFFICIENTS), average, atol=1e-6)
    exact = fisher_average(tensors, fishers, COEFFICIENTS, floor=0)
    assert torch.allclose(fisher_average(tensors, small, COEFFICIENTS, floor=0), exact, atol=1e-6)


def statistics_of(fishers):
    return [Statistics("fisher", {"a": f, "b": 3 * f[0]}, examples=4, tokens=20) for f in fishers]


@pytest.fixture
def states(tensors):
    return [{"a": x, "b": x[0].double(), "ids": torch.arange(3)} for x in tensors]


def test_state_dicts_keep_names_dtypes_and_inputs(states, tensors, fishers):
    before = copy.deepcopy(states)
    merged = fisher_state_dicts(states, statistics_of(fishers), COEFFICIENTS)
    assert {name: tensor.dtype for name, tensor in merged.items()} == {
        "a": torch.float32, "b": torch.float64, "ids": torch.int64
    }  # fmt: skip
    assert torch.equal(merged["a"], fisher_average(tensors, fishers, COEFFICIENTS))
    assert all(torch.equal(x[name], y[name]) for x, y in zip(before, states, strict=True) for name in x)


def test_normalised_information_does_not_depend_on_its_scale(states, fishers):
    """By model: all of a model's information times a number changes nothing. By parameter: each one's own."""
    whole = [[Statistics("fisher", {n: f * s for n, f in own.tensors.items()}, 4, 20)
              for own, s in zip(statistics_of(fishers), scales, strict=True)]
             for scales in ((1, 1, 1), (1, 50, 0.01))]  # fmt: skip
    single = [
        replace(own, tensors={**own.tensors, "a": own.tensors["a"] * 10**i}) for i, own in enumerate(whole[0])
    ]

    def merge(statistics, normalize):
        return fisher_state_dicts(states, statistics, COEFFICIENTS, floor=0, normalize=normalize)

    def same(first, second):
        return all(
            torch.allclose(first[name].double(), second[name].double(), atol=1e-6) for name in ("a", "b")
        )

    for normalize, invariant_to in (("none", []), ("model", [whole[1]]), ("parameter", [whole[1], single])):
        plain = merge(whole[0], normalize)
        for other in (whole[1], single):
            assert same(plain, merge(other, normalize)) == any(other is wanted for wanted in invariant_to)


def test_a_model_without_information_counts_for_nothing_however_normalised(states, fishers):
    fishers = [fishers[0], torch.zeros(5, 3), torch.zeros(5, 3)]
    for normalize in ("none", "model", "parameter"):
        merged = fisher_state_dicts(
            states, statistics_of(fishers), COEFFICIENTS, floor=0, normalize=normalize
        )
        assert torch.equal(merged["a"], states[0]["a"])


def changed(statistics, **tensors):
    return [statistics[0], statistics[1], replace(statistics[2], tensors=statistics[2].tensors | tensors)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:2], "The models are 3 and the statistics 2"),
        (lambda s: changed(s, a=torch.ones(3, 5)), r"a: the tensor of model 3 has shape \(5, 3\)"),
        (lambda s: changed(s, a=torch.full((5, 3), torch.nan)), "a of model 3 hold NaN"),
        (lambda s: changed(s, a=-torch.ones(5, 3)), "a of model 3 hold negative"),
        (lambda s: changed(s, c=torch.ones(1)), "Only one of model 1 and model 3 has statistics of c"),
        (lambda s: [replace(o, tensors={"a": o.tensors["a"]}) for o in s], "no Fisher information of b"),
        (
            lambda s: [replace(o, tensors={**o.tensors, "c": torch.ones(1)}) for o in s],
            "c, which the models lack",
        ),
        (lambda s: [replace(o, examples=0) for o in s], "model 1 are of 0 examples"),
        (lambda s: [replace(o, kind="gram") for o in s], "of the kind gram, not fisher"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(states, fishers, change, message):
    with pytest.raises(InputError, match=message):
        fisher_state_dicts(states, change(statistics_of(fishers)), COEFFICIENTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coefficients": [1.5, -0.2, -0.3]}, "never negative"),
        ({"floor": -1.0}, "floor of the Fisher information is -1.0"),
        ({"normalize": "layer"}, "choose none, model or parameter"),
    ],
)
def test_choices_that_do_not_exist_are_refused(states, fishers, options, message):
    with pytest.raises(InputError, match=message):
        fisher_state_dicts(states, statistics_of(fishers), **options)


def test_weights_that_are_not_finite_are_refused(states, fishers):
    states[1]["a"][0, 0] = torch.inf
    with pytest.raises(InputError, match="a of model 2 holds NaN or infinite"):
        fisher_state_dicts(states, statistics_of(fishers), COEFFICIENTS)


def test_tied_and_frozen_parameters_of_language_models():
    """A tied head stays tied, and what was frozen is averaged."""
    states, statistics = [], []
    for seed in range(2):
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2, n_positions=16))
        model.transformer.wpe.weight.requires_grad_(False)
        token_ids = [[1, 4 + seed, 7, 5], [3, 2 + seed, 9]]
        states.append(model.state_dict())
        statistics.append(
            fisher_statistics(model, token_ids, next_tokens(token_ids), labels="gold", batch_size=2)
        )
    merged = fisher_state_dicts(states, statistics, [0.5, 0.5])
    assert torch.equal(merged["lm_head.weight"], merged["transformer.wte.weight"])
    average = {name: weighted_average([state[name] for state in states], [0.5, 0.5]) for name in merged}
    assert torch.equal(merged["transformer.wpe.weight"], average["transformer.wpe.weight"])
    assert not torch.allclose(merged["transformer.wte.weight"], average["transformer.wte.weight"], atol=1e-3)
    model.load_state_dict(merged)
