"""RegMean solves the least-squares problem that defines it, whatever the statistics are like."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import save_pico_bert
from transformers import AutoModelForSequenceClassification
from transformers.pytorch_utils import Conv1D

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts, weighted_average
from fuse_to_forget.fusion.regmean import regmean_linear, regmean_state_dicts
from fuse_to_forget.statistics.grams import gram_statistics
from fuse_to_forget.statistics.store import Statistics

INPUTS, OUTPUTS = 6, 4
COEFFICIENTS = [0.5, 0.2, 0.3]


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def problem():
    """Weights (o, i), inputs (n, i) of different numbers, correlation and scale, and their Gram matrices."""
    weights = [normal(OUTPUTS, INPUTS, seed=i) for i in range(3)]
    data = [normal(20 + 30 * i, INPUTS, seed=10 + i) @ normal(INPUTS, INPUTS, seed=20 + i) for i in range(3)]
    return weights, data, [x.T @ x / len(x) for x in data]


def loss(merged, weights, data, coefficients):
    return sum(
        c * ((x @ merged.T - x @ w.T) ** 2).sum().item() / len(x)
        for c, x, w in zip(coefficients, data, weights, strict=True)
    )


def test_it_minimises_the_difference_of_the_outputs(problem):
    weights, data, grams = problem
    merged = regmean_linear(weights, grams, COEFFICIENTS, off_diagonal=1)
    best = loss(merged, weights, data, COEFFICIENTS)
    assert best < 0.9 * loss(weighted_average(weights, COEFFICIENTS), weights, data, COEFFICIENTS)
    for trial in range(200):
        step = 10.0 ** -(trial % 5) * normal(OUTPUTS, INPUTS, seed=100 + trial)
        assert loss(merged + step, weights, data, COEFFICIENTS) > best


def test_it_is_numpys_least_squares_on_the_stacked_data(problem):
    weights, data, grams = problem
    scales = [np.sqrt(c / len(x)) for c, x in zip(COEFFICIENTS, data, strict=True)]
    rows = np.concatenate([s * x.numpy() for s, x in zip(scales, data, strict=True)])
    wanted = np.concatenate([s * (x @ w.T).numpy() for s, x, w in zip(scales, data, weights, strict=True)])
    expected = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
    merged = regmean_linear(weights, grams, COEFFICIENTS, off_diagonal=1)
    np.testing.assert_allclose(merged.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_off_the_diagonal_entries_are_scaled_before_the_formula_of_the_paper(problem):
    weights, _, grams = problem
    scaled = [0.1 * g + 0.9 * torch.diag(torch.diag(g)) for g in grams]
    left = sum(c * g for c, g in zip(COEFFICIENTS, scaled, strict=True))
    right = sum(c * g @ w.T for c, g, w in zip(COEFFICIENTS, scaled, weights, strict=True))
    merged = regmean_linear(weights, grams, COEFFICIENTS, off_diagonal=0.1)
    assert torch.allclose(merged, (left.inverse() @ right).T, rtol=1e-9)
    assert not torch.allclose(merged, regmean_linear(weights, grams, COEFFICIENTS), rtol=1e-3)


def test_without_off_diagonal_each_column_is_averaged_by_the_diagonals(problem):
    weights, _, grams = problem
    shares = torch.stack([c * g.diagonal() for c, g in zip(COEFFICIENTS, grams, strict=True)])  # (m, i)
    expected = sum(share * w for share, w in zip(shares / shares.sum(0), weights, strict=True))
    merged = regmean_linear(weights, grams, COEFFICIENTS, off_diagonal=0)
    assert torch.allclose(merged, expected, rtol=1e-12)


@pytest.mark.parametrize("off_diagonal", [0, 0.9, 1])
def test_limits(problem, off_diagonal):
    weights, _, grams = problem

    def merge(weights, grams, coefficients):
        return regmean_linear(weights, grams, coefficients, off_diagonal=off_diagonal)

    identity = [torch.eye(INPUTS)] * 3
    average = weighted_average(weights, COEFFICIENTS)
    assert torch.allclose(merge(weights, identity, COEFFICIENTS), average, rtol=1e-12)
    assert torch.allclose(merge(weights, [grams[0]] * 3, COEFFICIENTS), average, rtol=1e-9)
    assert torch.allclose(merge(weights[:1], grams[:1], [1]), weights[0], rtol=1e-12)
    assert torch.allclose(merge(weights[:1] * 3, grams, COEFFICIENTS), weights[0], rtol=1e-12)
    assert torch.allclose(merge(weights, grams, [0, 1, 0]), weights[1], rtol=1e-9)
    whole = merge(weights, grams, COEFFICIENTS)
    assert torch.allclose(whole, merge(weights, grams, [5, 2, 3]), rtol=1e-9)
    order = [2, 0, 1]
    permuted = merge(*([values[i] for i in order] for values in (weights, grams, COEFFICIENTS)))
    assert torch.allclose(whole, permuted, rtol=1e-9)


def test_conv1d_is_linear_transposed(problem):
    weights, data, grams = problem
    linear = regmean_linear(weights, grams, COEFFICIENTS)
    conv1d = regmean_linear([w.T for w in weights], grams, COEFFICIENTS, transposed=True)
    assert torch.equal(conv1d, linear.T)
    layer = Conv1D(OUTPUTS, INPUTS).double()
    layer.weight.data = conv1d
    assert torch.allclose(layer(data[0]), data[0] @ linear.T)


def test_results_have_the_first_models_dtype_and_inputs_are_left_alone(problem):
    weights, _, grams = problem
    weights = [weights[0].float(), weights[1].bfloat16(), weights[2]]
    before = copy.deepcopy([*weights, *grams])
    merged = regmean_linear(weights, grams, COEFFICIENTS)
    assert merged.dtype == torch.float32
    assert merged.is_contiguous()
    assert all(torch.equal(x, y) for x, y in zip(before, [*weights, *grams], strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_the_inputs_say_nothing_about_is_averaged(dtype):
    """Inputs 0 to 3 vary in two directions only, and input 4 is always zero."""
    weights = [normal(OUTPUTS, 5, seed=i) for i in range(2)]
    data = [normal(50, 2, seed=7 + i) @ normal(2, 5, seed=9) for i in range(2)]
    for x in data:
        x[:, 4] = 0
    grams = [(x.T @ x / 50).to(dtype) for x in data]
    average = weighted_average(weights, [0.5, 0.5])
    merged = regmean_linear(weights, grams, [0.5, 0.5], off_diagonal=1)
    assert torch.allclose(merged[:, 4], average[:, 4], rtol=1e-12)
    best = loss(merged, weights, data, [0.5, 0.5])
    rows = np.concatenate([x.numpy() for x in data])
    wanted = np.concatenate([(x @ w.T).numpy() for x, w in zip(data, weights, strict=True)])
    least = ((rows @ np.linalg.lstsq(rows, wanted, rcond=None)[0] - wanted) ** 2).sum() / 100
    assert best == pytest.approx(least, rel=1e-6)
    assert (merged - average).norm() < 2 * average.norm()  # no noise blown up
    nothing = regmean_linear(weights, [torch.zeros(5, 5)] * 2, [0.5, 0.5])
    assert torch.allclose(nothing, average, rtol=1e-12)
    assert torch.isfinite(regmean_linear(weights, grams, [0.5, 0.5])).all()


def test_inputs_that_are_equal_but_for_rounding_are_not_told_apart():
    """Model 1's matrix is regular by the last bit of float32: no reason to take all from model 1."""
    weights = [normal(OUTPUTS, 2, seed=i) for i in range(2)]
    grams = [torch.tensor([[1, a], [a, 1]], dtype=torch.float32) for a in (1 - 2**-24, 1)]
    average = weighted_average(weights, [0.5, 0.5])
    merged = regmean_linear(weights, grams, [0.5, 0.5], off_diagonal=1)
    assert torch.allclose(merged, average, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": [1.5, -0.5, 0]}, "never negative"),
        ({"off_diagonal": 1.1}, "1.1: give a number from 0 to 1"),
        ({"transposed": True}, r"model 1 has shape \(4, 6\) and its Gram matrix \(6, 6\)"),
    ],
)
def test_what_has_no_solution_is_refused(problem, change, message):
    weights, _, grams = problem
    options = {"coefficients": COEFFICIENTS} | change
    with pytest.raises(InputError, match=message):
        regmean_linear(weights, grams, **options)


@pytest.fixture(scope="module")
def berts(tmp_path_factory):
    """Two classifiers of one architecture, and each one's own sentences as token ids."""
    folder = tmp_path_factory.mktemp("regmean")
    models = []
    for seed in range(2):
        save_pico_bert(folder / str(seed), seed=seed)
        models.append(AutoModelForSequenceClassification.from_pretrained(folder / str(seed)).eval())
    rng = np.random.default_rng(4)
    words = [np.arange(5, 16), np.arange(14, 25)]
    return models, [[[2, *rng.choice(own, n).tolist(), 3] for n in range(4, 28)] for own in words]


@pytest.fixture(scope="module")
def statistics(berts):
    return [gram_statistics(model, ids, batch_size=8) for model, ids in zip(*berts, strict=True)]


def recorded_inputs(model, token_ids):
    """The inputs (n, i) of every linear layer by the name of its weight, example by example."""
    rows = {}
    handles = [
        module.register_forward_hook(
            lambda module, args, output, key=f"{name}.weight": rows.setdefault(key, []).append(
                args[0].reshape(-1, args[0].shape[-1])
            )
        )
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    with torch.no_grad():
        for ids in token_ids:
            model(input_ids=torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return {name: torch.cat(own) for name, own in rows.items()}


def test_every_layer_of_a_merged_model_is_closer_to_both_than_the_average_is(berts, statistics):
    models, token_ids = berts
    states = [model.state_dict() for model in models]
    before = copy.deepcopy(states)
    merged = regmean_state_dicts(states, statistics, [0.5, 0.5], off_diagonal=1)
    average = average_state_dicts(states, [0.5, 0.5])
    inputs = [recorded_inputs(model, ids) for model, ids in zip(models, token_ids, strict=True)]
    assert len(inputs[0]) == 2 * 6 + 2
    for name in inputs[0]:
        data, weights = [own[name] for own in inputs], [state[name] for state in states]
        found, plain = (loss(state[name], weights, data, [0.5, 0.5]) for state in (merged, average))
        assert found < plain, name
    rest = average.keys() - inputs[0].keys()
    assert all(torch.equal(merged[name], average[name]) for name in rest)
    assert list(merged) == list(states[0])
    assert all(torch.equal(x[name], y[name]) for x, y in zip(before, states, strict=True) for name in x)


def test_excluded_layers_are_averaged(berts, statistics):
    states = [model.state_dict() for model in berts[0]]
    average = average_state_dicts(states, [0.3, 0.7])
    merged = regmean_state_dicts(states, statistics, [0.3, 0.7], exclude=["classifier", r"layer\.0\."])
    for name in statistics[0].tensors:
        excluded = "classifier" in name or "layer.0." in name
        assert torch.equal(merged[name], average[name]) == excluded, name


def only_pooler(statistics):
    first = "bert.pooler.dense.weight"
    return [replace(own, tensors={first: own.tensors[first]}) for own in statistics]


def with_first(statistics, tensor):
    own = statistics[1]
    name = next(iter(own.tensors))
    return [statistics[0], replace(own, tensors={**own.tensors, name: tensor})]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:1], "The models are 2 and the statistics 1"),
        (lambda s: with_first(s, torch.eye(7)), r"model 2 has shape \(32, 32\) and its Gram matrix \(7, 7\)"),
        (lambda s: with_first(s, torch.full((32, 32), torch.nan)), "query.weight of model 2 hold NaN"),
        (lambda s: with_first(s, -torch.eye(32)), "query.weight of model 2 hold negative mean squares"),
        (lambda s: with_first(s, torch.ones(32)), r"query.weight of model 2 has shape \(32,\)"),
        (lambda s: [s[0], replace(s[1], examples=0)], "model 2 are of 0 examples"),
        (
            lambda s: [s[0], replace(s[1], tensors={})],
            "Only one of model 1 and model 2 has statistics of bert",
        ),
        (lambda s: [replace(own, tensors={}) for own in s], "and 0 parameters"),
        (lambda s: [s[0], replace(s[1], kind="fisher")], "model 2 are of the kind fisher, not gram"),
        (lambda s: [s[0], replace(s[1], settings={"padding": True})], "collect both alike"),
        (
            lambda s: [replace(o, tensors={"x.weight": torch.eye(2)}) for o in s],
            "x.weight, which the models lack",
        ),
    ],
)
def test_statistics_that_do_not_fit_are_refused(berts, statistics, change, message):
    states = [model.state_dict() for model in berts[0]]
    with pytest.raises(InputError, match=message):
        regmean_state_dicts(states, change(statistics), [0.5, 0.5])


def test_models_that_do_not_fit_are_refused(berts, statistics):
    states = [model.state_dict() for model in berts[0]]
    name = next(iter(statistics[0].tensors))
    bad = states[1] | {name: torch.full((32, 32), torch.inf)}
    with pytest.raises(InputError, match=r"query.weight of model 2 holds NaN or infinite"):
        regmean_state_dicts([states[0], bad], statistics, [0.5, 0.5])
    with pytest.raises(InputError, match="never negative"):
        regmean_state_dicts(states, statistics, [1.5, -0.5])
    with pytest.raises(InputError, match="is no regular expression"):
        regmean_state_dicts(states, statistics, [0.5, 0.5], exclude=["("])


def test_layers_without_statistics_are_averaged(berts, statistics):
    states = [model.state_dict() for model in berts[0]]
    some = only_pooler(statistics)
    merged = regmean_state_dicts(states, some, [0.5, 0.5])
    average = average_state_dicts(states, [0.5, 0.5])
    assert [n for n in merged if not torch.equal(merged[n], average[n])] == list(some[0].tensors)


def test_square_conv1d_layers_are_told_apart_by_the_statistics(problem):
    weights = [normal(INPUTS, INPUTS, seed=i).float() for i in range(3)]
    grams = [gram.float() for gram in problem[2]]
    results = []
    for transposed in ([], ["a.weight"]):
        own = [Statistics("gram", {"a.weight": g}, 9, 9, transposed=transposed) for g in grams]
        results.append(regmean_state_dicts([{"a.weight": w} for w in weights], own, COEFFICIENTS)["a.weight"])
    assert torch.equal(results[0], regmean_linear(weights, grams, COEFFICIENTS))
    assert torch.equal(results[1], regmean_linear([w.T for w in weights], grams, COEFFICIENTS).T)
