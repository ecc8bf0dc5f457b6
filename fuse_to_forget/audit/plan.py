"""What the config asks of an audit of the user's own models, and whether that makes sense, before any is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuse_to_forget.entries import check_name
from fuse_to_forget.errors import InputError

BASE, SINGLES = "base", "singles"  # rows of the table beside the models' own
CLASSIFICATION, CAUSAL = "classification", "causal"
ABSENT = -1  # the attribute of an example whose data set has no such column
ADAPTER_CONFIG = "adapter_config.json"
_OPTIONS = ("labels", "length", "prefix", "batch_size", "write")
_COLUMNS = {"text": "text", "label": "label", "id": None, "author": None}


@dataclass(frozen=True)
class DataSet:
    """A file to be audited on: its columns by role, the models that know it, and those biased in each attribute."""

    file: str
    columns: Mapping[str, str | None]
    known_to: Sequence[str]
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    """An audit: folders of `models` and `base` as they are given, which of the models are adapters, and the data.

    `repo` is the base's name on the Hugging Face hub, if it comes from there. `statistics` maps every model to a file
    of text, or none of them. Texts are cut to `length` tokens, and recited after `prefix` of them. `labels` are the
    data's names of the classes, in their order, if they have others than the models.
    """

    task: str
    models: Mapping[str, str]
    adapters: Sequence[str]
    base: str | None
    repo: str | None
    data: Mapping[str, DataSet]
    statistics: Mapping[str, str]
    labels: Sequence[str] | None = None
    length: int = 128
    prefix: int = 32
    batch_size: int = 32
    write: bool = False

    def checkpoints(self) -> dict[str, str]:
        """Return the folder of each model's whole checkpoint; an adapter's is made."""
        made = {name: f"results/audit/adapters/{name}" for name in self.adapters}
        return {name: made.get(name, folder) for name, folder in self.models.items()}

    def sampled(self) -> dict[str, list[DataSet]]:
        """Return what statistics of each model are collected on, files that are named or text that it knows; if any."""
        if self.statistics:
            columns = next(iter(self.data.values())).columns
            named = {role: columns[role] for role in ("text", "label")} | {"id": None}
            return {name: [DataSet(file, named, [name])] for name, file in self.statistics.items()}
        if self.task == CLASSIFICATION:  # its sets are what is measured on, which merging must not see
            return {}
        sets = self.data.values()
        known = {name: [own for own in sets if name in own.known_to] for name in self.models}
        return known if all(known.values()) else {}


def control_of(data: Mapping[str, DataSet]) -> str:
    """Return the set that no model knows, of an audit of text."""
    return next(name for name, own in data.items() if not own.known_to)


def audit_downloads(audit: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return entries for the config's `downloads`, of the models that the audit names by repo and revision."""
    named = dict(audit.get("models", {})) | {BASE: audit.get("base")}
    return {
        f"audit_{name}": {key: given[key] for key in ("repo", "revision")}
        for name, given in named.items()
        if isinstance(given, dict)
    }


def read_audit(config: Mapping[str, Any]) -> Audit | None:
    """Return what the section `audit` of the config asks for, None if it is empty.

    Raises InputError for fewer than two models, names that stand for nothing, paths that are not there, an adapter or
    language models without a base, and text without one control.
    """
    section = config["audit"]
    if not section:
        return None
    if len(section["models"]) < 2:
        raise InputError(
            "The config audits fewer than two models in audit.models; give at least two to fuse."
        )
    for name in {BASE, SINGLES} & set(section["models"]):
        raise InputError(
            f"The config calls a model {name!r} in audit.models, which means something else here; "
            "give it another name."
        )
    models = {
        name: _folder(config, given, name, f"audit.models.{name}")
        for name, given in section["models"].items()
    }
    base = _folder(config, section["base"], BASE, "audit.base") if section.get("base") else None
    adapters = [name for name, given in section["models"].items() if _is_adapter(given)]
    data = {name: _data_set(section, name, given) for name, given in section["data"].items()}
    repo = section["base"]["repo"] if isinstance(section.get("base"), dict) else None
    _check_different(models)
    options = {key: section[key] for key in _OPTIONS if key in section}
    statistics = _statistics(section)
    audit = Audit(section["task"], models, adapters, base, repo, data, statistics, **options)
    _check_base(audit)
    if audit.task == CAUSAL:
        _check_control(audit)
    return audit


def _folder(config: Mapping[str, Any], given: str | Mapping[str, Any], name: str, place: str) -> str:
    if not isinstance(given, str):
        return f"results/downloads/audit_{name}"
    if given in config["downloads"]:
        return f"results/downloads/{given}"
    if not Path(given).is_dir():
        fault = "a file" if Path(given).is_file() else "not there"
        raise InputError(
            f"The config names {given} in {place}, which is {fault}; give a checkpoint folder, an entry of downloads, "
            "or of the Hugging Face hub {repo: owner/name, revision: its commit}."
        )
    return given


def _check_different(models: Mapping[str, str]) -> None:
    paths = {name: Path(folder).resolve() for name, folder in models.items()}
    for name, path in paths.items():
        first = next(other for other in paths if paths[other] == path)
        if first != name:
            raise InputError(
                f"The config names {models[name]} as both {first} and {name} in audit.models; give different models."
            )


def _is_adapter(given: str | Mapping[str, Any]) -> bool:
    # What is yet to be downloaded cannot be looked at.
    if isinstance(given, str):
        return (Path(given) / ADAPTER_CONFIG).is_file()
    return given.get("adapter", False)


def _data_set(section: Mapping[str, Any], name: str, given: str | Mapping[str, Any]) -> DataSet:
    entry = {"file": given} if isinstance(given, str) else given
    place, models = f"audit.data.{name}", list(section["models"])
    # Labelled examples are of the task that all models have; of text nobody knows what is not said to be known.
    known_to = entry.get("known_to", models if section["task"] == CLASSIFICATION else [])
    attributes = entry.get("attributes", section.get("attributes", []))
    if section["task"] == CAUSAL and attributes:
        raise InputError(
            f"The config audits attributes in {place}, but language models predict no labels; leave them out."
        )
    if not isinstance(attributes, dict):
        attributes = dict.fromkeys(attributes, models)
    for model in [*known_to, *(model for biased in attributes.values() for model in biased)]:
        check_name("model", model, place, models)
    _check_file(entry["file"], place)
    columns = _COLUMNS | section.get("columns", {}) | entry.get("columns", {})
    return DataSet(entry["file"], columns, list(known_to), {key: list(of) for key, of in attributes.items()})


def _check_file(file: str, place: str) -> None:
    if not Path(file).is_file():
        raise InputError(f"The config names {file} in {place}, which is not there; correct the path.")


def _statistics(section: Mapping[str, Any]) -> dict[str, str]:
    files = dict(section.get("statistics", {}))
    for model, file in files.items():
        check_name("model", model, "audit.statistics", section["models"])
        _check_file(file, f"audit.statistics.{model}")
    for missing in [name for name in section["models"] if files and name not in files][:1]:
        raise InputError(
            f"The config names data for the statistics of some models in audit.statistics, but none of {missing}; "
            "name a file for each model, or for none."
        )
    return files


def _check_base(audit: Audit) -> None:
    if audit.base is None and audit.adapters:
        raise InputError(
            f"The config audits the adapter {audit.adapters[0]}, which is nothing without the model it was trained "
            "on; name that in audit.base."
        )
    if audit.base is None and audit.task == CAUSAL:
        raise InputError(
            "The config names no audit.base, but what language models remember is measured against the model they "
            "were fine-tuned from; name it."
        )
    if audit.base is not None and (Path(audit.base) / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"The config names {audit.base} in audit.base, which is an adapter; name a whole model."
        )


def _check_control(audit: Audit) -> None:
    if audit.prefix >= audit.length:
        raise InputError(
            f"The config sets audit.prefix to {audit.prefix}, but texts are cut to {audit.length} tokens, which leaves "
            "nothing to continue; lower the prefix."
        )
    controls = [name for name, own in audit.data.items() if not own.known_to]
    if len(controls) != 1 or len(audit.data) < 2:
        raise InputError(
            f"The config has {len(controls)} sets in audit.data that no model knows; have one control of text "
            "that nobody was trained on, and give every other set its models under known_to."
        )
