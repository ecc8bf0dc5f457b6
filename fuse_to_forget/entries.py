"""What every study asks of the entries of the config that it names: sources with their downloads, and base models."""

from collections.abc import Iterable
from typing import Any

from fuse_to_forget.errors import InputError

DATA_SET_KINDS = ("sst2", "cnn_dailymail")  # sources that the Hugging Face hub holds as data sets


def check_name(what: str, name: str, place: str, known: Iterable[str]) -> None:
    """Raise InputError if `place` names something that there is not."""
    if name not in known:
        raise InputError(
            f"The config names the {what} {name!r} in {place}, but there are only {', '.join(known)}."
        )


def check_source(config: dict[str, Any], name: str, place: str) -> None:
    """Raise InputError if `place` names no source, or one whose download is unknown or of another type."""
    check_name("source", name, place, config["sources"])
    source = config["sources"][name]
    download = source.get("download")
    if download is None:
        return
    check_name("download", download, f"sources.{name}", config["downloads"])
    if source["kind"] in DATA_SET_KINDS and not _is_data_set(config, download):
        raise InputError(
            f"The config reads sources.{name} from downloads.{download}, which is no data set; "
            "give it a repo with repo_type: dataset."
        )


def check_base_model(config: dict[str, Any], study: str) -> None:
    """Raise InputError if the base model of a study is a download that is a data set."""
    base = config[study]["base_model"]
    if base in config["downloads"] and _is_data_set(config, base):
        raise InputError(
            f"The config names {base!r} in {study}.base_model, which is a data set; name a model."
        )


def _is_data_set(config: dict[str, Any], download: str) -> bool:
    return config["downloads"][download].get("repo_type", "model") == "dataset"
