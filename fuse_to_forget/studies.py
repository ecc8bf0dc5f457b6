"""What the configuration says of the studies: their models, data sets and sweeps, and whether that makes sense."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuse_to_forget import domains
from fuse_to_forget.bias_goals import TAKEN, check_selection
from fuse_to_forget.entries import check_base_model, check_name, check_source
from fuse_to_forget.errors import InputError
from fuse_to_forget.language_studies import ARTICLE_KINDS, check_language_studies
from fuse_to_forget.method_grid import check_methods
from fuse_to_forget.runs import MAIN, Run, runs, trained_on
from fuse_to_forget.runs import STUDIES as LANGUAGE_STUDIES
from fuse_to_forget.subsets.shortcuts import SHORTCUTS

FULL, RANDOM = "full", "random"
AVERAGE = "average"  # the sweep that holds only the plain average of all single shortcuts
FIGURES = ("figure2", "figure3", "figure6")
UNBIASED_KINDS = ("snippets", "sst2")  # sources without protected attributes


def attributes(config: dict[str, Any]) -> list[str]:
    """Return the two biased attributes, which name the models of the bias study."""
    return [bias["attribute"] for bias in config["biases"]["subsets"]["biases"]]


def shortcut_mixtures(config: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return, for each trained shortcut model, its shortcuts with their weights."""
    study = config["shortcuts"]
    return {name: {name: 1.0} for name in study["singles"]} | study["mixtures"]


def models(config: dict[str, Any]) -> dict[str, list[str]]:
    """Return the models that each study trains, the full model last."""
    return {
        "shortcuts": [*shortcut_mixtures(config), FULL],
        "biases": [*attributes(config), FULL],
        domains.STUDY: list(domains.domains_of(config).trained()),
    } | {study: list(trained_on(config[study])) for study in LANGUAGE_STUDIES}


def single_models(config: dict[str, Any]) -> dict[str, list[str]]:
    """Return the models that each study trains on one part of its knowledge."""
    return {"shortcuts": config["shortcuts"]["singles"], "biases": attributes(config)} | {
        study: list(runs(config[study])[MAIN].singles) for study in LANGUAGE_STUDIES
    }


def shortcut_sweeps(config: dict[str, Any]) -> dict[str, list[str]]:
    """Return the models of every sweep of the shortcut study by name: pairs, the triplet and AVERAGE."""
    study = config["shortcuts"]
    sweeps = [*(pair for figure in FIGURES for pair in study["sweeps"][figure]), study["sweeps"]["triplet"]]
    return {"-".join(names): list(names) for names in sweeps} | {AVERAGE: study["singles"]}


def swept_datasets(config: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Return the data sets on which a sweep over these models is evaluated: their own, each once."""
    mixtures = shortcut_mixtures(config)
    return list(dict.fromkeys(shortcut for name in names for shortcut in mixtures.get(name, {})))


def recipe_models(config: dict[str, Any], study: str, recipe: dict[str, Any]) -> list[str]:
    """Return the models that a recipe fuses: those it names, else the study's single models."""
    return recipe.get("models", single_models(config)[study])


def check_studies(config: dict[str, Any]) -> None:
    """Refuse what a schema cannot express, before the DAG is built.

    Raises InputError: names that stand for nothing, coefficients that fit no recipe.
    """
    _check_biases(config)
    _check_shortcuts(config)
    check_language_studies(config)
    check_methods(config, models(config))
    domains.check_domains(config)
    for study, trained in models(config).items():
        if study in (*LANGUAGE_STUDIES, domains.STUDY):
            continue
        _check_source(config, study)
        for name, recipe in config[study]["recipes"].items():
            fused = recipe_models(config, study, recipe)
            _check_recipe(fused, recipe["coefficients"], f"{study}.recipes.{name}", trained)


def study_runs(config: dict[str, Any], study: str) -> dict[str, Run]:
    """Return the runs of a study of language models; raises InputError as `runs` does."""
    return runs(config[study])


def source_files(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what a source is read from, by the names in its entry: a download, or files and folders of the user.

    Raises InputError for one of the user's that is not there.
    """
    source = config["sources"][name]
    if source.get("download") is not None:
        return {"download": f"results/downloads/{source['download']}"}
    paths = {key: source[key] for key in ("path", "train", "dev", "test") if source.get(key)}
    for path in paths.values():
        if not Path(path).exists():
            raise InputError(
                f"The config names {path}, which does not exist; correct the path or put the data there."
            )
    return paths


def base_model_input(config: dict[str, Any], study: str) -> str:
    """Return the folder of a study's base model: downloaded, or the user's own.

    Raises InputError if it is neither.
    """
    name = config[study]["base_model"]
    places = {"downloads": config["downloads"]}
    if study in LANGUAGE_STUDIES:
        places = {"pretrained": config["pretrained"]} | places
    for place, entries in places.items():
        if name in entries:
            return f"results/{place}/{name}"
    if not Path(name).exists():
        known = " or ".join(f"one of the {place} {', '.join(entries)}" for place, entries in places.items())
        raise InputError(
            f"The config names {name}, which does not exist, in {study}.base_model; "
            f"give a checkpoint folder or {known}."
        )
    return name


def _check_source(config: dict[str, Any], study: str) -> None:
    name = config[study]["source"]
    check_source(config, name, f"{study}.source")
    kind = config["sources"][name]["kind"]
    if kind in ARTICLE_KINDS:
        raise InputError(
            f"The config names a source of kind {kind!r} in {study}.source, which has no labels; "
            "name one that has."
        )
    if kind == domains.KIND:
        raise InputError(
            f"The config names a source of kind {kind!r} in {study}.source, which is for domains.sources alone; "
            "name another one."
        )
    check_base_model(config, study)


def _check_biases(config: dict[str, Any]) -> None:
    study = config["biases"]
    first, second = attributes(config)
    if first == second:
        raise InputError(f"The config biases {first!r} twice in biases.subsets.biases; name two attributes.")
    for taken in {FULL, "label", *TAKEN} & {first, second}:
        raise InputError(
            f"The config calls an attribute {taken!r} in biases.subsets.biases, which means something else here; "
            "give it another name."
        )
    check_selection(study["selection"], (first, second))
    if study["splits"]["dev"] + study["splits"]["test"] >= 1:
        raise InputError(
            "The config holds out everything in biases.splits: dev and test must sum to less than 1."
        )
    kind = config["sources"].get(study["source"], {}).get("kind")
    if kind in UNBIASED_KINDS:
        raise InputError(
            f"The config names a source of kind {kind!r} in biases.source, which has no protected attributes; "
            "name one that has two."
        )


def _check_shortcuts(config: dict[str, Any]) -> None:
    study = config["shortcuts"]
    singles, mixtures = study["singles"], shortcut_mixtures(config)
    for name in singles:
        check_name("shortcut", name, "shortcuts.singles", SHORTCUTS)
    for name, weights in study["mixtures"].items():
        for shortcut in weights:
            check_name("shortcut", shortcut, f"shortcuts.mixtures.{name}", singles)
        if name in (*singles, FULL, RANDOM):
            raise InputError(
                f"The config calls a mixture {name!r} in shortcuts.mixtures, which means something else here; "
                "give it another name."
            )
    places = {f"sweeps.{figure}": (*mixtures, RANDOM) for figure in FIGURES}
    for place, known in {**places, "fisher.pairs": singles}.items():
        section, key = place.split(".")
        for pair in study[section][key]:
            for name in pair:
                check_name("model", name, f"shortcuts.{place}", known)
    for name in study["sweeps"]["triplet"]:
        check_name("model", name, "shortcuts.sweeps.triplet", mixtures)
    for name in study["random_distance"]:
        check_name("model", name, "shortcuts.random_distance", mixtures)
    _check_fisher(study, config["seeds"])


def _check_fisher(study: dict[str, Any], seeds: Sequence[int]) -> None:
    fisher = study["fisher"]
    if fisher["groups"] > fisher["examples"]:
        raise InputError(
            f"The config wants {fisher['groups']} groups of {fisher['examples']} examples in shortcuts.fisher; "
            "give at least one example to each."
        )
    if fisher["reference_seed"] in seeds:
        raise InputError(
            f"The config value in shortcuts.fisher.reference_seed, {fisher['reference_seed']}, is one of seeds; "
            "give another one."
        )


def _check_recipe(
    names: Sequence[str], coefficients: Sequence[float], place: str, trained: Sequence[str]
) -> None:
    for name in names:
        check_name("model", name, place, trained)
    if len(names) != len(coefficients):
        raise InputError(
            f"The config gives {len(coefficients)} coefficients for {len(names)} models in {place}; "
            "give one for each."
        )
    if not math.isclose(sum(coefficients), 1, abs_tol=1e-6):
        raise InputError(
            f"The config value in {place}.coefficients sums to {sum(coefficients):g}; it must be 1."
        )
