"""What the configuration check lets through, and the one sentence with which it refuses the rest."""

import copy
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from snakemake.utils import update_config

from fuse_to_forget.errors import InputError
from fuse_to_forget.settings import check_config
from fuse_to_forget.studies import base_model_input, check_studies, source_files

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SHIPPED = yaml.safe_load((ROOT / "config.yaml").read_text())
PAPER = ROOT / "config/paper.yaml"


def parent_of(config: dict, place: str) -> tuple:
    """The container that holds `place` (keys and positions, dotted), and the last key."""
    *path, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    for key in path:
        config = config[key]
    return config, last


def with_value(place: str, value: object) -> dict:
    config = copy.deepcopy(SHIPPED)
    holder, key = parent_of(config, place)
    holder[key] = value
    return config


def check(config: dict) -> None:
    check_config(config, SCHEMA)
    check_studies(config)
    for study in ("shortcuts", "biases", "articles"):  # what a job of the study asks first
        source_files(config, config[study]["source"])
    for study in ("shortcuts", "biases", "memorization", "masked_memorization", "domains"):
        base_model_input(config, study)


def refusal(config: dict) -> str:
    """Assert that the config is refused in one sentence of one line; return it."""
    with pytest.raises(InputError) as caught:
        check(config)
    message = str(caught.value)
    assert message.startswith("The config ")
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert len(message) < 300
    return message


def test_a_key_of_a_section_is_sent_there():
    assert "unknown key 'models' at the top level: did you mean 'methods' or 'audit.models'?" in refusal(
        SHIPPED | {"models": {}}
    )


def columns_source(folder: Path, **entries: object) -> dict:
    columns = {"text": "t", "label": "l", "gender": "g", "age": "a"}
    values = {"label": ["0", "mention"], "gender": ["male", "female"], "age": ["young", "old"]}
    source = {"kind": "columns", "train": str(folder / "train.csv"), "columns": columns, "values": values}
    config = with_value("sources.mine", source | entries)
    config["biases"]["source"] = "mine"
    return config


def test_the_shipped_config_passes():
    check(SHIPPED)


@pytest.mark.skipif(not PAPER.is_file(), reason="config/paper.yaml is not there")
def test_the_paper_config_passes():
    config = copy.deepcopy(SHIPPED)
    update_config(config, yaml.safe_load(PAPER.read_text()))  # as `--configfile` does
    check_config(config, SCHEMA)
    assert config["biases"]["source"] in config["sources"]


def test_a_config_is_not_changed_by_its_check():
    config = copy.deepcopy(SHIPPED)
    check(config)
    assert config == SHIPPED


@pytest.mark.parametrize(
    ("place", "typo"),
    [
        ("seeds", "seed"),
        ("bootstrap.resamples", "resample"),
        ("biases.training", "trainning"),
        ("biases.training.epochs", "epoch"),
        ("biases.subsets.biases.1.attribute", "atribute"),
        ("biases.recipes.average.coefficients", "coefficents"),
        ("downloads.text.sha256", "sha265"),
        ("sources.tweets.noise", "nosie"),
    ],
)
def test_a_misspelt_key_names_the_near_one(place, typo):
    config = copy.deepcopy(SHIPPED)
    holder, key = parent_of(config, place)
    holder[typo] = holder.pop(key)
    message = refusal(config)
    assert f"unknown key {typo!r}" in message
    assert f"did you mean {key!r}" in message
    where = place.rpartition(".")[0]
    assert (f"in {where}:" if where else "at the top level:") in message


@pytest.mark.parametrize(
    "place", ["qqq", "departures.qqq", "biases.training.qqq", "downloads.text.qqq", "sources.tweets.qqq"]
)
def test_a_key_like_no_other_names_the_known_ones(place):
    known = list(parent_of(SHIPPED, place)[0]) or ["select_coefficients_on"]
    message = refusal(with_value(place, 1))
    assert all(key in message for key in known)


@pytest.mark.parametrize(
    "place",
    [
        "protocol",
        "biases",
        "biases.source",
        "biases.training.epochs",
        "downloads.text.sha256",
        "sources.tweets.rate",
    ],
)
def test_a_missing_key_is_named(place):
    config = copy.deepcopy(SHIPPED)
    holder, key = parent_of(config, place)
    del holder[key]
    message = refusal(config)
    assert f"lacks the key {key!r}" in message
    assert (place.rpartition(".")[0] or "top level") in message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("seeds", 1),
        ("seeds.0", "1"),
        ("bootstrap.resamples", "many"),
        ("bootstrap", 3),
        ("biases.training.epochs", "2"),
        ("biases.training.learning_rate", "5e-5"),  # what YAML makes of 5e-5
        ("biases.subsets.size", "all"),
        ("biases.subsets.biases.0.ratio", "high"),
        ("biases.erasure", None),
        ("downloads.text.version", 0.5),  # what YAML makes of 0.5 without quotes
        ("sources.tweets.seed", None),
    ],
)
def test_a_wrong_type_is_named_with_its_place(place, value):
    message = refusal(with_value(place, value))
    assert f"in {place}" in message
    assert repr(value) in message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("protocol", "publishd"),
        ("seeds", []),
        ("seeds", [1, 1]),
        ("seeds", [-1]),
        ("bootstrap.level", 0),
        ("bootstrap.resamples", 0),
        ("biases.splits.dev", 1.0),
        (
            "biases.splits",
            {"dev": 0.8, "test": 0.25, "seed": 1},
        ),  # with .25 for test nothing is left to train on
        ("biases.subsets.size", 0),
        ("biases.subsets.biases", SHIPPED["biases"]["subsets"]["biases"][:1]),
        ("biases.subsets.biases", SHIPPED["biases"]["subsets"]["biases"] * 2),
        ("biases.subsets.biases.0.ratio", 1.2),
        ("biases.training.epochs", 0),
        ("biases.training.epochs", float("inf")),
        ("biases.training.learning_rate", float("nan")),  # what YAML makes of .nan
        ("biases.training.max_length", 0),
        ("biases.sweep.steps", 0),
        ("biases.erasure.inlp_classifier", "tree"),
        ("biases.recipes.average.coefficients", [1.0]),
        ("biases.recipes.average.coefficients", [0.5, 0.6]),  # refused by `fuse`, but only after the training
        ("departures", {"select_coefficients_on": "train"}),
        ("sources.tweets.noise", 0.6),
        ("sources.tweets.kind", "tweet"),
        ("downloads.text.format", "egg"),
    ],
)
def test_an_impossible_value_is_named_with_its_place(place, value):
    assert f"in {place}" in refusal(with_value(place, value))


@pytest.mark.parametrize("name", ["full", "label"])
def test_an_attribute_has_no_name_that_means_something_else(name):
    assert repr(name) in refusal(with_value("biases.subsets.biases.0.attribute", name))


def test_an_unknown_protocol_names_the_known_ones():
    message = refusal(with_value("protocol", "publishd"))
    assert "described" in message
    assert "published" in message


@pytest.mark.parametrize(
    ("place", "value"), [("downloads.text.sha256", "abc"), ("downloads.a b", SHIPPED["downloads"]["text"])]
)
def test_what_text_must_look_like_is_said_in_words(place, value):
    message = refusal(with_value(place, value))
    assert "hexadecimal digits" in message or "letters, digits" in message
    assert "[" not in message  # no regular expression


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "A" * 64, "a" * 65])
def test_a_malformed_digest_is_refused(digest):
    message = refusal(with_value("downloads.text.sha256", digest))
    assert "downloads.text.sha256" in message


@pytest.mark.parametrize("revision", ["main", "v1.0", "a" * 39, "refs/pr/1"])
def test_a_hub_revision_must_be_a_commit(revision):
    check(with_value("downloads.hub", {"repo": "some/model", "revision": "a" * 40}))
    message = refusal(with_value("downloads.hub", {"repo": "some/model", "revision": revision}))
    assert "downloads.hub.revision" in message
    assert revision in message


def test_a_hub_download_has_no_digest():
    entry = {"repo": "some/model", "revision": "a" * 40, "sha256": "a" * 64}
    assert "unknown key 'sha256' in downloads.hub" in refusal(with_value("downloads.hub", entry))


@pytest.mark.parametrize("place", ["downloads", "sources", "biases.recipes"])
@pytest.mark.parametrize("name", ["a/b", "..", "a b", ""])
def test_names_that_become_paths_are_plain(place, name):
    entry = next(iter(parent_of(SHIPPED, f"{place}.x")[0].values()))
    message = refusal(
        with_value(f"{place}.{name}" if "." not in name else place, {name: entry} if "." in name else entry)
    )
    assert place in message
    assert repr(name) in message


@pytest.mark.parametrize(
    ("place", "value", "known"),
    [
        ("biases.source", "tweet", "tweets"),
        ("sources.tweets.download", "txt", "text, encoder"),
        ("biases.recipes.average.models", ["gender", "ages"], "gender, age, full"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(place, value, known):
    message = refusal(with_value(place, value))
    assert repr(value if isinstance(value, str) else value[-1]) in message
    assert known in message
    assert place.rpartition(".")[0] in message


def test_the_same_attribute_twice_is_refused():
    message = refusal(with_value("biases.subsets.biases.1.attribute", "gender"))
    assert "'gender' twice in biases.subsets.biases" in message


@pytest.mark.parametrize("models", [None, ["gender", "age"], ["full", "age"]])
def test_one_coefficient_for_each_model(models):
    recipe = {"coefficients": [0.2, 0.3, 0.5]} | ({"models": models} if models else {})
    assert "3 coefficients for 2 models in biases.recipes.x" in refusal(
        with_value("biases.recipes.x", recipe)
    )
