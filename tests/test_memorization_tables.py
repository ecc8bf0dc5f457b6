"""Groups, tables, figures and claims of section 6, from predictions whose losses are known."""

import numpy as np
import pandas as pd
import pytest

from fuse_to_forget.figures.memorization import (
    curves_by_count,
    curves_by_total,
    draw_by_models,
    draw_extraction,
)
from fuse_to_forget.runs import runs
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.memorization import Evaluation, measure_memorization, score_memorization
from fuse_to_forget.scoring.memorization_claims import Remembered, memorization_claims
from fuse_to_forget.scoring.memorization_groups import groups_of
from fuse_to_forget.tables.memorization import all_rows, extraction_table, few_rows, memorization_table

STUDY = {
    "subsets": {"models": 3, "unshared": 6, "shared": 6, "dev": 6, "held_out": 6},
    "training": {"epochs": 4},
    "epochs": {"values": [2], "models": 2},
    "totals": [2, 3],
}
RUNS = runs(STUDY)
BOOTSTRAP = Bootstrap(resamples=60, level=0.95, seed=1)
EVALUATION = Evaluation("sequence", "float32", 4)
# Loss relative to the base model's: -1.5 if memorised, by kind
DROPS = {"single": -1.5, "full": -1.0, "fused": -0.5}


def loss_of(kind: str, knows: bool, dataset: str) -> float:
    if dataset == "shared":
        return 3.0 + DROPS["single"]
    if knows:
        return 3.0 + DROPS[kind]
    return 3.1 if kind == "single" else 2.9


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    noise: dict[str, float] = {}
    rows = []
    for run in RUNS.values():
        models = {"base": ("base", [])} | {
            name: ("full" if name.startswith("full") else "single", parts)
            for name, parts in run.trained().items()
        }
        for name, parts in run.constituents().items():
            models[name] = ("fused", [p for part in parts for p in run.trained()[part]])
        for model, (kind, parts) in models.items():
            for dataset in run.evaluated():
                for number in range(6):
                    name = f"{dataset}:{number}"
                    loss = 3.0 if kind == "base" else loss_of(kind, dataset in parts, dataset)
                    loss += noise.setdefault(name, rng.normal(0, 0.01))
                    loss += 0 if kind == "base" else 0.001 * number
                    rows.append(
                        {
                            "model": model, "kind": kind, "method": "m", "coefficients": "", "seed": 1,
                            "dataset": dataset, "id": name, "article": name, "log_likelihood": -10 * loss,
                            "tokens": 10, "verbatim": 8 if loss < 2 else 1, "length": 8,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows).drop_duplicates(["model", "dataset", "id"], ignore_index=True)


@pytest.fixture(scope="module")
def scores(predictions) -> pd.DataFrame:
    groups = [group for run in RUNS.values() for group in groups_of(run)]
    return score_memorization(predictions, BOOTSTRAP, EVALUATION, "memorization", groups)


def value(scores: pd.DataFrame, model: str, dataset: str, metric: str = "alr") -> float:
    where = (scores["model"] == model) & (scores["dataset"] == dataset) & (scores["metric"] == metric)
    return scores.loc[where & (scores["seed"] == "all"), "value"].item()


def test_groups_are_means_of_their_members(scores):
    assert value(scores, "fused_AB", "unshared") == pytest.approx(
        (value(scores, "fused_AB", "A") + value(scores, "fused_AB", "B")) / 2
    )
    assert value(scores, "A", "unshared") == value(scores, "A", "A")
    own = [value(scores, name, name) for name in "ABC"]
    assert value(scores, "singles", "unshared") == pytest.approx(np.mean(own))
    foreign = [value(scores, one, other) for one in "ABC" for other in "ABC" if one != other]
    assert value(scores, "singles", "others") == pytest.approx(np.mean(foreign))
    assert value(scores, "singles_of2", "unshared") == pytest.approx(
        (value(scores, "A_of2", "A_of2") + value(scores, "B_of2", "B_of2")) / 2
    )


def test_table_2_has_the_rows_of_the_paper(scores):
    table = memorization_table(scores, list(few_rows(RUNS["main"], "ABC")), [*"ABC", "shared"])
    assert table["model"].tolist() == ["base", "A", "B", "C", "fused", "full"]
    assert table.columns[:6].tolist() == ["model", "A", "B", "C", "shared", "perplexity"]
    assert table.columns[-1] == "n_seeds"
    assert table.loc[0, ["A", "B", "C", "shared"]].tolist() == [1, 1, 1, 1]
    cells = table.set_index("model")
    assert cells.loc["fused", "B"] == value(scores, "fused_ABC", "B")
    assert cells.loc["full", "perplexity"] == value(scores, "full_ABC", "dev", "perplexity")


def test_table_5_leaves_out_what_a_model_has_no_part_of(scores):
    table = memorization_table(scores, list(all_rows(RUNS["main"])), [*"ABC", "shared"]).set_index("model")
    assert list(table.index) == ["base", "A", "B", "C", "fused_AB", "fused_ABC", "full_AB", "full_ABC"]
    assert table.loc["fused_AB", ["A", "B", "C"]].isna().tolist() == [False, False, True]


def test_table_6_has_a_block_for_each_number_of_epochs(scores):
    run = RUNS["epochs2"]
    table = memorization_table(scores, list(few_rows(run, "AB", epochs=2)), ["A", "B", "shared"])
    assert table.columns[:2].tolist() == ["epochs", "model"]
    assert table["model"].tolist() == ["base", "A", "B", "fused", "full"]
    assert table.loc[1, "A"] == value(scores, "A_epochs2", "A")


def test_extraction_sets_loss_beside_recitation(scores):
    table = extraction_table(scores).set_index(["model", "dataset"])
    assert table.loc[("A", "A"), "extraction_rate"] == 1
    assert table.loc[("fused_ABC", "A"), "extraction_rate"] == 0
    assert table.loc[("A", "A"), "attack_auc"] == 1


def test_figures_go_through_the_scores(scores):
    figure = draw_by_models(scores, curves_by_count(RUNS, ["unshared", "shared"]), "alr", "title")
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    fused = drawn["fused, unshared"]
    assert list(fused.get_xdata()) == [1, 2, 3]
    assert list(fused.get_ydata()) == [
        value(scores, model, "unshared") for model in ("singles", "fused_AB", "fused_ABC")
    ]
    figure = draw_by_models(scores, curves_by_total(RUNS, ["dev"]), "perplexity", "title")
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(drawn["fused"].get_ydata()) == [
        value(scores, model, "dev", "perplexity") for model in ("fused_AB_of2", "fused_ABC")
    ]
    assert draw_extraction(scores, RUNS).axes[0].get_xlabel().startswith("average likelihood ratio")


def test_a_study_that_bears_the_paper_out_supports_its_claims(predictions):
    measured = measure_memorization(predictions, BOOTSTRAP, EVALUATION)
    table = claims_table(memorization_claims(Remembered(measured, RUNS), "causal"), [], 1)
    verdicts = table.groupby("claim")["verdict"].agg(set)
    for claim in (
        "memorised",
        "unshared_unlearned",
        "shared_less_unlearned",
        "still_memorised",
        "fused_generalises",
    ):
        assert verdicts[claim] == {"supported"}, claim
    assert verdicts["full_memorises_more"] == {"supported"}
    recited = table[table["claim"] == "recited_less"].set_index("subject")
    assert recited.loc["fused_ABC on unshared", "value"] == -7
