"""An audit's plan, data and measures."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, demographic_frame

from fuse_to_forget.audit.kept import kept_and_forgotten
from fuse_to_forget.audit.measure import measure_examples
from fuse_to_forget.audit.plan import ABSENT, DataSet, audit_downloads, read_audit
from fuse_to_forget.audit.reading import read_examples, read_texts
from fuse_to_forget.audit.uses import audited_uses
from fuse_to_forget.errors import InputError
from fuse_to_forget.scoring import fairness
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.contingency import contingency
from fuse_to_forget.settings import check_config

BOOTSTRAP = Bootstrap(200, 0.95, 1)
COLUMNS = {"text": "text", "label": "label", "id": None, "author": None}
USES = yaml.safe_load((ROOT / "config.yaml").read_text())["methods"]


@pytest.fixture
def section(tmp_path, monkeypatch) -> dict:
    """The shortest section, with what it names in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "base"):
        (tmp_path / name).mkdir()
    (tmp_path / "test.csv").write_text("text,label\nhi,0\n")
    return {"task": "classification", "models": {"a": "a", "b": "b"}, "data": {"test": "test.csv"}}


def config_of(section: dict) -> dict:
    return {"audit": section, "downloads": {"encoder": {}}, "methods": USES}


def test_the_shortest_config_is_enough(section):
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert config["audit"] == {}
    assert read_audit(config) is None
    check_config(config | {"audit": section}, schema)
    audit = read_audit(config_of(section))
    assert audit.data["test"].known_to == ["a", "b"]
    uses, left_out = audited_uses(config_of(section), audit)
    assert "average" in uses
    assert "ensemble" in uses
    assert set(uses) | set(left_out) == set(USES["uses"])
    assert "fine-tuned from" in left_out["ties"]
    assert "statistics" in left_out["regmean"]


def test_the_example_has_every_key():
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())
    text = (ROOT / "config" / "audit.example.yaml").read_text()
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    check_config(config | yaml.safe_load(text), schema)
    for key in schema["properties"]["audit"]["properties"]:
        assert re.search(rf"^  (# )?{key}:", text, flags=re.M), key


def test_models_of_the_hub_are_downloads_under_their_names(section):
    given = {"repo": "o/n", "revision": "0" * 40, "adapter": True}
    section |= {"models": {"a": given, "b": "encoder"}, "base": {"repo": "o/b", "revision": "1" * 40}}
    assert audit_downloads(section)["audit_a"] == {"repo": "o/n", "revision": "0" * 40}
    audit = read_audit(config_of(section))
    assert audit.models == {"a": "results/downloads/audit_a", "b": "results/downloads/encoder"}
    assert (audit.base, audit.repo) == ("results/downloads/audit_base", "o/b")
    assert audit.checkpoints()["a"] == "results/audit/adapters/a"


TEXT = {"own": {"file": "test.csv", "known_to": ["a"]}, "control": "test.csv"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"models": {"a": "a"}}, "fewer than two models"),
        ({"models": {"a": "a", "base": "b"}}, "calls a model 'base'"),
        ({"models": {"a": "a", "b": "nowhere"}}, "names nowhere in audit.models.b, which is not there"),
        ({"base": "nowhere"}, "names nowhere in audit.base"),
        ({"data": {"test": "nowhere.csv"}}, "names nowhere.csv in audit.data.test"),
        ({"data": {"test": {"file": "test.csv", "known_to": ["c"]}}}, "the model 'c' in audit.data.test"),
        ({"attributes": {"gender": ["c"]}}, "the model 'c' in audit.data.test"),
        ({"methods": ["mean"]}, "the method 'mean' in audit.methods"),
        ({"methods": ["ties"]}, "'ties' in audit.methods, but it needs the model that these were fine-tuned"),
        (
            {"methods": ["fisher"]},
            "but it needs fisher statistics of each model, and audit.statistics names no",
        ),
        ({"statistics": {"a": "test.csv"}}, "but none of b"),
        ({"task": "causal", "data": TEXT}, "names no audit.base, but what language models remember"),
        ({"task": "causal", "base": "base"}, "names|has 1 sets|1 sets in audit.data that no model knows"),
        ({"task": "causal", "base": "base", "data": TEXT, "prefix": 200}, "lower the prefix"),
        ({"task": "causal", "base": "base", "data": TEXT, "attributes": ["x"]}, "language models predict no"),
    ],
)
def test_what_makes_no_sense_is_refused(section, changes, sentence):
    config = config_of(section | changes)
    with pytest.raises(InputError, match=sentence):
        audited_uses(config, read_audit(config))


def test_an_adapter_needs_a_base(section, tmp_path):
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="the adapter a, which is nothing without"):
        read_audit(config_of(section))
    with pytest.raises(InputError, match="which is an adapter; name a whole model"):
        read_audit(config_of(section | {"models": {"c": "b", "b": "b"}, "base": "a"}))


def test_text_that_a_model_knows_gives_statistics(section):
    text = {
        "of_a": {"file": "test.csv", "known_to": ["a"]},
        "both": {"file": "test.csv", "known_to": ["a", "b"]},
    }
    config = config_of(section | {"task": "causal", "base": "base", "data": text | {"control": "test.csv"}})
    assert [len(sets) for sets in read_audit(config).sampled().values()] == [2, 1]
    assert "regmean" in audited_uses(config, read_audit(config))[0]
    del config["audit"]["data"]["both"]
    assert "not every model" in audited_uses(config, read_audit(config))[1]["regmean"]


def read(tmp_path, table: pd.DataFrame, classes=("no", "yes"), attributes=()) -> pd.DataFrame:
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    return read_examples(
        {"set": DataSet(str(path), COLUMNS, ["a"], {key: ["a"] for key in attributes})}, classes
    )


def test_labels_are_names_or_numbers_of_the_classes(tmp_path):
    table = pd.DataFrame({"text": ["x", "y", "z"], "label": ["yes", "no", "yes"], "group": ["u", "v", "v"]})
    frame = read(tmp_path, table, attributes=["group"])
    assert frame["label"].tolist() == [1, 0, 1]
    assert frame["group"].tolist() == [0, 1, 1]
    assert read(tmp_path, table.assign(label=[2, 0, 1]), "abc")["label"].tolist() == [2, 0, 1]


def test_sets_without_an_attribute_do_not_have_it(tmp_path):
    frame = demographic_frame(16)
    for name in ("one", "two"):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    sets = {
        "one": DataSet(str(tmp_path / "one.csv"), COLUMNS, ["a"], {"age": ["a"]}),
        "two": DataSet(str(tmp_path / "two.csv"), COLUMNS, ["a"]),
    }
    examples = read_examples(sets, ["0", "1"])
    assert (examples["age"] == ABSENT).tolist() == [False] * 16 + [True] * 16
    assert examples["id"].is_unique


@pytest.mark.parametrize(
    ("change", "attributes", "sentence"),
    [
        (
            {"label": "maybe"},
            [],
            "the label column 'label' holds 'maybe', but the models' classes are 'no', 'yes'",
        ),
        ({"label": None}, [], "no value of 'label' in row 1"),
        ({"group": "u"}, ["group"], r"the attribute 'group' has 1 values \('u'\)"),
        ({"group": ["u", "v", "w"]}, ["group"], "the attribute 'group' has 3 values"),
        ({}, ["age"], "no column 'age' "),
    ],
)
def test_unusable_examples_are_refused(tmp_path, change, attributes, sentence):
    table = pd.DataFrame({"text": ["x", "y", "z"], "label": ["yes", "no", "yes"], "group": ["u", "v", "v"]})
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, table.assign(**change), attributes=attributes)


@pytest.mark.parametrize(
    ("content", "texts"),
    [("a b\nc\n", ["a b", "c"]), ("a\nb\n\n\nc\n", ["a\nb", "c"]), ("a\r\n \r\nb", ["a", "b"])],
)
def test_plain_text_is_cut_at_blank_lines_or_else_at_lines(tmp_path, content, texts):
    (tmp_path / "t.txt").write_bytes(content.encode())
    found = read_texts("t", DataSet(str(tmp_path / "t.txt"), COLUMNS, []))
    assert found["text"].tolist() == texts


def predictions(rows: int, classes: int, *, seed: int = 0) -> pd.DataFrame:
    """What a model predicts: wrong more often in group 1."""
    rng = np.random.default_rng(seed)
    label, group = rng.integers(0, classes, rows), rng.integers(0, 2, rows)
    wrong = rng.random(rows) < 0.2 + 0.3 * group
    named = {
        "model": "a",
        "kind": "single",
        "method": "finetuned",
        "coefficients": "",
        "dataset": "set",
        "seed": 1,
    }
    return pd.DataFrame(
        {"unit": np.arange(rows), "label": label, "prediction": np.where(wrong, 0, label), "group": group}
    ).assign(**named)


def value_of(measured, metric: str, **key: str) -> float:
    (place,) = measured.find(metric=metric, **key)
    return measured.observed[place, 0]


def test_two_classes_are_measured_as_by_the_bias_study():
    rows = predictions(300, 2)
    measured = measure_examples(rows, ["group"], BOOTSTRAP)
    counts = contingency(*(rows[column].to_numpy() for column in ("label", "prediction", "group")))
    assert value_of(measured, "dp") == pytest.approx(fairness.demographic_parity(counts))
    assert value_of(measured, "tpr_gap") == pytest.approx(fairness.tpr_gap(counts))
    assert value_of(measured, "accuracy") == pytest.approx(fairness.accuracy(counts))
    low, high = measured.quantity(measured.find(metric="accuracy")).over_seeds()[1:]
    assert low < value_of(measured, "accuracy") < high


def test_many_classes_are_measured_class_by_class():
    rows = predictions(400, 4)
    measured = measure_examples(rows, ["group"], BOOTSTRAP)
    zero, one = (rows[rows["group"] == group] for group in (0, 1))
    shares = [
        part["prediction"].value_counts(normalize=True).reindex(range(4), fill_value=0)
        for part in (zero, one)
    ]
    recalls = [(part["prediction"] == part["label"]).groupby(part["label"]).mean() for part in (zero, one)]
    assert value_of(measured, "dp") == pytest.approx((shares[0] - shares[1]).abs().sum())
    assert value_of(measured, "tpr_gap") == pytest.approx(np.sqrt(((recalls[0] - recalls[1]) ** 2).mean()))


def named(model: str, kind: str, method: str) -> dict[str, str]:
    return {"model": model, "kind": kind, "method": method, "coefficients": ""}


def right_in(share: float, **names: str) -> pd.DataFrame:
    """Predictions of which this share is right, on 1,000 examples of set `shared` and as many of set `own`."""
    frames = []
    for dataset in ("shared", "own"):
        wanted = names.get(dataset, share)
        right = np.arange(1000) < 1000 * wanted
        frames.append(
            pd.DataFrame({"unit": [f"{dataset}{i}" for i in range(1000)], "label": 1, "prediction": right})
        )
        frames[-1]["dataset"] = dataset
    return pd.concat(frames).astype({"prediction": int}).assign(seed=1, group=ABSENT)


SETS = {"shared": DataSet("s", COLUMNS, ["a", "b"]), "own": DataSet("o", COLUMNS, ["a"])}


def audit_of(base: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.concat(
        [
            right_in(base).assign(**named("base", "base", "constant")),
            right_in(0.9).assign(**named("a", "single", "finetuned")),
            right_in(0.8, own=base).assign(**named("b", "single", "finetuned")),
            right_in(0.85, own=0.6).assign(**named("a-b", "fused", "mine")),
        ],
        ignore_index=True,
    )
    measured = measure_examples(rows, ["group"], BOOTSTRAP)
    return kept_and_forgotten(measured, SETS, ["a", "b"], ["mine"], {"other": "it cannot"})


def test_kept_lies_between_the_base_and_those_who_know():
    table, summary = audit_of(0.5)
    cells = table.set_index(["model", "dataset"])
    assert table["model"].tolist() == [m for m in ["base", "a", "b", "singles", "a-b"] for _ in range(2)] + [
        "a-b"
    ]
    assert cells.loc[("base", "own"), "kept"] == 0
    assert cells.loc[("a", "own"), "kept"] == pytest.approx(1)
    assert cells.loc[("b", "own"), "kept"] == 0
    assert cells.loc[("singles", "shared"), "value"] == pytest.approx(0.85)
    assert cells.loc[("singles", "own"), "value"] == pytest.approx(0.9)
    fused = cells.loc["a-b"].iloc[:2]
    assert fused["knowledge"].tolist() == ["shared", "unshared"]
    assert fused["kept"].tolist() == pytest.approx([1, 0.25])
    assert (fused["kept_low"] <= fused["kept"]).all()
    assert (fused["kept"] <= fused["kept_high"]).all()
    assert table["note"].iloc[-1] == "left out: it cannot"
    point = summary.set_index("model").loc["a-b"]
    assert (point["shared"], point["forgettable"]) == pytest.approx((1, 0.25))


def test_nothing_is_kept_of_what_cannot_be_told():
    table, summary = audit_of(0.899)
    shared = table[table["dataset"] == "shared"]
    assert table.loc[table["dataset"] == "own", "kept"].isna().all()  # .900 against .899
    assert shared["kept"].notna().all()  # .850 against .899
    assert summary["forgettable"].isna().all()
    assert table.loc[table["dataset"] == "own", "note"].str.contains("too close to tell").all()


def test_a_bias_at_the_level_of_noise_is_not_told_from_none():
    """dp is never below 0, so that its percentile interval excludes 0 whatever the data."""
    rows = predictions(100, 2).assign(prediction=lambda rows: rows["label"])
    base = rows.assign(prediction=0, **named("base", "base", "constant"))
    measured = measure_examples(pd.concat([base, rows, rows.assign(model="b")]), ["group"], BOOTSTRAP)
    sets = {"set": DataSet("s", COLUMNS, ["a", "b"], {"group": ["a"]})}
    table, _ = kept_and_forgotten(measured, sets, ["a", "b"], [], {})
    assert table.loc[table["metric"] == "dp", "kept"].isna().all()
    assert table.loc[table["metric"] == "accuracy", "kept"].notna().all()


def test_measuring_leaves_its_input_alone():
    rows = predictions(50, 2)
    before = copy.deepcopy(rows)
    measure_examples(rows, ["group"], BOOTSTRAP)
    pd.testing.assert_frame_equal(rows, before)
