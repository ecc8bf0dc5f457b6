"""Bootstrap intervals have the width that theory gives, respect clusters, and cover seeds."""

import numpy as np
import pandas as pd
import pytest

from fuse_to_forget.scoring.biases import score_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap, interval, resampling_weights

BOOTSTRAP = Bootstrap(resamples=2000, level=0.95, seed=1)


def predictions(n=500, seeds=(1,), right=0.7, authors=None, rng_seed=0):
    rng = np.random.default_rng(rng_seed)
    frame = pd.DataFrame({"id": np.arange(n).astype(str), "label": rng.integers(0, 2, n)})
    frame["gender"], frame["age"] = rng.integers(0, 2, n), rng.integers(0, 2, n)
    if authors:
        frame["author"] = rng.integers(0, authors, n).astype(str)
    shared = {"model": "m", "kind": "single", "method": "finetuned", "coefficients": "", "split": "test"}
    parts = []
    for seed in seeds:
        hit = rng.random(n) < right
        parts.append(
            frame.assign(prediction=np.where(hit, frame["label"], 1 - frame["label"]), seed=seed, **shared)
        )
    return pd.concat(parts, ignore_index=True)


def accuracy_row(rows, seed):
    scores = score_biases(rows, ["gender", "age"], "d", BOOTSTRAP)
    return scores[(scores["metric"] == "accuracy") & (scores["seed"] == seed)].squeeze()


def test_every_resample_draws_as_many_clusters_as_there_are():
    weights = resampling_weights(40, 100, seed=3)
    assert (weights.sum(axis=1) == 40).all()
    assert not np.array_equal(weights[0], weights[1])


def test_the_interval_of_an_accuracy_has_the_binomial_width():
    row = accuracy_row(predictions(n=500), "1")
    half = 1.96 * np.sqrt(row["value"] * (1 - row["value"]) / 500)
    assert row["high"] - row["value"] == pytest.approx(half, rel=0.15)
    assert row["value"] - row["low"] == pytest.approx(half, rel=0.15)


def test_examples_of_one_author_are_resampled_together():
    one_by_one = predictions(n=400, rng_seed=5)
    # every example four times, under one author: no more is known than from the 400
    repeated = pd.concat(
        [one_by_one.assign(author=one_by_one["id"], id=one_by_one["id"] + f"/{i}") for i in range(4)]
    )
    alone = accuracy_row(one_by_one, "1")
    clustered = accuracy_row(repeated.reset_index(drop=True), "1")
    assert clustered["high"] - clustered["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.15)


def test_over_seeds_the_value_is_the_mean_and_the_interval_covers_their_spread():
    rows = pd.concat(
        [predictions(seeds=(s,), right=r, rng_seed=7) for s, r in ((1, 0.6), (2, 0.9))], ignore_index=True
    )
    single = [accuracy_row(rows, seed) for seed in ("1", "2")]
    pooled = accuracy_row(rows, "all")
    assert pooled["value"] == pytest.approx((single[0]["value"] + single[1]["value"]) / 2)
    assert pooled["low"] < single[0]["high"]
    assert pooled["high"] > single[1]["low"]


def test_one_seed_alone_is_what_all_seeds_are():
    rows = predictions()
    one, pooled = accuracy_row(rows, "1"), accuracy_row(rows, "all")
    assert (one["value"], one["low"], one["high"]) == (pooled["value"], pooled["low"], pooled["high"])


def test_undefined_resamples_are_left_out():
    assert interval(np.array([0.0, 1.0, np.nan]), 0.5) == (0.25, 0.75)
    assert all(np.isnan(end) for end in interval(np.array([np.nan]), 0.95))


def test_every_group_metric_comes_for_every_attribute():
    scores = score_biases(predictions(), ["gender", "age"], "d", BOOTSTRAP)
    pairs = scores[scores["seed"] == "all"].groupby("metric")["attribute"].apply(list).to_dict()
    assert pairs["dp"] == pairs["tpr_gap"] == pairs["equalized_odds_difference"] == ["gender", "age"]
    assert pairs["accuracy"] == pairs["f1"] == [""]
    assert ((scores["low"] <= scores["value"] + 1e-12) | (scores["value"] < 0.1)).all()
