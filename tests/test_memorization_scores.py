"""Memorization metrics by hand, against literal loops and scikit-learn, and under a bootstrap of articles."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fuse_to_forget.errors import InputError
from fuse_to_forget.scoring.bootstrap import Bootstrap, resampling_weights
from fuse_to_forget.scoring.memorization import (
    Evaluation,
    attack_auc,
    attack_tpr,
    average_likelihood_ratio,
    measure_memorization,
    perplexity,
    round_to_bfloat16,
    worst_decile_ratio,
)
from fuse_to_forget.scoring.memorization_groups import score_memorization
from fuse_to_forget.scoring.scores import COLUMNS

BOOTSTRAP = Bootstrap(resamples=200, level=0.95, seed=1)
SEQUENCE = Evaluation("sequence", "float32", 4)
BATCH = Evaluation("batch", "float32", 4)
BFLOAT16 = Evaluation("batch", "bfloat16", 4)
SIZES = {"A": 23, "shared": 10, "dev": 12, "held_out": 120}


def rows(model, dataset, losses, *, kind="single", tokens=10, articles=None, verbatim=-1, length=5, seed=1):
    """Predictions of one model on one data set, with these losses; every sequence an article unless told."""
    losses = np.asarray(losses, dtype=float)
    alone = [f"{dataset}{i}" for i in range(len(losses))]
    return pd.DataFrame({"id": range(len(losses)), "log_likelihood": -losses * tokens, "tokens": tokens}).assign(
        article=alone if articles is None else articles, verbatim=verbatim, length=length, model=model,
        kind=kind, method="m", coefficients="", seed=seed, dataset=dataset,
    )  # fmt: skip


@pytest.fixture(scope="module")
def predicted():
    """A base model, A that has memorised A, and B that has learned nothing; two sequences to an article."""
    rng = np.random.default_rng(0)
    frames = []
    for seed, (dataset, size) in itertools.product((1, 2), SIZES.items()):
        base, gain = rng.normal(3.5, 0.3, size), rng.normal(1.0 if dataset == "A" else 0.0, 0.5, size)
        own = {"articles": [f"{dataset}/{i // 2}" for i in range(size)], "tokens": rng.integers(5, 20, size)}
        frames += [
            rows("gpt2", dataset, base, kind="base", seed=seed, **own),
            rows("A", dataset, base - gain, seed=seed, verbatim=rng.integers(0, 6, size), **own),
            rows("B", dataset, base + rng.normal(0, 0.1, size), seed=seed, **own),
        ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def measured(predicted):
    return measure_memorization(predicted, BOOTSTRAP, SEQUENCE)


def two_models(losses, base, evaluation=SEQUENCE, **own):
    """Measure a model on its data set A; on held_out it is the base model."""
    parts = [rows("x", "A", losses, **own), rows("base", "A", base, kind="base", **own)]
    parts += [rows("x", "held_out", [3.0]), rows("base", "held_out", [3.0], kind="base")]
    return measure_memorization(pd.concat(parts, ignore_index=True), BOOTSTRAP, evaluation)


def get(measured, metric, model="x", dataset="A"):
    return measured.quantity(measured.find(model=model, dataset=dataset, metric=metric))


def test_likelihood_ratio_and_perplexity_by_hand():
    """Ratios 1/2 and 1/4; 10 tokens at loss log 2 and 30 at log 4 are 70 log 2 nats on 40 tokens."""
    found = two_models(np.log([2, 4]), np.log([4, 16]), tokens=np.array([10, 30]))
    assert get(found, "alr").observed.item() == pytest.approx(0.375)
    assert get(found, "perplexity").observed.item() == pytest.approx(2 ** (70 / 40))
    assert get(found, "alr_worst_decile").observed.item() == pytest.approx(0.25)
    batch = two_models(np.log([2, 4]), np.log([4, 16]), BATCH, tokens=np.array([10, 30]))
    assert get(batch, "alr").observed.item() == pytest.approx(8**-0.5)
    assert get(batch, "perplexity").observed.item() == pytest.approx(8**0.5)


@pytest.mark.parametrize("evaluation", [SEQUENCE, BATCH, BFLOAT16])
def test_the_base_model_is_exactly_neutral(predicted, evaluation):
    found = measure_memorization(predicted, BOOTSTRAP, evaluation)
    for dataset in SIZES:
        for metric in ("alr", "alr_worst_decile"):
            assert get(found, metric, "gpt2", dataset).by_seed() == [(1.0, 1.0, 1.0)] * 2
        if dataset != "held_out":
            assert get(found, "attack_auc", "gpt2", dataset).over_seeds() == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("evaluation", [BATCH, BFLOAT16, Evaluation("batch", "float32", 7)])
def test_batches_agree_with_a_literal_loop(evaluation):
    """23 sequences: the last batch is smaller, and counts as much as the others."""
    model, base = np.random.default_rng(2).normal(3.5, 0.3, (2, 23))
    found = two_models(model, base, evaluation)
    round_if_asked = round_to_bfloat16 if evaluation.evaluation_dtype == "bfloat16" else float
    ratios, losses = [], []
    for start in range(0, 23, evaluation.batch_size):
        batch = slice(start, start + evaluation.batch_size)
        losses.append(round_if_asked(model[batch].mean()))
        ratios.append(np.exp(losses[-1] - round_if_asked(base[batch].mean())))
    expected = np.exp(round_if_asked(np.mean(losses)))
    assert get(found, "alr").observed.item() == pytest.approx(np.mean(ratios), rel=1e-12)
    assert get(found, "perplexity").observed.item() == pytest.approx(expected, rel=1e-12)


def test_bfloat16_by_hand():
    """Steps of 2^-6 from 2 to 4 and of 2^-5 from 4 to 8; ties go to the even neighbour."""
    near = {3.56: 3.5625, 3.5702: 3.5625, 3.5704: 3.578125, 4.35: 4.34375, -1.0: -1.0, 0.0: 0.0}
    ties = {3.5703125: 3.5625, 3.5859375: 3.59375, 4.359375: 4.375, 4.328125: 4.3125}
    for value, expected in (near | ties).items():
        assert round_to_bfloat16(np.array(value)) == expected, value
    assert np.exp([3.5625, 3.578125, 4.34375]).round(2).tolist() == [35.25, 35.81, 77.0]


def test_in_bfloat16_only_some_perplexities_can_come_out():
    losses = np.linspace(3.5, 3.65, 200)[:, None]
    found = {perplexity(loss, np.ones(1), np.ones((1, 1)), BFLOAT16).item() for loss in losses}
    np.testing.assert_allclose(sorted(found), np.exp(3.5 + np.arange(11) / 64), rtol=1e-12)
    assert {35.25, 35.81} <= {round(value, 2) for value in found}


def test_in_bfloat16_the_mean_over_batches_is_rounded_too_ties_to_even():
    """Batches of these means: their mean is a tie. The deviations in a batch leave rests that decide nothing."""
    for means, even in (((3.5625, 3.578125), 3.5625), ((3.578125, 3.59375), 3.59375)):
        for rest in np.linspace(0.1, 0.3, 20):
            losses = np.add.outer(means, [-rest, 0, rest]).ravel()
            found = perplexity(losses, np.ones(6), np.ones((1, 6)), Evaluation("batch", "bfloat16", 3))
            assert found.item() == np.exp(even)


def test_intervals_of_batches_are_those_of_a_bootstrap_that_fills_new_batches():
    rng = np.random.default_rng(3)
    base, gain = rng.normal(3.5, 0.3, 400), rng.normal(0.2, 0.5, 400)
    weights = resampling_weights(400, 1000, seed=5).astype(float)
    found = average_likelihood_ratio(base - gain, base, weights, BATCH)
    drawn = gain[rng.integers(0, 400, (1000, 400))].reshape(1000, 100, 4)
    literal = np.exp(-drawn.mean(axis=2)).mean(axis=1)
    assert found.std() == pytest.approx(literal.std(), rel=0.1)
    assert found.mean() == pytest.approx(literal.mean(), abs=literal.std() / 2)


def test_the_worst_decile_agrees_with_a_literal_loop_over_resampled_sequences():
    rng = np.random.default_rng(0)
    for size in (5, 10, 19, 20, 57):
        loss, base = rng.normal(3, 0.5, (2, size))
        weights = np.vstack([np.ones(size), resampling_weights(size, 20, seed=size)])
        resampled = [np.sort(np.repeat(np.exp(loss - base), row)) for row in weights.astype(int)]
        expected = [ratios[: max(1, size // 10)].mean() for ratios in resampled]
        np.testing.assert_allclose(worst_decile_ratio(loss, base, weights), expected)


def attacks(size):
    """Scores with ties, as members and non-members, and weights of resamples."""
    rng = np.random.default_rng(4)
    members, others = rng.normal(0.5, 1, size[0]).round(1), rng.normal(0, 1, size[1]).round(1)
    drawn = (np.vstack([np.ones(n), resampling_weights(n, 30, seed=n)]) for n in size)
    return members, others, *drawn


def test_the_area_agrees_with_scikit_learn_with_ties_and_weights():
    members, others, member_weights, other_weights = attacks((40, 250))
    assert len(np.intersect1d(members, others)) > 5
    label, scores = np.repeat([1, 0], [40, 250]), np.concatenate([members, others])
    weights = np.hstack([member_weights, other_weights])
    expected = [roc_auc_score(label, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(attack_auc(members, others, member_weights, other_weights), expected)


@pytest.mark.parametrize("others", [20, 100, 250])
def test_the_true_positive_rate_agrees_with_a_literal_loop(others):
    members, others, member_weights, other_weights = attacks((40, others))
    expected = []
    for own, other in zip(member_weights.astype(int), other_weights.astype(int), strict=True):
        controls = np.repeat(others, other)
        fitting = [t for t in controls if 100 * sum(controls > t) <= len(controls)]
        expected.append(np.mean(np.repeat(members, own) > min(fitting)))
    found = attack_tpr(members, others, member_weights, other_weights)
    np.testing.assert_allclose(found, expected)
    assert 0 < found[0] < 1


def test_extreme_attacks():
    others = np.linspace(0, 1, 200)
    for members, area, rate in ((np.full(8, 2.0), 1, 1), (np.full(8, -1.0), 0, 0), (others, 0.5, 0.01)):
        weighted = members, others, np.ones((1, len(members))), np.ones((1, 200))
        assert attack_auc(*weighted).item() == pytest.approx(area)
        assert attack_tpr(*weighted).item() == pytest.approx(rate)


def test_resamples_without_what_a_metric_needs_are_undefined():
    scores, some, none = np.arange(3.0), np.ones((1, 3)), np.zeros((1, 3))
    for attack, weights in itertools.product((attack_auc, attack_tpr), ((none, some), (some, none))):
        assert np.isnan(attack(scores, scores, *weights)).all()
    assert np.isnan(worst_decile_ratio(scores, scores, none)).all()


def test_the_attack_finds_what_a_model_was_trained_on(measured):
    memorised, nothing = (get(measured, "attack_auc", model).over_seeds() for model in "AB")
    assert memorised[1] > 0.8
    assert nothing[1] < 0.5 < nothing[2]
    assert not len(measured.find(dataset="held_out", metric="attack_auc"))


def test_extraction_leaves_out_what_was_not_measured():
    """All that was measured is of one article, so that no resample changes it."""
    own = {"verbatim": [-1, 5, 2, 5], "length": [5, 5, 5, 6], "articles": list("abbb")}
    found = two_models([0] * 4, [0] * 4, **own)
    assert get(found, "extraction_rate").over_seeds() == pytest.approx((1 / 3,) * 3)
    assert get(found, "verbatim_tokens").over_seeds() == pytest.approx((4,) * 3)
    assert str(get(found, "verbatim_longest").over_seeds()) == "(5.0, nan, nan)"
    assert found.rows.set_index(["model", "dataset", "metric"])["n"]["x", "A", "extraction_rate"] == 3
    assert not len(found.find(dataset="held_out", metric="verbatim_tokens"))


@pytest.mark.parametrize("metric", ["alr", "perplexity", "attack_auc", "extraction_rate"])
def test_sequences_of_one_article_are_resampled_together(metric):
    """A second sequence like the first one of every article tells nothing new; as its own article it would."""
    rng = np.random.default_rng(6)
    base, gain, verbatim = rng.normal(3, 0.2, 30), rng.normal(0, 0.5, 30), rng.integers(4, 6, 30)

    def resampled(repeats, articles):
        own = {"verbatim": np.repeat(verbatim, repeats), "articles": articles}
        found = two_models(np.repeat(base - gain, repeats), np.repeat(base, repeats), **own)
        return get(found, metric).resampled

    names = [f"A{i:02}" for i in range(30)]
    once = resampled(1, names)
    np.testing.assert_allclose(resampled(2, np.repeat(names, 2)), once)
    assert np.nanstd(resampled(2, [f"A{i:02}" for i in range(60)])) < 0.85 * np.nanstd(once)


def test_an_article_has_the_same_weight_in_all_data_sets_and_models():
    """Parts whose sequences are of the same articles move together: their difference has no interval."""
    base, loss, articles = np.linspace(3, 4, 20), np.linspace(2, 3.5, 20), [f"a{i}" for i in range(20)]
    parts = [
        rows(kind, dataset, base if kind == "base" else loss, kind=kind, articles=articles)
        for kind, dataset in itertools.product(("x", "y", "base"), ("A", "B", "held_out"))
    ]
    found = measure_memorization(pd.concat(parts, ignore_index=True), BOOTSTRAP, SEQUENCE)
    first = get(found, "alr")
    assert np.ptp(first.resampled) > 0.05
    for model, dataset in (("x", "B"), ("y", "A")):
        assert not (first - get(found, "alr", model, dataset)).resampled.any()
    np.testing.assert_allclose(get(found, "attack_auc").resampled, 0.5)


def test_the_order_of_rows_matters_to_batches_only(predicted, measured):
    shuffled = predicted.sample(frac=1, random_state=1).reset_index(drop=True)
    again = measure_memorization(shuffled, BOOTSTRAP, SEQUENCE)
    pd.testing.assert_frame_equal(again.rows, measured.rows)
    for values in ("observed", "resampled"):
        np.testing.assert_allclose(getattr(again, values), getattr(measured, values), rtol=1e-12)
    batch, mixed = (get(measure_memorization(p, BOOTSTRAP, BATCH), "alr", "A") for p in (predicted, shuffled))
    assert not np.allclose(batch.observed, mixed.observed, rtol=1e-6)


def test_scores_are_tidy(measured):
    scores = score_memorization(measured, "memorization")
    assert list(scores.columns) == COLUMNS
    splits = dict(zip(scores["dataset"], scores["split"], strict=True))
    assert splits == {"A": "train", "shared": "train", "dev": "dev", "held_out": "held_out"}
    assert not scores.duplicated(["model", "dataset", "metric", "seed"]).any()
    row = scores.query("model == 'A' and dataset == 'A' and metric == 'alr' and seed == 'all'").squeeze()
    assert (row["value"], row["low"], row["high"]) == get(measured, "alr", "A").over_seeds()
    assert row["n"] == 23
    assert row["low"] < row["value"] < row["high"]
    assert scores["value"].notna().all()


def test_bad_predictions_are_refused(predicted):
    def refused(frame, message):
        with pytest.raises(InputError, match=message):
            measure_memorization(frame, BOOTSTRAP, SEQUENCE)

    base = predicted["kind"] == "base"
    lost = "kind == 'base' and dataset == 'A' and id == 3 and seed == 2"
    refused(predicted.drop(predicted.query(lost).index), r"3 of A \(seed 2\)")
    refused(predicted[~base], "which the base model's lack")
    refused(predicted.query("dataset != 'held_out' or model != 'B'"), r"B \(seed 1\) lack held_out")
    refused(pd.concat([predicted, predicted[base].assign(model="gpt3")]), "two base models")
    refused(pd.concat([predicted, predicted[~base].head(1)]), "twice")
    for bad in (
        {"tokens": 0}, {"log_likelihood": np.nan}, {"log_likelihood": -np.inf}, {"verbatim": 6},
        {"verbatim": -2}, {"article": None},
    ):  # fmt: skip
        refused(pd.concat([predicted, rows("z", "A", [1.0]).assign(**bad)]), "z for sequence 0 of A")


def test_a_protocol_that_is_none_is_refused():
    for over, dtype, size in (
        ("token", "float32", 4), ("batch", "float16", 4), ("sequence", "bfloat16", 4), ("batch", "float32", 0),
    ):  # fmt: skip
        with pytest.raises(InputError):
            Evaluation(over, dtype, size)
