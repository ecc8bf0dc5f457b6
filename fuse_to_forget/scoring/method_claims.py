"""Is forgetting a property of averaging? What could be said of other fusion methods, as claims; none is the paper's."""

from collections.abc import Iterator, Mapping, Sequence

from fuse_to_forget.fusion.catalog import WEIGHTED_AVERAGE
from fuse_to_forget.scoring.claims import Claim
from fuse_to_forget.scoring.methods import SHARED, UNSHARED, Grid

# Methods made to merge without loss: they weigh or choose weights by which model needs them.
INTERFERENCE_REDUCING = (
    "ties",
    "dare_ties",
    "della",
    "regmean",
    "regmean_plus_plus",
    "fisher",
    "fisher_normalized",
)


def method_claims(grids: Sequence[Grid], methods: Mapping[str, str]) -> Iterator[Claim]:
    """Yield the claims on every set; `methods` names the method that each label of the config stands for."""
    average = next(label for label, method in methods.items() if method == WEIGHTED_AVERAGE)
    for grid in grids:
        for label in [label for label, kind in grid.methods().items() if kind == "fused"]:
            subject = f"{grid.study} {grid.name}, {label}"
            yield Claim(
                "forgets_unshared", "beyond", subject,
                "A fused model forgets what its models do not share more than what they share.",
                "share of the single models' knowledge kept, shared - unshared",
                (grid.kept(label, SHARED) - grid.kept(label, UNSHARED)).over_seeds(), "above", 0.0,
            )  # fmt: skip
            if methods[label] in INTERFERENCE_REDUCING:
                yield Claim(
                    "unforgets", "beyond", subject,
                    "A method that reduces interference brings back unshared knowledge that the average forgets.",
                    f"share of the unshared knowledge kept, {label} - {average}",
                    (grid.kept(label, UNSHARED) - grid.kept(average, UNSHARED)).over_seeds(), "above", 0.0,
                )  # fmt: skip
