"""Work on pieces of tensors: the same as on whole ones, whatever the pieces."""

import math

import pytest
import torch

from fuse_to_forget.fusion import chunks
from fuse_to_forget.fusion.catalog import METHODS, complete_settings
from fuse_to_forget.fusion.fisher_average import fisher_average
from fuse_to_forget.fusion.methods import FUNCTIONS

ODD = 61  # elements in a piece: no row of the tensors below has as many, nor has a vector register
REDUCING = ("slerp", "karcher", "model_stock")  # sums over all elements round differently in pieces


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", ODD)


def randoms(count: int, shape, dtype=torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator).to(dtype) for _ in range(count)]


def run(name: str, tensors: list[torch.Tensor], base: torch.Tensor) -> torch.Tensor:
    method = METHODS[name]
    tensors = tensors[:2] if method.pairs_only else tensors
    drawn = {"seeds": [4, 5, 6]} if method.random else {}
    weights = [1 / 3] * 3 if method.coefficients == "equal" else [0.5, 0.3, 0.2][: len(tensors)]
    settings = complete_settings(name, {})
    return FUNCTIONS[name](tensors, base if method.needs_base else None, weights, **settings, **drawn)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(37, 21), (777,), (5, 3, 70)], ids=str)
@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if not (method.statistics or method.needs_texts)]
)
def test_pieces_do_not_change_what_a_method_gives(request, name, shape, dtype):
    base, *tensors = randoms(4, shape, dtype)
    whole = run(name, tensors, base)
    request.getfixturevalue("small_pieces")
    cut = run(name, tensors, base)
    if name in REDUCING:
        torch.testing.assert_close(cut, whole, rtol=1e-5, atol=1e-6)
    else:
        assert torch.equal(cut, whole)


def test_pieces_do_not_change_what_fisher_averaging_gives(request):
    first, second, *information = randoms(4, (37, 21))
    squares = [own.square() for own in information]
    whole = fisher_average([first, second], squares, [0.4, 0.6])
    request.getfixturevalue("small_pieces")
    assert torch.equal(fisher_average([first, second], squares, [0.4, 0.6]), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_value_of_a_rank_is_that_of_a_sorted_tensor(small_pieces, dtype):
    (values,) = randoms(1, (400,), dtype)
    tied = values.bfloat16().to(dtype)  # many are equal
    tiny = values * torch.finfo(dtype).tiny  # subnormal numbers among them, and zeros of both signs
    for sizes in (values, tied, tiny, torch.cat([tiny, -0.0 * values, values * 1e30])):
        ordered = sizes.abs().sort().values
        for rank in (0, 1, 60, 61, 199, len(sizes) - 1):
            assert chunks.smallest(torch.abs, [sizes], rank, dtype) == ordered[rank].item()


def test_norm_of_pieces_is_that_of_the_whole_even_if_its_square_overflows(small_pieces):
    (values,) = randoms(1, (400,), torch.float64)
    assert chunks.norm(torch.abs, [values]) == pytest.approx(values.norm().item(), rel=1e-12)
    assert chunks.norm(torch.abs, [torch.full((3 * ODD,), 1e19)]) == pytest.approx(1e19 * math.sqrt(3 * ODD))


def test_results_come_in_order_and_threads_are_as_before(small_pieces):
    count = torch.get_num_threads()
    begins = list(chunks.over_pieces(lambda part: part[0].item(), [torch.arange(1000)]))
    assert begins == list(range(0, 1000, ODD))
    assert torch.get_num_threads() == count
    rows = list(chunks.over_pieces(len, [torch.zeros(10, 40)], unit=40))
    assert rows == [40] * 10


def test_an_error_in_a_piece_is_raised(small_pieces):
    def fail(part: torch.Tensor) -> None:
        raise ValueError(int(part[0]))

    with pytest.raises(ValueError, match=r"^0$"):
        list(chunks.over_pieces(fail, [torch.arange(1000)]))
