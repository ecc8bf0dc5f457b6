"""The whole workflow, from raw rows to tables and figures."""

import numpy as np
import pandas as pd
import pytest
import yaml
from workflow_runs import run

from fuse_to_forget.coefficients import parse_coefficients


def test_table_1_has_the_rows_and_columns_of_the_paper(made_project):
    table = pd.read_csv(made_project / "results" / "table1.csv")
    methods = ["biased", "inlp", "leace", "full", "fused"]
    assert list(zip(table["bias"], table["method"], strict=True)) == [
        (b, m) for b in ("age", "gender") for m in methods
    ]
    assert table.columns[:6].tolist() == ["bias", "method", "dp", "tpr_gap", "accuracy", "alpha"]
    assert table.columns[-2:].tolist() == ["n_seeds", "dataset"]
    assert set(table["n_seeds"]) == {1}
    assert set(table["dataset"]) == {"tiny, recorded demographics"}
    assert table["alpha"].notna().tolist() == [method == "fused" for method in table["method"]]
    for metric in ("dp", "tpr_gap", "accuracy"):
        assert (
            table[metric].between(table[f"{metric}_low"] - 1e-9, table[f"{metric}_high"] + 1e-9).mean() > 0.8
        )


def test_scores_are_tidy_and_complete(made_project):
    scores = pd.read_csv(made_project / "results" / "scores" / "biases.csv", dtype={"seed": str})
    contract = [
        "study",
        "model",
        "kind",
        "method",
        "coefficients",
        "dataset",
        "split",
        "metric",
        "value",
        "low",
        "high",
    ]
    assert set(contract) <= set(scores.columns)
    assert set(scores["seed"]) == {"1", "all"}
    assert set(scores["split"]) == {"dev", "test"}
    assert not scores["value"].isna().any()
    key = ["model", "method", "coefficients", "split", "attribute", "metric", "seed"]
    assert not scores.duplicated(key).any()


def test_figure_5_comes_as_pdf_and_png(made_project):
    assert (made_project / "results" / "figure5.pdf").read_bytes().startswith(b"%PDF")
    assert (made_project / "results" / "figure5.png").read_bytes().startswith(b"\x89PNG")


def test_no_scratch_or_checkpoint_is_left(made_project):
    left = [path for path in (made_project / "results").rglob("*") if path.name.endswith(".part")]
    assert left == []
    assert list((made_project / "results" / "checkpoints").rglob("checkpoint-*")) == []


def test_the_fused_checkpoint_of_a_recipe_can_be_asked_for(made_project):
    from transformers import AutoModelForSequenceClassification

    run(made_project, "results/fused/biases/average/seed1/model.safetensors")
    folder = made_project / "results" / "fused" / "biases" / "average" / "seed1"
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.id2label == {0: "0", 1: "1"}
    card = (folder / "README.md").read_text()
    assert "gender" in card
    assert "tables of the user" in card
    assert str(made_project) not in card


def test_the_report_holds_table_and_figure(made_project):
    run(made_project, "--report", "report.html")
    page = (made_project / "report.html").read_text()
    made = ["table1.html", "table3.html", "table4.html", "shortcuts.html", "fisher_layers.png", "run.csv"]
    made += [
        "methods.html",
        "figure_methods.png",
        "table2.html",
        "table7.html",
        "extraction.html",
        "figure_extraction.png",
        "claims.html",
    ]
    made += ["selection.html", "figure_selection.png", "Coefficients chosen for a goal."]
    made += [f"figure{number}.png" for number in range(2, 13)]
    for what in (*made, "What did the fused model keep"):
        assert what in page


def test_every_method_is_tried_on_every_set_that_it_can_fuse(made_project):
    table = pd.read_csv(made_project / "results" / "methods.csv")
    uses = yaml.safe_load((made_project / "config.yaml").read_text())["methods"]["uses"]
    of_many = set(uses) - {"slerp"}
    full = table["kind"] == "full"
    tried = {key: set(part["method"]) for key, part in table[~full].groupby(["study", "set"])}
    assert tried == {
        ("shortcuts", "TiC+OP-TiC+OR"): set(uses),
        ("biases", "gender-age"): set(uses),
        ("memorization", "A-B-C"): of_many,
        ("masked_memorization", "A-B"): set(uses),
    }
    # a model was trained on the data of all models of these sets, on no others
    assert set(table.loc[full, "study"]) == {"biases", "memorization", "masked_memorization"}
    assert table["shared"].notna().all()
    assert table.groupby(["study", "set"])["pareto"].any().all()


@pytest.fixture(scope="module")
def selection(made_project):
    return pd.read_csv(made_project / "results" / "selection.csv")


def test_coefficients_are_selected_by_what_the_sweep_measured(made_project, selection):
    dev = selection[selection["split"] == "dev"].set_index("coefficients")
    scores = pd.read_csv(made_project / "results" / "scores" / "biases.csv", dtype={"seed": str})
    swept = scores[(scores["split"] == "dev") & (scores["seed"] == "all") & (scores["model"] == "gender-age")]
    grid = dev.index[dev["stage"] == "grid"]
    assert set(grid) == set(swept["coefficients"])
    for name in ("accuracy", "f1", "dp_gender", "dp_age", "tpr_gap_age"):
        metric, _, attribute = name.rpartition("_") if name[-1] != "y" and name != "f1" else (name, "", "")
        rows = swept[(swept["metric"] == metric) & (swept["attribute"].fillna("") == attribute)]
        measured = rows.set_index("coefficients")["value"]
        assert dev.loc[grid, name].to_numpy() == pytest.approx(measured[grid].to_numpy())
    singles = dev[dev["model"] != "fused"]
    bound = singles["accuracy"].mean() - 0.02
    assert dev["accuracy_at_least"].to_numpy() == pytest.approx(bound)
    chosen = dev[dev["chosen"]].iloc[0]
    assert chosen["accuracy"] >= bound
    assert chosen["dp_largest"] == dev.loc[dev["accuracy"] >= bound, "dp_largest"].min()


def test_the_chosen_average_has_on_test_what_its_fused_checkpoint_has(made_project, selection):
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    row = selection[(selection["split"] == "test") & (selection["model"] == "chosen")].iloc[0]
    coefficients = parse_coefficients(row["coefficients"])
    folders = {name: made_project / "results" / "models" / "biases" / name / "seed1" for name in coefficients}
    weights = {name: load_file(folder / "model.safetensors") for name, folder in folders.items()}
    fused = {
        key: sum(coefficients[name] * own[key] for name, own in weights.items()) for key in weights["age"]
    }
    model = AutoModelForSequenceClassification.from_pretrained(folders["age"]).eval()
    model.load_state_dict(fused)
    tokenizer = AutoTokenizer.from_pretrained(folders["age"])
    test = pd.read_parquet(made_project / "results" / "data" / "biases" / "test.parquet")
    batch = tokenizer(
        test["text"].tolist(), padding=True, truncation=True, max_length=32, return_tensors="pt"
    )
    predicted = (
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(1).numpy()
    )
    assert row["accuracy"] == pytest.approx((predicted == test["label"]).mean())
    for name in coefficients:
        rates = [predicted[test[name] == group].mean() for group in (0, 1)]
        assert row[f"dp_{name}"] == pytest.approx(2 * np.abs(rates[0] - rates[1]))
        assert row[f"dp_{name}_low"] <= row[f"dp_{name}"] <= row[f"dp_{name}_high"]
