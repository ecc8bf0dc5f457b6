"""What the studies' parts of the config let through, and what they refuse in one sentence."""

import copy

import pytest
import yaml
from conftest import ROOT
from test_settings import SHIPPED, check, refusal, with_value

from fuse_to_forget.studies import models, recipe_models, shortcut_sweeps, swept_datasets

SINGLES = SHIPPED["shortcuts"]["singles"]


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("shortcuts.singles", ["ST", "OPP"], "'OPP' in shortcuts.singles, but there are only MT, ST"),
        ("shortcuts.mixtures.A", {"ST": 1, "XOR": 1}, "'XOR' in shortcuts.mixtures.A, but there are only ST"),
        ("shortcuts.mixtures.full", {"ST": 1, "OP": 1}, "calls a mixture 'full'"),
        ("shortcuts.mixtures.ST", {"ST": 1, "OP": 1}, "calls a mixture 'ST'"),
        (
            "shortcuts.mixtures",
            {"a-b": {"ST": 1, "OP": 1}},
            "'a-b' must be a name of letters, digits, _ and +",
        ),
        ("shortcuts.sweeps.figure2", [["ST", "Random"]], "'Random' in shortcuts.sweeps.figure2"),
        ("shortcuts.sweeps.figure3", [["ST"]], "shortcuts.sweeps.figure3.0"),
        ("shortcuts.sweeps.triplet", ["ST", "OP", "random"], "'random' in shortcuts.sweeps.triplet"),
        ("shortcuts.random_distance", ["full"], "'full' in shortcuts.random_distance"),
        ("shortcuts.fisher.pairs", [["TiC+OP", "ST"]], "'TiC+OP' in shortcuts.fisher.pairs"),
        ("shortcuts.fisher.groups", 201, "201 groups of 200 examples"),
        ("shortcuts.fisher.reference_seed", 1, "shortcuts.fisher.reference_seed, 1, is one of seeds"),
        ("shortcuts.injection.ratio", 1.5, "shortcuts.injection.ratio"),
        ("shortcuts.training.stop.accuracy", 98, "shortcuts.training.stop.accuracy"),
        ("shortcuts.source", "tweet", "'tweet' in shortcuts.source"),
        ("shortcuts.base_model", "encodr", "encodr, which does not exist, in shortcuts.base_model"),
        ("shortcuts.recipes.x", {"coefficients": [1.0]}, "shortcuts.recipes.x"),
        ("shortcuts.recipes.x", {"coefficients": [0.5, 0.5]}, "2 coefficients for 7 models"),
        (
            "biases.selection.goal",
            "dp",
            "'dp' in biases.selection.goal, but there are only accuracy, balanced",
        ),
        (
            "biases.selection.bounds",
            [{"metric": "dp_sex", "at_most": 0.1}],
            "'dp_sex' in biases.selection.bounds.0, but there",
        ),
        (
            "biases.selection.bounds",
            [{"metric": "f1", "at_least": 0.5}, {"metric": "dp_largest", "at_most": 1}],
            "'dp_largest' twice in biases.selection",
        ),
        (
            "biases.selection.bounds",
            [{"metric": "f1", "at_least": 0, "at_most": 1}],
            "in biases.selection.bounds.0",
        ),
        ("biases.selection.bounds", [{"metric": "f1"}], "in biases.selection.bounds.0"),
        ("biases.subsets.biases.0.attribute", "mean", "calls an attribute 'mean'"),
        ("biases.source", "snippets", "has no protected attributes"),
        ("biases.source", "editorials", "'editorials' in biases.source, which has no labels"),
        ("articles.source", "tweets", "'tweets' in articles.source, which holds no articles"),
        (
            "pretrained.tiny-gpt2.texts",
            ["snippets"],
            "'snippets' in pretrained.tiny-gpt2.texts, which holds no",
        ),
        (
            "pretrained.tiny-gpt2.texts",
            ["editorials"],
            "pretrained.tiny-gpt2.texts, which is articles.source",
        ),
        (
            "pretrained.tiny-gpt2.config.n_positions",
            64,
            "128 tokens in pretrained.tiny-gpt2.length, but config.n_pos",
        ),
        ("memorization.sequences.length", 129, "129 tokens in memorization.sequences.length"),
        (
            "memorization.prediction.prefix",
            128,
            "memorization.prediction.prefix to 128, but sequences.length is 128",
        ),
        ("memorization.objective", "masked", "memorization.objective to masked, but it must be causal"),
        (
            "masked_memorization.objective",
            "causal",
            "it must be masked; the section memorization is for causal",
        ),
        (
            "memorization.base_model",
            "tiny-bert",
            "memorization.base_model, which is pretrained as a masked model",
        ),
        ("memorization.base_model", "gpt3", "gpt3, which does not exist, in memorization.base_model"),
        ("memorization.totals", [5], "a run of 5 models, but subsets.models is 4"),
        ("sources.snippets", {"kind": "sst2", "download": "text"}, "which is no data set"),
        ("sources.editorials", {"kind": "cnn_dailymail", "download": "text"}, "which is no data set"),
        (
            "sources.editorials.download",
            "txt",
            "'txt' in sources.editorials, but there are only text, encoder",
        ),
        ("sources.other_texts.download", "txt", "'txt' in sources.other_texts"),
        ("departures", {"evaluation_dtype": "bfloat16"}, "bfloat16 with likelihood_ratio_over: sequence"),
    ],
)
def test_what_makes_no_sense_is_refused(place, value, expected):
    assert expected in refusal(with_value(place, value))


def test_the_stop_rule_is_part_of_this_study_only():
    config = copy.deepcopy(SHIPPED)
    del config["shortcuts"]["training"]["stop"]
    assert "lacks the key 'stop'" in refusal(config)


def test_the_papers_scale_passes():
    from snakemake.utils import update_config

    config = copy.deepcopy(SHIPPED)
    update_config(config, yaml.safe_load((ROOT / "config/paper.yaml").read_text()))
    config["biases"]["source"] = "tweets"  # PAN16 cannot be had
    check(config)
    for study, base in (("shortcuts", "sst2"), ("memorization", "cnn_dailymail")):
        wrong = copy.deepcopy(config)
        wrong[study]["base_model"] = base
        assert f"{base!r} in {study}.base_model, which is a data set" in refusal(wrong)


def test_the_study_is_made_of_what_the_config_names():
    assert models(SHIPPED)["shortcuts"] == [*SINGLES, "TiC+OP", "TiC+OR", "full"]
    sweeps = shortcut_sweeps(SHIPPED)
    assert sweeps["average"] == SINGLES
    assert sweeps["ST-OP-OR"] == ["ST", "OP", "OR"]
    assert len(sweeps) == 4 + 1 + 6 + 1 + 1
    assert swept_datasets(SHIPPED, ["TiC+OP", "TiC+OR"]) == ["TiC", "OP", "OR"]
    assert swept_datasets(SHIPPED, ["ST", "random"]) == ["ST"]
    assert recipe_models(SHIPPED, "shortcuts", {"coefficients": []}) == SINGLES
    assert recipe_models(SHIPPED, "biases", {"coefficients": []}) == ["gender", "age"]


def test_every_shipped_switch_of_the_protocol_can_be_set():
    from fuse_to_forget.protocol import PRESETS

    for preset in PRESETS.values():
        check(with_value("departures", preset))


def test_switches_that_contradict_each_other_under_a_preset_are_refused():
    config = with_value("protocol", "published")
    check(config)
    config["departures"] = {"likelihood_ratio_over": "sequence"}
    assert "bfloat16 with likelihood_ratio_over: sequence" in refusal(config)


def test_a_prefix_is_of_no_concern_to_a_masked_model():
    check(with_value("masked_memorization.prediction.prefix", 500))
