"""The models of the memorization studies: which subsets each is trained on, and which are fused (paper, section 6).

A run is a set of models trained alike on disjoint subsets A, B, ... and on what they share:
- `main`: all of them, with the full models that are trained on several subsets together (Tables 2, 5 and 7);
- `epochs5`: the first ones trained for 5 epochs (Table 6), apart, because the learning rate falls to 0 over all epochs;
- `of2`: two models that share out all unshared sequences among them (Figures 11 and 12).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from string import ascii_uppercase
from typing import Any

from fuse_to_forget.errors import InputError

STUDIES = ("memorization", "masked_memorization")
MAIN, BASE = "main", "base"
SHARED = "shared"
DEV, HELD_OUT = "dev", "held_out"  # data sets that no model is trained on; held_out is the control


@dataclass(frozen=True)
class Run:
    """One run: `singles` are the letters of its subsets, `full` and `fused` letters together, `suffix` ends names."""

    singles: str
    full: tuple[str, ...]
    fused: tuple[str, ...]
    suffix: str
    epochs: float
    own_subsets: bool  # whether its subsets are its own, or those of the main run

    def model(self, letters: str, kind: str = "single") -> str:
        """Return the name of a model: `A_of2`, `full_AB`, `fused_AB_epochs5`."""
        return ("" if kind == "single" else f"{kind}_") + letters + self.suffix

    def subset(self, letter: str) -> str:
        """Return the name of the subset that the model of this letter is trained on."""
        return letter + (self.suffix if self.own_subsets else "")

    def trained(self) -> dict[str, list[str]]:
        """Return the models that are trained, each with its subsets, in the order of the tables."""
        singles = {self.model(letter): [self.subset(letter), SHARED] for letter in self.singles}
        full = {self.model(name, "full"): [*map(self.subset, name), SHARED] for name in self.full}
        return singles | full

    def constituents(self) -> dict[str, list[str]]:
        """Return the fused models, each with the models that it is the plain average of."""
        return {self.model(name, "fused"): [self.model(letter) for letter in name] for name in self.fused}

    def evaluated(self) -> list[str]:
        """Return the data sets that every model of the run is evaluated on."""
        return [*map(self.subset, self.singles), SHARED, DEV, HELD_OUT]


def runs(study: Mapping[str, Any]) -> dict[str, Run]:
    """Return the runs of a memorization study, from its section of the config.

    Raises InputError for numbers of models that are more than the main run has.
    """
    count, epochs = study["subsets"]["models"], study["training"]["epochs"]
    names = ascii_uppercase[:count]
    prefixes = tuple(names[:length] for length in range(2, count + 1))
    found = {MAIN: Run(names, prefixes, prefixes, "", epochs, own_subsets=False)}
    few = study["epochs"]["models"]
    numbers = [*(study["totals"]), *([few] if study["epochs"]["values"] else [])]
    for number in numbers:
        if number > count:
            raise InputError(
                f"The config wants a run of {number} models, but subsets.models is {count}; ask for fewer."
            )
    for value in study["epochs"]["values"]:
        all_of_them = (names[:few],)
        found[f"epochs{value}"] = Run(
            names[:few], all_of_them, all_of_them, f"_epochs{value}", value, own_subsets=False
        )
    for number in study["totals"]:
        if number < count:  # the main run is the one of all models
            part = names[:number]
            found[f"of{number}"] = Run(part, (), (part,), f"_of{number}", epochs, own_subsets=True)
    return found


def subset_sizes(study: Mapping[str, Any], run: Run) -> dict[str, int]:
    """Return how many sequences each subset of a run has, the shared one first: so all runs share the same."""
    sizes = study["subsets"]
    unshared = sizes["unshared"]
    if run.own_subsets:
        unshared = unshared * sizes["models"] // len(run.singles)
    return {SHARED: sizes["shared"]} | {run.subset(letter): unshared for letter in run.singles}


def sizes_up_to(study: Mapping[str, Any], subset: str) -> dict[str, int]:
    """Return the sizes of the subsets that are drawn from the same articles up to `subset`, which comes last.

    What is drawn after a subset does not change it: one more model leaves those of the others as they are.
    """
    if subset in (DEV, HELD_OUT):
        return {subset: study["subsets"][subset]}
    drawn = (subset_sizes(study, run) for run in runs(study).values())
    sizes = next(sizes for sizes in drawn if subset in sizes)
    return dict(islice(sizes.items(), list(sizes).index(subset) + 1))


def trained_on(study: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return every model that a study trains, with the subsets that it is trained on."""
    return {model: parts for run in runs(study).values() for model, parts in run.trained().items()}
