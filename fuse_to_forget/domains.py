"""The domain study, after Jin et al., "Dataless Knowledge Fusion by Merging Weights of Language Models", ICLR 2023.

One model is trained on each domain of one task; sets of them are merged and evaluated on the domains that their
models were trained on (in-domain) and on the others (out-of-domain).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from fuse_to_forget.entries import check_base_model, check_name, check_source
from fuse_to_forget.errors import InputError
from fuse_to_forget.language_studies import ARTICLE_KINDS

STUDY = "domains"
KIND = "rated_sentiment"  # of sources that no other study reads
FULL, PARTS, PARTS_FULL = "full", ("part1", "part2"), "parts_full"
SAME, DIFFERENT = "same", "different"
NOT_MERGED = ("single", "full")  # what the table compares methods with
HEAD = "head"  # the base model with the head that the models of one head start from
RESERVED = (FULL, *PARTS, HEAD)
WEIGHTED_AVERAGE = "weighted_average"  # as fusion/methods.py calls it, which would import torch


@dataclass(frozen=True)
class Domains:
    """The models of the study: by domain in `names`, for each of `heads`; `non_iid` is the domain of the two parts."""

    names: Sequence[str]
    heads: Sequence[str]
    non_iid: str

    def model(self, domain: str, head: str) -> str:
        """Return the model of a domain that starts from its own head, or from the same as the others."""
        return f"{domain}_same" if head == SAME else domain

    def trained(self) -> dict[str, list[str]]:
        """Return every model with the domains that its training text is from, the models of several last."""
        singles = {self.model(name, head): [name] for head in self.heads for name in self.names}
        of_parts = {model: [self.non_iid] for model in (*PARTS, PARTS_FULL)}
        return singles | of_parts | {FULL: list(self.names)}

    def has_same_head(self, model: str) -> bool:
        """Whether a model starts from the head that others start from too."""
        return model.endswith("_same") or model in (*PARTS, PARTS_FULL)

    def sets_of(self, count: int) -> list[tuple[str, ...]]:
        """Return all sets of so many domains, in their order."""
        return list(combinations(self.names, count))

    def merged(self, domains: Sequence[str], head: str) -> str:
        """Return what the merged model of a set of domains is called."""
        return "-".join(self.model(name, head) for name in domains)

    def sets(self) -> dict[str, list[str]]:
        """Return the models of every set that is merged, by its name: all sets of domains, and the two parts."""
        found = {
            self.merged(chosen, head): [self.model(name, head) for name in chosen]
            for head in self.heads
            for count in range(2, len(self.names) + 1)
            for chosen in self.sets_of(count)
        }
        return found | {"-".join(PARTS): list(PARTS)}


def domain_sources(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the domains, each with the name of its source."""
    return {entry["domain"]: entry["source"] for entry in config[STUDY]["sources"]}


def domains_of(config: Mapping[str, Any]) -> Domains:
    """Return the study as the config has it."""
    study = config[STUDY]
    return Domains(list(domain_sources(config)), study["heads"], study["non_iid"]["domain"])


def simple_average(config: Mapping[str, Any]) -> str:
    """Return the label of the method of the study that is the plain average, which the others are compared with.

    Raises InputError if there is none.
    """
    uses = config["methods"]["uses"]
    for label in config[STUDY]["methods"]:
        if uses[label]["method"] == WEIGHTED_AVERAGE:
            return label
    raise InputError(
        f"The config names no plain average in domains.methods, which the others are compared with; add a label "
        f"of methods.uses whose method is {WEIGHTED_AVERAGE}."
    )


def regmean_uses(config: Mapping[str, Any]) -> list[str]:
    """Return the labels of the study's methods that are RegMean."""
    uses = config["methods"]["uses"]
    return [label for label in config[STUDY]["methods"] if uses[label]["method"] == "regmean"]


def check_domains(config: Mapping[str, Any]) -> None:
    """Refuse what a schema cannot express of the domain study.

    Raises InputError: names that stand for nothing or are taken, a domain twice, sources without labels.
    """
    study = config[STUDY]
    names = [entry["domain"] for entry in study["sources"]]
    for name in names:
        if name in RESERVED or names.count(name) > 1:
            raise InputError(
                f"The config calls a domain {name!r} in domains.sources, which is taken; give it another name."
            )
    for name, source in domain_sources(config).items():
        check_source(config, source, "domains.sources")
        kind = config["sources"][source]["kind"]
        if kind in ARTICLE_KINDS:
            raise InputError(
                f"The config names a source of kind {kind!r} in domains.sources ({name}), which has no labels; "
                "name one that has."
            )
    check_name("domain", study["non_iid"]["domain"], "domains.non_iid", names)
    for label in study["methods"]:
        check_name("method", label, "domains.methods", config["methods"]["uses"])
        if label in NOT_MERGED:
            raise InputError(
                f"The config calls a method {label!r} in domains.methods, which means something else there; "
                "give it another label."
            )
    simple_average(config)
    check_base_model(config, STUDY)
