"""What the configuration says of articles and language models, and whether that makes sense (paper, section 6)."""

from typing import Any

from fuse_to_forget.entries import check_base_model, check_source
from fuse_to_forget.errors import InputError
from fuse_to_forget.protocol import switches

ARTICLE_KINDS = ("editorials", "rated_texts", "articles", "cnn_dailymail")  # sources without labels
OBJECTIVES = {"memorization": "causal", "masked_memorization": "masked"}  # of each study
_POSITIONS = ("n_positions", "max_position_embeddings")  # what configs of models call their context


def check_language_studies(config: dict[str, Any]) -> None:
    """Refuse what a schema cannot express of articles, pretrained models and the studies of memorization.

    Raises InputError: names that stand for nothing of use, articles that are also pretrained on, lengths that do not
    fit, an objective that is not the study's, switches that contradict each other.
    """
    _check_articles(config, config["articles"]["source"], "articles.source")
    for name, entry in config["pretrained"].items():
        _check_pretrained(config, name, entry)
    _check_switches(config)
    for study in OBJECTIVES:
        check_base_model(config, study)
        _check_study(study, config[study])
        if config[study]["base_model"] in config["pretrained"]:
            _check_base(config, study)


def _check_articles(config: dict[str, Any], name: str, place: str) -> None:
    check_source(config, name, place)
    kind = config["sources"][name]["kind"]
    if kind not in ARTICLE_KINDS:
        raise InputError(
            f"The config names a source of kind {kind!r} in {place}, which holds no articles; "
            f"name one of kind {', '.join(ARTICLE_KINDS)}."
        )


def _check_pretrained(config: dict[str, Any], name: str, entry: dict[str, Any]) -> None:
    for text in entry["texts"]:
        _check_articles(config, text, f"pretrained.{name}.texts")
        if text == config["articles"]["source"]:
            raise InputError(
                f"The config names {text!r} in pretrained.{name}.texts, which is articles.source, but a base model "
                "must not know what is to be memorised; name other texts."
            )
    for field in _POSITIONS:
        positions = entry["config"].get(field)
        if isinstance(positions, int) and entry["length"] > positions:
            raise InputError(
                f"The config wants sequences of {entry['length']} tokens in pretrained.{name}.length, but "
                f"config.{field} there is {positions}; lower the one or raise the other."
            )


def _check_switches(config: dict[str, Any]) -> None:
    chosen = switches(config["protocol"], config["departures"])
    if chosen["evaluation_dtype"] == "bfloat16" and chosen["likelihood_ratio_over"] != "batch":
        raise InputError(
            "The config asks for evaluation_dtype: bfloat16 with likelihood_ratio_over: sequence, but only means of "
            "batches are rounded; set float32 or batch in departures."
        )


def _check_study(study: str, entry: dict[str, Any]) -> None:
    objective = OBJECTIVES[study]
    if entry["objective"] != objective:
        other = next(name for name in OBJECTIVES if name != study)
        raise InputError(
            f"The config sets {study}.objective to {entry['objective']}, but it must be {objective}; "
            f"the section {other} is for {entry['objective']} models."
        )
    length, prefix = entry["sequences"]["length"], entry["prediction"]["prefix"]
    if objective == "causal" and prefix >= length:
        raise InputError(
            f"The config sets {study}.prediction.prefix to {prefix}, but sequences.length is {length}, which "
            "leaves nothing to continue; lower the prefix."
        )


def _check_base(config: dict[str, Any], study: str) -> None:
    """Check a base model that is pretrained here."""
    name = config[study]["base_model"]
    entry = config["pretrained"][name]
    if entry["objective"] != OBJECTIVES[study]:
        raise InputError(
            f"The config names {name!r} in {study}.base_model, which is pretrained as a {entry['objective']} model; "
            f"name a {OBJECTIVES[study]} one."
        )
    length = config[study]["sequences"]["length"]
    if length > entry["length"]:
        raise InputError(
            f"The config wants sequences of {length} tokens in {study}.sequences.length, but {study}.base_model is "
            f"pretrained on {entry['length']}; lower it, or raise pretrained.{name}.length."
        )
