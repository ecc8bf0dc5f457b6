"""The domain table, figure and claims, from predictions that are made by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from figure_parts import curve, letters, panels, texts

from fuse_to_forget.domains import Domains
from fuse_to_forget.figures.domains import draw_domains
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.claims import claims_table
from fuse_to_forget.scoring.domain_claims import domain_claims, unlearned
from fuse_to_forget.scoring.domains import (
    Evidence,
    growth_order,
    measure_domains,
    read_settings,
    score_domains,
    score_settings,
)
from fuse_to_forget.scoring.scores import COLUMNS
from fuse_to_forget.tables.domains import domain_table

BOOTSTRAP = Bootstrap(resamples=100, level=0.95, seed=1)
NAMES = ["a", "b", "c"]
STUDY = Domains(NAMES, ["same"], "a")
METHODS = ["average", "regmean", "slerp", "ensemble"]
EACH = 20  # texts of each label, domain and split
SETS = {"-".join(names): list(names) for n in (2, 3) for names in itertools.combinations(NAMES, n)}
RIGHT = {
    "average": 0.7,
    "regmean": 0.8,
    "slerp": 0.7,
    "ensemble": 0.75,
}  # in-domain, all but .1 of it elsewhere


def rows(model, kind, method, rights, seed=1):
    """Predictions of a model that is right on this share of each label's texts, by domain, or by split and domain."""
    frames = []
    for split, name in itertools.product(("dev", "test"), NAMES):
        right = rights[split, name] if (split, name) in rights else rights[name]
        label = np.repeat([0, 1], EACH)
        place = np.tile(np.arange(EACH), 2)
        frame = pd.DataFrame({"id": [f"{split}{name}{i}" for i in range(2 * EACH)], "label": label})
        prediction = np.where(place < round(right * EACH), label, 1 - label)
        frames.append(frame.assign(group=frame["id"], dataset=name, split=split, prediction=prediction))
    named = {"model": model, "kind": kind, "method": method, "coefficients": "", "seed": seed}
    return pd.concat(frames).assign(**named)


def single(own):
    return {name: 0.9 if name == own else 0.6 for name in NAMES}


def merged(method, names):
    return {name: RIGHT[method] - (0 if name in names else 0.1) for name in NAMES}


def predictions(**changed):
    """All that the study predicts; `changed` holds other rights, by model and method joined with two underscores."""
    frames = []
    for name in NAMES:
        frames.append(rows(f"{name}_same", "single", "finetuned", changed.get(name, single(name))))
    for part in ("part1", "part2", "parts_full"):
        frames.append(rows(part, "single", "finetuned", changed.get(part, single("a"))))
    frames.append(rows("full", "full", "finetuned", dict.fromkeys(NAMES, 0.95)))
    for method in METHODS:
        for model, names in {**SETS, "part1-part2": ["a"]}.items():
            if method == "slerp" and len(names) > 2:
                continue
            rights = changed.get(f"{model}__{method}".replace("-", ""), merged(method, names))
            called = model if model == "part1-part2" else "-".join(f"{name}_same" for name in names)
            frames.append(rows(called, "fused", method, rights))
    return pd.concat(frames, ignore_index=True)


def evidence(**changed):
    return Evidence(measure_domains(predictions(**changed), BOOTSTRAP), STUDY, METHODS, "average")


@pytest.fixture(scope="module")
def settings():
    return score_settings(evidence())


def cells(table, setting, models=None):
    chosen = table[(table["setting"] == setting) & ((table["models"] == models) | (models is None))]
    return chosen.set_index("method")


def test_the_table_by_hand(settings):
    table = domain_table(settings, "average")
    pairs = cells(table, "pairs")
    assert pairs.index.tolist() == ["single", *METHODS, "full"]
    # of a pair, each model on its own domain (.9) and on the other's (.6); both on the third one
    assert pairs.loc["single", ["in_domain", "out_of_domain"]].tolist() == pytest.approx([0.75, 0.6])
    assert pairs.loc["regmean", ["in_domain", "out_of_domain"]].tolist() == pytest.approx([0.8, 0.7])
    assert pairs.loc["regmean", ["in_domain_gain", "out_of_domain_gain"]].tolist() == pytest.approx(
        [0.1, 0.1]
    )
    assert pairs.loc["full", "in_domain"] == pytest.approx(0.95)
    assert np.isnan(pairs.loc["full", "out_of_domain"])  # it was trained on all
    assert np.isnan(pairs.loc["average", "in_domain_gain"])
    alone = cells(table, "single")
    assert alone.loc["single", ["in_domain", "out_of_domain"]].tolist() == pytest.approx([0.9, 0.6])
    parts = cells(table, "non-iid")
    assert parts.loc["average", ["in_domain", "out_of_domain"]].tolist() == pytest.approx([0.7, 0.6])
    assert parts.loc["full", "out_of_domain"] == pytest.approx(0.6)  # that of the parts knows one domain
    whole = cells(table, "growth", 3)
    assert "slerp" not in whole.index
    assert whole.loc["ensemble", "in_domain"] == pytest.approx(0.75)
    assert whole["out_of_domain"].isna().all()
    assert set(table["n_seeds"]) == {1}
    ends = table[["in_domain", "in_domain_low", "in_domain_high"]]
    assert (
        (ends["in_domain_low"] <= ends["in_domain"]) & (ends["in_domain"] <= ends["in_domain_high"])
    ).all()


def test_differences_are_paired(settings):
    """RegMean is right on the same texts as the average and on more, so the gain varies less than either."""
    table = cells(domain_table(settings, "average"), "pairs")
    width = table["in_domain_high"] - table["in_domain_low"]
    gain = table.loc["regmean", "in_domain_gain_high"] - table.loc["regmean", "in_domain_gain_low"]
    assert table.loc["regmean", "in_domain_gain_low"] > 0
    assert gain < width["regmean"]


def test_balanced_accuracy_is_not_moved_by_label_rates():
    data = predictions()
    few = data[~((data["label"] == 1) & data["id"].str[-1].isin(list("02468")))]  # half of the positive ones
    found = Evidence(measure_domains(few.assign(prediction=0), BOOTSTRAP), STUDY, METHODS, "average")
    values = score_settings(found).query("against == ''").groupby("metric")["value"].unique()
    assert values["balanced_accuracy"].tolist() == [0.5]
    assert values["accuracy"].tolist() == pytest.approx([2 / 3])


def test_sentences_of_one_group_are_resampled_together():
    data = predictions()
    alone = score_settings(Evidence(measure_domains(data, BOOTSTRAP), STUDY, METHODS, "average"))
    groups = data.assign(group=data["group"].str[:-1])  # ten texts each
    together = score_settings(Evidence(measure_domains(groups, BOOTSTRAP), STUDY, METHODS, "average"))
    assert together["value"].tolist() == pytest.approx(alone["value"].tolist())
    assert not np.allclose(together["low"], alone["low"])


def test_growth_follows_dev_and_not_test():
    # on dev the best single model is that of c; b helps it most; on test all would go the other way round
    dev = {"a": 0.6, "b": 0.7, "c": 0.8}
    singles = {
        name: {("dev", d): right for d in NAMES} | {("test", d): 1 - right for d in NAMES}
        for name, right in dev.items()
    }
    pair = {
        f"{x}{y}__regmean": dict.fromkeys(NAMES, right) for x, y, right in [("a", "c", 0.7), ("b", "c", 0.8)]
    }
    pair["ab__regmean"] = dict.fromkeys(NAMES, 1.0)
    found = evidence(**singles, **pair)
    assert growth_order(found, "regmean", "same") == ["c", "b", "a"]
    assert growth_order(found, "average", "same") == ["c", "a", "b"]  # a and b are equal: the first
    assert growth_order(found, "slerp", "same") == ["c", "a"]  # two at most
    table = domain_table(score_settings(found), "average")
    growth = cells(table, "growth", 2)
    assert growth.loc["regmean", "merged"] == "c b"
    assert growth.loc["regmean", "in_domain"] == pytest.approx(0.8)
    assert growth.loc["full", "merged"] == growth.loc["average", "merged"] == "c a"


def test_scores_are_tidy_and_settings_come_back_from_disk(settings, tmp_path):
    scores = score_domains(evidence().measured)
    assert scores.columns.tolist() == COLUMNS
    key = ["model", "method", "dataset", "split", "metric", "seed"]
    assert not scores.duplicated(key).any()
    assert not settings.duplicated(
        ["setting", "head", "models", "method", "where", "metric", "against"]
    ).any()
    settings.to_csv(tmp_path / "settings.csv", index=False)
    pd.testing.assert_frame_equal(read_settings(tmp_path / "settings.csv"), settings, check_dtype=False)


def test_claims_go_by_intervals_and_by_what_was_learned(settings):
    scores = score_domains(evidence().measured)
    assert unlearned(scores, STUDY) == []
    claims = claims_table(domain_claims(settings, STUDY, ["regmean"], "average"), [], 1)
    regmean = claims[claims["claim"] == "regmean_beats_average"]
    assert regmean["subject"].tolist() == [
        "regmean: pairs of 2, same head",
        "regmean: growth of 3, same head",
        "regmean: non-iid of 2, same head",
    ]
    assert regmean["value"].tolist() == pytest.approx([0.1] * 3)
    assert set(regmean["verdict"]) == {"supported"}
    general = claims[claims["claim"] == "merging_generalises"].set_index("subject")
    assert general.loc["regmean: pairs of 2, same head", "value"] == pytest.approx(0.1)
    assert general.loc["average: pairs of 2, same head", "verdict"] == "undecided"  # .6 as the single models
    chance = evidence(a=dict.fromkeys(NAMES, 0.5))
    lacking = unlearned(score_domains(chance.measured), STUDY)
    assert lacking == ["a_same"]
    again = claims_table(domain_claims(settings, STUDY, ["regmean"], "average"), lacking, 1)
    assert again["verdict"].tolist().count("supported") == 1  # that of the parts of a
    assert "full" not in "".join(again["subject"])


def test_the_figure_shows_the_means_over_all_sets(settings):
    figure = draw_domains(settings, STUDY.heads, METHODS, level=0.95)
    assert letters(figure) == ["(a)", "(b)"]
    inside, outside = panels(figure)
    assert curve(inside, "regmean").get_ydata() == pytest.approx([0.9, 0.8, 0.8])
    assert curve(inside, "regmean").get_xdata() == pytest.approx([1, 2, 3], abs=0.1)
    assert curve(outside, "regmean").get_ydata() == pytest.approx([0.6, 0.7])
    assert curve(inside, "slerp").get_ydata() == pytest.approx([0.9, 0.7])
    assert curve(inside, "single models, mean").get_ydata() == pytest.approx([0.9, 0.75, 0.7])
    assert curve(inside, "one model of all domains").get_ydata() == pytest.approx([0.95, 0.95])
    assert "one model of all domains" not in [line.get_label() for line in outside.lines]
    assert "regmean" in texts(figure)
