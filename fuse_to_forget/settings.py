"""The configuration, checked before anything else happens."""

import difflib
import math
from collections.abc import Iterator
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
        guesses = difflib.get_close_matches(unknown, known, n=1) + _sections_with(
            unknown, error.schema, where
        )
        hint = f"the keys there are {', '.join(known)}."
        if guesses:
            hint = f"did you mean {' or '.join(map(repr, guesses))}?"
        return f"The config has an unknown key {unknown!r} {place}: {hint}"
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))[0]
        return f"The config lacks the key {missing!r} {place}."
    return f"The config value {place} is impossible: {_reason(error)}."


def _sections_with(key: str, schema: dict[str, Any], where: str) -> list[str]:
    """Return the dotted places right under `where`, which `schema` describes, that know a key."""
    sections = [
        name for name, own in schema.get("properties", {}).items() if key in own.get("properties", {})
    ]
    return [f"{where}.{name}.{key}".lstrip(".") for name in sections]


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
