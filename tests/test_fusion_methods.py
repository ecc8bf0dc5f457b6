"""Fusion methods as functions of the tensors of one name: by hand, by their limits, by independent formulas."""

import math

import numpy as np
import pytest
import torch

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import weighted_average
from fuse_to_forget.fusion.catalog import METHODS, complete_settings
from fuse_to_forget.fusion.methods import FUNCTIONS

THIRDS = [1 / 3] * 3
# Those with statistics merge whole models: test_regmean, test_fisher_average.
PER_TENSOR = [name for name, method in METHODS.items() if not (method.statistics or method.needs_texts)]
WITH_BASE = [name for name, method in METHODS.items() if method.needs_base]


def run(name, tensors, base=None, coefficients=None, seeds=None, **settings):
    method = METHODS[name]
    coefficients = coefficients or [1 / len(tensors)] * len(tensors)
    drawn = {"seeds": seeds or list(range(len(tensors)))} if method.random else {}
    return FUNCTIONS[name](tensors, base, coefficients, **complete_settings(name, settings), **drawn)


def keep_all(name: str) -> dict[str, float]:
    """The settings under which a method drops nothing."""
    allowed = METHODS[name].settings
    none = {"density": 1.0, "spread": 0.0, "drop_smallest": 0.0, "drop_largest": 0.0}
    return {key: value for key, value in none.items() if key in allowed}


def randoms(count: int, shape=(13, 7), dtype=torch.float32, seed=0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).to(dtype) for _ in range(count)]


def usable(name: str, count: int) -> int:
    return 2 if METHODS[name].pairs_only else count


@pytest.mark.parametrize("name", PER_TENSOR)
@pytest.mark.parametrize("shape", [(), (1,), (9,), (5, 4), (2, 3, 4)], ids=str)
def test_equal_models_give_that_model(name, shape):
    model, base = randoms(2, shape)
    fused = run(name, [model] * usable(name, 3), base if METHODS[name].needs_base else None, **keep_all(name))
    assert fused.shape == shape
    torch.testing.assert_close(fused, model, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", WITH_BASE)
def test_models_that_did_not_move_give_the_base(name):
    (base,) = randoms(1)
    assert torch.equal(run(name, [base.clone()] * 3, base), base)


@pytest.mark.parametrize("name", PER_TENSOR)
def test_order_does_not_matter_and_inputs_stay(name):
    *models, base = randoms(usable(name, 3) + 1)
    base = base if METHODS[name].needs_base else None
    equal = METHODS[name].coefficients == "equal"
    weights = [1.0] * len(models) if equal else [0.5, 0.3, 0.2][: len(models)]
    coefficients = [weight / sum(weights) for weight in weights]
    before = [tensor.clone() for tensor in models]
    base_before = None if base is None else base.clone()
    seeds = list(range(len(models)))
    forward = run(name, models, base, coefficients, seeds)
    backward = run(name, models[::-1], base, coefficients[::-1], seeds[::-1])
    torch.testing.assert_close(forward, backward, rtol=1e-5, atol=1e-6)
    assert all(torch.equal(*pair) for pair in zip(models, before, strict=True))
    assert base is None or torch.equal(base, base_before)


@pytest.mark.parametrize("name", PER_TENSOR)
def test_bfloat16_is_accumulated_in_float32_and_float64_in_itself(name):
    *models, base = randoms(usable(name, 3) + 1, dtype=torch.bfloat16)
    base = base if METHODS[name].needs_base else None
    fused = run(name, models, base)
    assert fused.dtype == torch.float32
    widened = run(name, [m.float() for m in models], None if base is None else base.float())
    assert torch.equal(fused, widened)
    assert run(name, [models[0].double(), *models[1:]], base).dtype == torch.float64


def test_slerp_ends_and_middle():
    first, second = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    half = math.sqrt(2)
    torch.testing.assert_close(run("slerp", [first, second]), torch.tensor([[half, half]]))
    torch.testing.assert_close(run("slerp", [first, second], coefficients=[1.0, 0.0]), first)
    torch.testing.assert_close(run("slerp", [first, second], coefficients=[0.0, 1.0]), second)
    third = run("slerp", [first, second], coefficients=[2 / 3, 1 / 3])
    expected = torch.tensor([[2 * math.cos(math.pi / 6), 2 * math.sin(math.pi / 6)]])
    torch.testing.assert_close(third, expected)


@pytest.mark.parametrize(
    "second", [[3.0, 6.0], [-1.0, -2.0], [0.0, 0.0]], ids=["parallel", "opposite", "zero"]
)
def test_slerp_without_a_way_is_the_average(second):
    models = [torch.tensor([1.0, 2.0]), torch.tensor(second)]
    assert torch.equal(
        run("slerp", models, coefficients=[0.25, 0.75]), weighted_average(models, [0.25, 0.75])
    )


@pytest.mark.parametrize("slack", [1e-7, 1e-5, 1e-3])
def test_slerp_of_nearly_opposite_models_stays_small(slack):
    """As of biases of heads with two classes, which sum to 0 but for rounding."""
    models = [torch.tensor([0.003, -0.003]), torch.tensor([-0.001, 0.001 * (1 + slack)])]
    assert torch.equal(run("slerp", models), weighted_average(models, [0.5, 0.5]))


def test_slerp_and_karcher_keep_the_norm_of_close_models():
    # At 0.01 rad, cosine 0.99995, the average is shorter by 1.25e-5 of the norm: more than float32 rounds.
    models = [torch.tensor([math.cos(a), math.sin(a)], dtype=torch.float32) for a in (0.0, 0.01)]
    assert weighted_average(models, [0.5, 0.5]).norm().item() == pytest.approx(1 - 1.25e-5, abs=1e-6)
    for name in ("slerp", "karcher"):
        assert run(name, models).norm().item() == pytest.approx(1, abs=1e-6)


def test_karcher_of_two_is_slerp_on_the_unit_sphere():
    models = [tensor / tensor.norm() for tensor in randoms(2)]
    for coefficients in ([0.5, 0.5], [0.2, 0.8]):
        torch.testing.assert_close(
            run("karcher", models, coefficients=coefficients), run("slerp", models, coefficients=coefficients),
            rtol=1e-5, atol=1e-6,
        )  # fmt: skip


def test_karcher_by_symmetry_and_norm():
    axes = [row * length for row, length in zip(torch.eye(3), (1.0, 2.0, 6.0), strict=True)]
    torch.testing.assert_close(run("karcher", axes), torch.full((3,), 3 / math.sqrt(3)), rtol=1e-5, atol=1e-5)


def test_karcher_is_where_the_weighted_tangents_cancel():
    models, weights = [t.double() for t in randoms(3)], [0.5, 0.3, 0.2]
    fused = run("karcher", models, coefficients=weights, iterations=100, tolerance=1e-12).numpy().ravel()
    norms = [np.linalg.norm(model.numpy()) for model in models]
    assert np.linalg.norm(fused) == pytest.approx(np.dot(weights, norms))
    mean, balance = fused / np.linalg.norm(fused), 0
    for model, weight, norm in zip(models, weights, norms, strict=True):
        unit = model.numpy().ravel() / norm
        angle = np.arccos(unit @ mean)
        balance += weight * angle / np.sin(angle) * (unit - np.cos(angle) * mean)
    np.testing.assert_allclose(balance, 0, atol=1e-9)


def test_karcher_of_directions_that_cancel_is_the_average():
    models = [torch.tensor([1.0, 0.0]), torch.tensor([-3.0, 0.0])]
    assert torch.equal(run("karcher", models), torch.tensor([-1.0, 0.0]))


def test_karcher_with_tensors_of_zeros():
    zeros, ones = torch.zeros(4), torch.ones(4)
    assert torch.equal(run("karcher", [zeros, zeros, zeros]), zeros)
    torch.testing.assert_close(run("karcher", [zeros, ones, ones]), ones * 2 / 3)


def test_task_arithmetic_by_hand():
    base, models = torch.tensor([1.0, 1.0]), [torch.tensor([2.0, 1.0]), torch.tensor([1.0, 5.0])]
    fused = run("task_arithmetic", models, base, [0.5, 0.5], scale=2.0)
    assert torch.equal(fused, torch.tensor([2.0, 5.0]))
    negated = run("task_arithmetic", models, base, [0.0, -1.0])
    assert torch.equal(negated, torch.tensor([1.0, -3.0]))


def test_ties_by_hand():
    base = torch.tensor([10.0] * 5)
    moves = [[5.0, -4.0, 0.1, 3.0, 0.0], [1.0, 6.0, 0.2, -3.0, 0.3], [3.0, 2.0, 0.3, 0.1, 0.0]]
    # 60 % are kept: 5 -4 . 3 . | 1 6 . -3 . | 3 2 .3 . .; the fourth position is a draw.
    fused = run("ties", [base + torch.tensor(move) for move in moves], base, THIRDS, density=0.6)
    torch.testing.assert_close(fused, torch.tensor([13.0, 14.0, 10.3, 10.0, 10.0]), rtol=1e-6, atol=1e-5)


def test_ties_weighs_by_the_coefficients_of_the_models_that_agree():
    base, moves = torch.zeros(1), [torch.tensor([4.0]), torch.tensor([2.0]), torch.tensor([-1.0])]
    fused = run("ties", moves, base, [0.2, 0.3, 0.5], density=1.0)
    torch.testing.assert_close(fused, torch.tensor([(0.8 + 0.6) / 0.5]))


@pytest.mark.parametrize(
    "name", ["ties", "dare_linear", "dare_ties", "breadcrumbs", "della", "sign_consensus"]
)
def test_models_that_agree_and_lose_nothing_are_task_arithmetic(name):
    *moves, base = randoms(4)
    models = [base + move.abs() * moves[0].sign() for move in moves]
    expected = run("task_arithmetic", models, base)
    torch.testing.assert_close(run(name, models, base, **keep_all(name)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["dare_linear", "breadcrumbs"])
def test_without_dropping_linear_methods_are_task_arithmetic(name):
    *models, base = randoms(4)
    expected = run("task_arithmetic", models, base, [0.7, 0.5, -0.2])
    torch.testing.assert_close(run(name, models, base, [0.7, 0.5, -0.2], **keep_all(name)), expected)


def test_breadcrumbs_masks_both_tails():
    base, move = torch.zeros(10), torch.tensor([3.0, -1, 9, 5, -7, 2, 8, -10, 4, 6])
    fused = run("breadcrumbs", [move, torch.zeros(10)], base, drop_smallest=0.3, drop_largest=0.2)
    assert torch.equal(fused, torch.tensor([0.0, 0, 0, 5, -7, 0, 8, 0, 4, 6]) / 2)


@pytest.mark.parametrize("name", ["dare_linear", "dare_ties"])
def test_dare_has_task_arithmetic_as_its_expectation(name):
    base, moves = torch.zeros(2000), [torch.full((2000,), 1.0), torch.full((2000,), 3.0)]
    draws = torch.stack([run(name, moves, base, seeds=[2 * i, 2 * i + 1], density=0.3) for i in range(50)])
    # The standard error: sqrt((0.25 + 2.25) * 0.7 / 0.3 / 100000) = 0.0076.
    assert draws.mean().item() == pytest.approx(2, abs=0.04)
    possible = torch.tensor([0.0, 0.5 / 0.3, 1.5 / 0.3, 2 / 0.3])
    assert (draws.flatten()[:, None] - possible).abs().amin(1).max() < 1e-5


def test_dare_ties_keeps_the_elected_sign_only():
    base, moves = torch.zeros(1), [torch.tensor([4.0]), torch.tensor([-1.0])]
    assert run("dare_ties", moves, base, density=1.0).item() == 2.0


def test_della_drops_small_values_more_often():
    base, move = torch.zeros(4, 5), torch.tensor([[1.0, -2, 3, -4, 5]]).repeat(4, 1)
    draws = [run("della", [move, move], base, seeds=[i, i], density=0.5, spread=0.8) for i in range(3000)]
    kept = torch.stack(draws) != 0
    expected = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    # 12,000 draws each: a standard error of at most 0.0046.
    np.testing.assert_allclose(kept.float().mean(dim=(0, 1)).numpy(), expected.numpy(), atol=0.02)
    np.testing.assert_allclose(torch.stack(draws).amax(dim=(0, 1))[::2], [10, 6, 5 / 0.9], rtol=1e-5)


def test_sign_consensus_by_hand():
    base = torch.tensor([1.0, 1, 1, 1])
    models = [torch.tensor([2.0, 0, 2, 1]), torch.tensor([4.0, -1, 0, 3])]
    assert torch.equal(run("sign_consensus", models, base), torch.tensor([3.0, -0.5, 1, 1]))
    assert torch.equal(run("sign_consensus", models, base, [1.0, 0.0]), models[0])


def test_model_stock_by_hand():
    base = torch.tensor([1.0, 1.0])
    moves = [torch.tensor([2.0, 0.0]), torch.tensor([1.0, math.sqrt(3)])]  # 60 degrees apart
    ratio = 2 * 0.5 / (1 + 0.5)
    expected = base + ratio * (moves[0] + moves[1]) / 2
    torch.testing.assert_close(run("model_stock", [base + move for move in moves], base), expected)


def test_model_stock_of_four_follows_the_formula_for_more():
    *moves, base = randoms(5)
    models = [base + move + 2 for move in moves]  # what they share makes the cosines positive
    flat = np.stack([(model - base).double().numpy().ravel() for model in models])
    cosines = flat @ flat.T / np.outer(*[np.linalg.norm(flat, axis=1)] * 2)
    cosine = cosines[np.triu_indices(4, 1)].mean()
    ratio = 4 * cosine / (1 + 3 * cosine)
    expected = base.double().numpy() + ratio * flat.mean(axis=0).reshape(base.shape)
    np.testing.assert_allclose(run("model_stock", models, base).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_model_stock_of_opposing_models_is_the_base():
    base, move = randoms(2)
    torch.testing.assert_close(run("model_stock", [base + move, base - 2 * move], base), base)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("average", {}, "choose one of weighted_average, slerp"),
        ("ties", {"dense": 0.5}, "no setting 'dense': it has density, scale"),
        ("slerp", {"t": 0.5}, "no setting 't': it has none"),
        ("ties", {"density": 0}, "density of ties is 0: give a number from 0.001 to 1"),
        ("dare_linear", {"density": "half"}, "is half: give a number"),
        ("della", {"spread": math.nan}, "is nan: give a number"),
        ("karcher", {"iterations": 2.5}, "is 2.5: give a whole number from 1 to 1000"),
    ],
)
def test_settings_that_do_not_fit(name, settings, message):
    with pytest.raises(InputError, match=message):
        complete_settings(name, settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("della", {"density": 0.9, "spread": 0.3}),
        ("breadcrumbs", {"drop_smallest": 0.9, "drop_largest": 0.1}),
    ],
)
def test_settings_that_do_not_fit_together(name, settings):
    *models, base = randoms(3)
    with pytest.raises(InputError, match="choose them so that"):
        run(name, models, base, **settings)


def test_settings_as_text():
    assert complete_settings("ties", {"density": "0.5"}) == {"density": 0.5, "scale": 1.0}
    assert complete_settings("karcher", {"iterations": "7"})["iterations"] == 7


def test_every_method_has_its_facts_and_its_function():
    assert [name for name, method in METHODS.items() if not method.needs_texts] == list(FUNCTIONS)
