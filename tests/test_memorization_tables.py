"""Groups, tables, figures and claims of section 6, from predictions whose losses are known."""

from types import SimpleNamespace

import jinja2
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from fuse_to_forget.figures.memorization import (
    curves_by_count,
    curves_by_total,
    draw_by_models,
    draw_extraction,
)
from fuse_to_forget.parquet import write_table
from fuse_to_forget.runs import runs
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.memorization import Evaluation, measure_files, measure_memorization
from fuse_to_forget.scoring.memorization_claims import Remembered, memorization_claims, unlearned
from fuse_to_forget.scoring.memorization_groups import groups_of, score_memorization
from fuse_to_forget.tables.memorization import (
    all_rows,
    epochs_rows,
    extraction_table,
    few_rows,
    memorization_table,
)

STUDY = {
    "subsets": {"models": 3, "unshared": 6, "shared": 6, "dev": 6, "held_out": 6},
    "training": {"epochs": 4},
    "epochs": {"values": [2], "models": 2},
    "totals": [2, 3],
}
RUNS = runs(STUDY)
BOOTSTRAP = Bootstrap(resamples=60, level=0.95, seed=1)
EVALUATION = Evaluation("sequence", "float32", 4)
# Loss relative to the base model's, by kind: on what a model memorised, and on dev
DROPS = {"single": -1.5, "full": -1.0, "fused": -0.5}
RISES = {"single": 0.5, "full": 0.1, "fused": 0.2}


def loss_of(kind: str, parts: list[str], dataset: str) -> float:
    if dataset == "shared":
        return 3.0 + DROPS["single"]
    if dataset in ("dev", *parts):
        return 3.0 + (RISES if dataset == "dev" else DROPS)[kind] + 0.01 * len(parts)
    return 3.1 if kind == "single" else 2.9


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    """Predictions of all runs, with what several of them hold."""
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
                    loss = 3.0 if kind == "base" else loss_of(kind, parts, dataset)
                    loss += noise.setdefault(name, rng.normal(0, 0.01))
                    loss += 0 if kind == "base" else 0.001 * number
                    rows.append(
                        {
                            "run": run.suffix, "model": model, "kind": kind, "method": "m", "coefficients": "",
                            "seed": 1, "dataset": dataset, "id": name, "article": name, "log_likelihood": -10 * loss,
                            "tokens": 10, "verbatim": 8 if loss < 2 else 1, "length": 8,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def measure(predictions: pd.DataFrame, bootstrap: Bootstrap = BOOTSTRAP):
    once = predictions.drop_duplicates(["model", "dataset", "id"], ignore_index=True)
    return measure_memorization(once, bootstrap, EVALUATION)


@pytest.fixture(scope="module")
def measured(predictions):
    return measure(predictions)


def score(measured) -> pd.DataFrame:
    groups = [group for run in RUNS.values() for group in groups_of(run)]
    return score_memorization(measured, "memorization", groups)


@pytest.fixture(scope="module")
def scores(measured) -> pd.DataFrame:
    return score(measured)


def judge(measured, objective: str = "causal") -> pd.DataFrame:
    remembered = Remembered(measured, RUNS, objective)
    return claims_table(memorization_claims(remembered), unlearned(remembered), 1)


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
    table = memorization_table(scores, list(epochs_rows(RUNS.values())), ["A", "B", "shared"])
    assert table.columns[:2].tolist() == ["epochs", "model"]
    assert table["model"].tolist() == ["base", "A", "B", "fused", "full"]
    assert table.loc[1, "A"] == value(scores, "A_epochs2", "A")


def test_extraction_sets_loss_beside_recitation(scores):
    table = extraction_table(scores).set_index(["model", "dataset"])
    assert table.loc[("A", "A"), "extraction_rate"] == 1
    assert table.loc[("fused_ABC", "A"), "extraction_rate"] == 0
    assert table.loc[("A", "A"), "attack_auc"] == 1


def test_figures_go_through_the_scores(scores):
    figure = draw_by_models(scores, curves_by_count(RUNS, ["unshared", "shared"]), "alr", "title", level=0.9)
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    fused = drawn["fused, unshared"]
    assert list(fused.get_xdata()) == [1, 2, 3]
    assert list(fused.get_ydata()) == [
        value(scores, model, "unshared") for model in ("singles", "fused_AB", "fused_ABC")
    ]
    figure = draw_by_models(scores, curves_by_total(RUNS, ["dev"]), "perplexity", "title", level=0.9)
    assert "90 %" in figure.get_suptitle().replace("\N{NO-BREAK SPACE}", " ")
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(drawn["fused"].get_ydata()) == [
        value(scores, model, "dev", "perplexity") for model in ("fused_AB_of2", "fused_ABC")
    ]
    assert (
        draw_extraction(scores, RUNS, level=0.9).axes[0].get_xlabel().startswith("average likelihood ratio")
    )


def test_values_outside_of_their_intervals_can_be_drawn(predictions):
    """One resample is its own interval, and not the data."""
    scores = score(measure(predictions, Bootstrap(resamples=1, level=0.95, seed=1)))
    outside = (scores["value"] < scores["low"]) | (scores["value"] > scores["high"])
    assert outside[scores["metric"] == "alr"].any()
    draw_extraction(scores, RUNS, level=0.95)


def test_what_several_runs_hold_counts_once(predictions, measured, tmp_path):
    assert predictions.duplicated(["model", "dataset", "id"]).any()
    paths = []
    for name, part in predictions.groupby("run", sort=False):
        paths.append(tmp_path / f"run{name}.parquet")
        write_table(part.drop(columns="run"), paths[-1], {})
    assert len(paths) == len(RUNS)
    found = measure_files(paths, BOOTSTRAP, EVALUATION)
    pd.testing.assert_frame_equal(found.rows, measured.rows)
    np.testing.assert_array_equal(found.resampled, measured.resampled)


def test_a_study_that_bears_the_paper_out_supports_its_claims(measured):
    table = judge(measured)
    assert (table["not_learned"] == "").all()
    recited = table["claim"] == "recited_less"
    assert set(table.loc[~recited, "verdict"]) == {"supported"}
    claims = table.loc[~recited].groupby("claim")["subject"].agg(list)
    of_all = ["fused_ABC", "fused_AB_epochs2", "fused_AB_of2"]
    for claim in ("unshared_unlearned", "shared_kept", "fused_generalises", "base_generalises_more"):
        assert claims[claim] == of_all
    for claim in ("full_memorises_more", "full_generalises_more"):
        assert [subject.split(",")[0] for subject in claims[claim]] == ["AB", "ABC", "AB_epochs2"]
    assert claims["more_generalise_less"] == ["fused_ABC against fused_AB_of2"]
    values = table[recited].set_index("subject")["value"]
    assert values["fused_ABC on unshared"] == -7


def test_perplexity_claims_are_about_differences_of_perplexity(measured, scores):
    table = judge(measured).set_index(["claim", "subject"])["value"]
    fused = value(scores, "fused_ABC", "dev", "perplexity")
    for claim, subject, other in (
        ("fused_generalises", "fused_ABC", "singles"),
        ("base_generalises_more", "fused_ABC", "base"),
        ("full_generalises_more", "ABC, full against fused", "full_ABC"),
        ("more_generalise_less", "fused_ABC against fused_AB_of2", "fused_AB_of2"),
    ):
        assert table[claim, subject] == pytest.approx(fused - value(scores, other, "dev", "perplexity"))


@pytest.mark.parametrize(
    ("single", "fused", "verdict"),
    [(1.5, 1.0, "supported"), (1.5, 2.4, "contradicted"), (2.4, 1.5, "contradicted")],
)
def test_shared_text_is_not_kept_if_its_ratio_moves_far_up_or_down(predictions, single, fused, verdict):
    """Base loss 3: on unshared text the ratio rises from exp(-1.5) to about exp(-.5), which is .4."""
    changed = predictions.copy()
    for kind, loss in (("single", single), ("fused", fused)):
        moved = (changed["kind"] == kind) & (changed["dataset"] == "shared")
        changed.loc[moved, "log_likelihood"] = -10 * loss
    table = judge(measure(changed))
    assert set(table.loc[table["claim"] == "shared_kept", "verdict"]) == {verdict}


def test_claims_that_presuppose_memorization_are_withheld_where_a_model_did_not_memorise(predictions):
    changed = predictions.copy()
    own = (changed["model"] == "A") & (changed["dataset"] == "A")
    changed.loc[own, "log_likelihood"] = -10 * 3.2  # it finds the others' subsets likelier
    measured = measure(changed)
    assert unlearned(Remembered(measured, RUNS, "causal")) == ["A"]
    table = judge(measured)
    withheld = table[table["not_learned"] != ""]
    assert set(withheld["not_learned"]) == {"A"}
    assert set(withheld["verdict"]) == {"undecided"}
    assert set(withheld["claim"]) == {
        "unshared_unlearned", "shared_less_unlearned", "shared_kept", "still_memorised", "full_memorises_more",
        "more_forget_more", "recited_less",
    }  # fmt: skip
    assert not withheld["subject"].str.contains("_of2$|_epochs").any()


def test_of_masked_models_only_appendix_e_speaks(measured):
    table = judge(measured, "masked")
    assert set(table["section"]) == {"E"}
    assert "recited_less" not in set(table["claim"])
    sections = judge(measured).groupby("section")["subject"].agg(set)
    assert "fused_ABC" in sections["6"]
    assert "fused_AB_epochs2" in sections["E"]


def caption(name: str, table: str, **config) -> str:
    template = jinja2.Template((ROOT / "workflow" / "report" / f"{name}.rst").read_text(encoding="utf-8"))
    shown = {"protocol": "described", "departures": {}, "bootstrap": {"level": 0.9}} | config
    shown["memorization"] = {"objective": "causal"}
    shown["masked_memorization"] = {"objective": "masked"}
    wildcards = SimpleNamespace(table=table)
    return " ".join(template.render(snakemake=SimpleNamespace(config=shown, wildcards=wildcards)).split())


def test_the_caption_of_the_tables_says_how_they_were_measured():
    described = caption("memorization", "2")
    assert "the mean over sequences of exp(loss" in described
    assert "90 % bootstrap intervals" in described
    assert "masked" not in described
    published = caption("memorization", "2", protocol="published")
    assert "batches of 4 sequences" in published
    assert "bfloat16" in published
    single = caption("memorization", "2", protocol="published", departures={"evaluation_dtype": "float32"})
    assert "bfloat16" not in single
    assert "that of the masked tokens alone" in caption("memorization", "7", protocol="published")
