"""What the configuration says of fusion methods: which are used, and on which sets of models of each study."""

from collections.abc import Mapping, Sequence
from typing import Any

from fuse_to_forget.domains import FULL
from fuse_to_forget.entries import check_name
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.catalog import ENSEMBLE, METHODS, WEIGHTED_AVERAGE, complete_settings
from fuse_to_forget.runs import MAIN, runs
from fuse_to_forget.runs import STUDIES as LANGUAGE_STUDIES


def method_sets(
    config: Mapping[str, Any], singles: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[str]]]:
    """Return, for each study of the grid, the sets of models that every method fuses, by name.

    An empty set in the config stands for all single models of the study, which `singles` holds.
    """
    return {
        study: {"-".join(names): names for names in (list(own) or list(singles[study]) for own in sets)}
        for study, sets in config["methods"]["sets"].items()
    }


def full_models(config: Mapping[str, Any], singles: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Return, for each study of the grid, the model trained on all data of a set, for sets that have one, by set."""
    return {
        study: {name: full for name, models in own.items() if (full := _full(config, singles, study, models))}
        for study, own in method_sets(config, singles).items()
    }


def _full(
    config: Mapping[str, Any], singles: Mapping[str, Sequence[str]], study: str, models: Sequence[str]
) -> str | None:
    if study in LANGUAGE_STUDIES:
        run = runs(config[study])[MAIN]
        name = run.model("".join(models), FULL)
        return name if name in run.trained() else None
    return FULL if set(models) == set(singles[study]) else None


def uses_of(
    config: Mapping[str, Any], labels: Sequence[str] | None, models: int
) -> dict[str, dict[str, Any]]:
    """Return the uses of these labels (all without them) that can fuse so many models: method and settings."""
    entries = {
        label: {"method": entry["method"], "settings": dict(entry.get("settings", {}))}
        for label, entry in config["methods"]["uses"].items()
        if labels is None or label in labels
    }
    return {
        label: entry for label, entry in entries.items() if models == 2 or not _for_pairs(entry["method"])
    }


def statistics_of(uses: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the kinds of statistics that these uses need of each model."""
    kinds = (METHODS[use["method"]].statistics for use in uses.values() if use["method"] != ENSEMBLE)
    return sorted({kind for kind in kinds if kind})


def needs_base(uses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether one of these uses needs the base model."""
    return any(METHODS[use["method"]].needs_base for use in uses.values() if use["method"] != ENSEMBLE)


def needs_texts(uses: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether one of these uses needs the texts that the models were trained on."""
    return any(METHODS[use["method"]].needs_texts for use in uses.values() if use["method"] != ENSEMBLE)


def check_methods(config: Mapping[str, Any], trained: Mapping[str, Sequence[str]]) -> None:
    """Refuse what a schema cannot express of `methods`; `trained` holds the models of each study.

    Raises InputError: an unknown method, setting or model, a set of fewer than two models, no plain average.
    """
    for label, entry in config["methods"]["uses"].items():
        if label == FULL:
            raise InputError(
                f"The config calls a method {FULL!r} in methods.uses, as the model trained on all data is called; "
                "rename it."
            )
        place = f"methods.uses.{label}"
        check_name("method", entry["method"], place, (*METHODS, ENSEMBLE))
        if entry["method"] == ENSEMBLE:
            if entry.get("settings"):
                raise InputError(
                    f"The config gives settings in {place}, but an ensemble has none; leave them out."
                )
            continue
        try:
            complete_settings(entry["method"], entry.get("settings"))
        except InputError as error:
            raise InputError(f"The config is wrong in {place}: {error}.") from None
    for study, sets in config["methods"]["sets"].items():
        for names in sets:
            for name in names:
                check_name("model", name, f"methods.sets.{study}", trained[study])
            if len(set(names)) != len(names) or len(names) == 1:
                raise InputError(
                    f"The config wants {names} fused in methods.sets.{study}; name at least two models, each once."
                )
    if all(entry["method"] != WEIGHTED_AVERAGE for entry in config["methods"]["uses"].values()):
        raise InputError(
            "The config names no plain average in methods.uses, which the others are compared with; add one whose "
            f"method is {WEIGHTED_AVERAGE}."
        )


def _for_pairs(method: str) -> bool:
    return method != ENSEMBLE and METHODS[method].pairs_only
