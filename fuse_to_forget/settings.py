"""The configuration, checked before anything else happens."""

import difflib
from collections.abc import Iterable
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


def check_study(config: dict[str, Any]) -> None:
    """Refuse what a schema cannot express, before the DAG is built.

    Raises InputError: recipes or biases that name no model or attribute, files that are not there.
    """
    study = config["biases"]
    attributes = [bias["attribute"] for bias in study["subsets"]["biases"]]
    if attributes[0] == attributes[1]:
        raise InputError(
            f"The config biases {attributes[0]!r} twice in biases.subsets.biases; name two attributes."
        )
    if study["source"] not in config["sources"]:
        raise InputError(_unknown_name("source", study["source"], "biases.source", config["sources"]))
    download = config["sources"][study["source"]].get("download")
    if download is not None and download not in config["downloads"]:
        raise InputError(
            _unknown_name("download", download, f"sources.{study['source']}", config["downloads"])
        )
    for name, recipe in study["recipes"].items():
        models = recipe.get("models", attributes)
        for model in models:
            if model not in (*attributes, "full"):
                raise InputError(
                    _unknown_name("model", model, f"biases.recipes.{name}", (*attributes, "full"))
                )
        if len(models) != len(recipe["coefficients"]):
            raise InputError(
                f"The config gives {len(recipe['coefficients'])} coefficients for {len(models)} models "
                f"in biases.recipes.{name}; give one for each."
            )
    for path in local_inputs(config):
        if not Path(path).exists():
            raise InputError(
                f"The config names {path}, which does not exist; correct the path or put the data there."
            )


def local_inputs(config: dict[str, Any]) -> list[str]:
    """Return the files and folders that the config expects the user to have."""
    study = config["biases"]
    source = config["sources"][study["source"]]
    paths = [source[key] for key in ("path", "train", "dev", "test") if source.get(key)]
    if study["base_model"] not in config["downloads"]:
        paths.append(study["base_model"])
    return paths


def _unknown_name(what: str, name: str, where: str, known: Iterable[str]) -> str:
    return f"The config names the {what} {name!r} in {where}, but there are only {', '.join(known)}."


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
    if error.validator in ("oneOf", "anyOf"):
        allowed = "; or ".join(part.get("title", part.get("type", "?")) for part in error.validator_value)
        return f"The config value {error.instance!r} {place} must be: {allowed}."
    return f"The config value {place} is impossible: {error.message}."
