"""Fusion coefficients as they are written in predictions and scores."""

from collections.abc import Mapping


def format_coefficients(coefficients: Mapping[str, float]) -> str:
    """Write coefficients by model, for example `gender=0.7 age=0.3`, every digit kept."""
    return " ".join(f"{model}={float(coefficient)!r}" for model, coefficient in coefficients.items())


def parse_coefficients(text: str) -> dict[str, float]:
    """Read what `format_coefficients` wrote."""
    return {model: float(value) for model, value in (part.rsplit("=", 1) for part in text.split())}


def pair_grid(steps: int) -> list[tuple[float, float]]:
    """Return the coefficients (1 - alpha, alpha) of a pair for alpha = 0, 1/steps, ..., 1 (paper, section 4.2)."""
    return [((steps - i) / steps, i / steps) for i in range(steps + 1)]
