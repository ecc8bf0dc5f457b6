"""Fusion coefficients as they are written in predictions and scores."""

from collections.abc import Iterator, Mapping


def format_coefficients(coefficients: Mapping[str, float]) -> str:
    """Write coefficients by model, for example `gender=0.7 age=0.3`, every digit kept."""
    return " ".join(f"{model}={float(coefficient)!r}" for model, coefficient in coefficients.items())


def parse_coefficients(text: str) -> dict[str, float]:
    """Read what `format_coefficients` wrote."""
    return {model: float(value) for model, value in (part.rsplit("=", 1) for part in text.split())}


def simplex_grid(models: int, steps: int) -> list[tuple[float, ...]]:
    """Return all coefficient vectors that are multiples of 1/steps and sum to 1, the first model's descending.

    Two models give the line alpha = 0, 1/steps, ..., 1 (paper, section 4.2), three the triangle of appendix C.3,
    its inside only: the authors' parallelogram goes on to negative coefficients.
    """
    return [tuple(count / steps for count in vector) for vector in _compositions(steps, models)]


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield the ways to write `total` as an ordered sum of `parts` whole numbers, the first descending."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)
