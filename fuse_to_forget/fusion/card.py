"""The model card of a fused model: what it was made of, how, and what is known about it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

METHOD = """\
Each weight is the sum of the constituents' weights times their coefficients, accumulated in float32
(float64 where a model stores that) and stored as {stored}. Integer buffers, the config and the tokenizer
are those of the first constituent. See *Fuse to Forget: Bias Reduction and Selective Memorization through
Model Fusion* (Zaman, Choshen and Srivastava, EMNLP 2024)."""

OTHER_METHOD = """\
The method is `{name}` ({source}){settings}, applied to the tensors of each name{base}. It is computed in
float32 (float64 where a model stores that) and stored as {{stored}}. Integer buffers, the config and the
tokenizer are those of the first constituent."""


def describe_method(name: str, source: str, settings: Mapping[str, float], base: str | None) -> str:
    """What a model card says of a method other than the weighted average; for `model_card`."""
    listed = ", ".join(f"{key} {value:.10g}" for key, value in settings.items())
    return OTHER_METHOD.format(
        name=name,
        source=source,
        settings=f" with {listed}" if listed else "",
        base=f" and to the base, {_cell(base)}; what the base lacks is averaged" if base else "",
    )


def model_card(
    names: Sequence[str],
    coefficients: Sequence[float],
    dtypes: Mapping[str, int],
    *,
    base_models: Sequence[str] = (),
    data: str | None = None,
    metrics: Mapping[str, float] | None = None,
    method: str | None = None,
) -> str:
    """Return a README.md with YAML front matter.

    `dtypes` counts the tensors of each dtype, `base_models` are names on the Hugging Face hub, `data` is a
    text on what the constituents were trained on, `metrics` maps a metric's name to its value, and `method`
    is what `describe_method` returns, None for the weighted average.
    """
    constituents = "\n".join(
        f"| {_cell(name)} | {coefficient:.10g} |"
        for name, coefficient in zip(names, coefficients, strict=True)
    )
    stored = ", ".join(f"{dtype} ({_count(number, 'tensor')})" for dtype, number in sorted(dtypes.items()))
    return f"""{_front_matter(base_models)}
# Fused model

{"A weighted average" if method is None else "A fusion"} of the weights of {_count(len(names), "fine-tuned model")}.

## Constituents

| model | coefficient |
|---|---:|
{constituents}

## Method

{(method or METHOD).replace("{stored}", stored)}

## Data

{data or "What the constituents were trained on was not given."}

## Metrics

{_metrics(metrics)}
"""


def constituent_names(folders: Sequence[Path]) -> list[str]:
    """Names that tell models apart and do not show where they lie: hub names, else the last folders."""
    resolved = [folder.resolve() for folder in folders]
    for depth in (1, 2, 3):
        names = [hub_name(folder) or "/".join(folder.parts[-depth:]) for folder in resolved]
        if len(set(names)) == len(set(resolved)):
            break
    return names


def hub_name(folder: Path) -> str | None:
    """The name, owner/model, of a model in the cache of the Hugging Face hub; None for any other folder."""
    for part in folder.parts:
        if part.startswith("models--") and part.count("--") == 2:
            return part.removeprefix("models--").replace("--", "/")
    return None


def _front_matter(base_models: Sequence[str]) -> str:
    listed = "".join(f"\n- {name}" for name in dict.fromkeys(base_models))
    base = f"base_model:{listed}\n" if listed else ""
    return f"---\nlibrary_name: transformers\n{base}tags:\n- merge\n- model-fusion\n- fuse-to-forget\n---\n"


def _metrics(metrics: Mapping[str, float] | None) -> str:
    if not metrics:
        return "Not measured."
    rows = "\n".join(f"| {_cell(name)} | {value} |" for name, value in metrics.items())
    return f"| metric | value |\n|---|---:|\n{rows}"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("|", "\\|"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
