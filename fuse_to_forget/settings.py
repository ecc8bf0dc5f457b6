"""The configuration, checked before anything else happens."""

import difflib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema

from fuse_to_forget.errors import InputError


def check_config(config: dict[str, Any], schema: dict[str, Any]) -> None:
    """Refuse a configuration that breaks the schema, with one sentence for its first fault.

    Raises InputError: an unknown key (with the key it may stand for), a wrong type, an impossible value.
    """
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(config))
    if errors:
        raise InputError(_sentence(min(errors, key=_rank)))
    for place, value in _numbers(config):
        if not math.isfinite(value):
            raise InputError(f"The config value in {place} is impossible: {value} is not a finite number.")


def check_study(config: dict[str, Any]) -> None:
    """Refuse what a schema cannot express, before the DAG is built.

    Raises InputError: names that stand for nothing, coefficients that fit no recipe, files that are not there.
    """
    study = config["biases"]
    attributes = [bias["attribute"] for bias in study["subsets"]["biases"]]
    _check_attributes(attributes)
    if study["splits"]["dev"] + study["splits"]["test"] >= 1:
        raise InputError(
            "The config holds out everything in biases.splits: dev and test must sum to less than 1."
        )
    _check_name("source", study["source"], "biases.source", config["sources"])
    download = config["sources"][study["source"]].get("download")
    if download is not None:
        _check_name("download", download, f"sources.{study['source']}", config["downloads"])
    for name, recipe in study["recipes"].items():
        _check_recipe(recipe, f"biases.recipes.{name}", attributes)
    _check_files(config)


def local_inputs(config: dict[str, Any]) -> list[str]:
    """Return the files and folders of the source that the config expects the user to have."""
    source = config["sources"][config["biases"]["source"]]
    return [source[key] for key in ("path", "train", "dev", "test") if source.get(key)]


def _check_attributes(attributes: list[str]) -> None:
    if attributes[0] == attributes[1]:
        raise InputError(
            f"The config biases {attributes[0]!r} twice in biases.subsets.biases; name two attributes."
        )
    for taken in {"full", "label"} & set(attributes):
        raise InputError(
            f"The config calls an attribute {taken!r} in biases.subsets.biases, which means something else here; "
            "give it another name."
        )


def _check_recipe(recipe: dict[str, Any], place: str, attributes: list[str]) -> None:
    models, coefficients = recipe.get("models", attributes), recipe["coefficients"]
    for model in models:
        _check_name("model", model, place, (*attributes, "full"))
    if len(models) != len(coefficients):
        raise InputError(
            f"The config gives {len(coefficients)} coefficients for {len(models)} models in {place}; "
            "give one for each."
        )
    if not math.isclose(sum(coefficients), 1, abs_tol=1e-6):
        raise InputError(
            f"The config value in {place}.coefficients sums to {sum(coefficients):g}; it must be 1."
        )


def _check_files(config: dict[str, Any]) -> None:
    for path in local_inputs(config):
        if not Path(path).exists():
            raise InputError(
                f"The config names {path}, which does not exist; correct the path or put the data there."
            )
    base = config["biases"]["base_model"]
    if base not in config["downloads"] and not Path(base).exists():
        raise InputError(
            f"The config names {base}, which does not exist, in biases.base_model; "
            f"give a checkpoint folder or one of the downloads {', '.join(config['downloads'])}."
        )


def _check_name(what: str, name: str, place: str, known: Iterable[str]) -> None:
    if name not in known:
        raise InputError(
            f"The config names the {what} {name!r} in {place}, but there are only {', '.join(known)}."
        )


def _numbers(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield every floating-point number of the config with its dotted place."""
    if isinstance(value, float):
        yield place, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from _numbers(child, f"{place}.{key}".lstrip("."))


def _rank(error: jsonschema.ValidationError) -> tuple[int, int]:
    """Unknown keys first: a misspelt key often brings a 'missing key' error along."""
    return (error.validator != "additionalProperties", -len(error.absolute_path))


def _sentence(error: jsonschema.ValidationError) -> str:
    where = ".".join(map(str, error.absolute_path))
    place = f"in {where}" if where else "at the top level"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))[0]
        near = difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the keys there are {', '.join(known)}."
        return f"The config has an unknown key {unknown!r} {place}: {hint}"
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))[0]
        return f"The config lacks the key {missing!r} {place}."
    return f"The config value {place} is impossible: {_reason(error)}."


def _reason(error: jsonschema.ValidationError) -> str:
    value, rule = error.instance, error.validator_value
    match error.validator:
        case "pattern":  # in words, where jsonschema prints the regular expression
            return f"{value!r} must be {error.schema.get('description', 'a plain name')}"
        case "minItems" | "maxItems":
            bound = "at least" if error.validator == "minItems" else "at most"
            return f"it has {len(value)} entries, but {bound} {rule} are wanted"
        case "type" if isinstance(value, str) and rule in ("number", "integer") and _is_number(value):
            return f"{value!r} is text to YAML, not a number; write it with a dot, such as 5.0e-5"
        case "type" if value is None:
            return f"None (an empty key) is not of type {rule!r}"
    return error.message


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
