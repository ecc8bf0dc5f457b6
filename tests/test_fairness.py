"""Fairness metrics: hand-computed cases, and agreement with fairlearn and scikit-learn."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.metrics import accuracy_score, f1_score, recall_score

from fuse_to_forget.scoring import fairness
from fuse_to_forget.scoring.contingency import contingency, contingency_by_cluster


@pytest.fixture(params=range(20))
def example(request):
    rng = np.random.default_rng(request.param)
    n = int(rng.integers(30, 400))
    groups = rng.integers(0, 2, n)
    labels = (rng.random(n) < rng.uniform(0.2, 0.8)).astype(int)
    predictions = np.where(rng.random(n) < 0.6, labels, groups)
    return labels, predictions, groups


def test_agreement_with_fairlearn(example):
    labels, predictions, groups = example
    counts = contingency(*example)
    parity = demographic_parity_difference(labels, predictions, sensitive_features=groups)
    odds = equalized_odds_difference(labels, predictions, sensitive_features=groups)
    assert fairness.demographic_parity_difference(counts) == pytest.approx(parity, abs=1e-12)
    assert fairness.demographic_parity(counts) == pytest.approx(2 * parity, abs=1e-12)
    assert fairness.equalized_odds_difference(counts) == pytest.approx(odds, abs=1e-12)


def test_agreement_with_scikit_learn(example):
    labels, predictions, groups = example
    counts = contingency(*example)
    recalls = [
        recall_score(labels[groups == g], predictions[groups == g], average=None, labels=[0, 1])
        for g in (0, 1)
    ]
    gap = np.sqrt(np.mean((recalls[0] - recalls[1]) ** 2))
    assert fairness.tpr_gap(counts) == pytest.approx(gap, abs=1e-12)
    assert fairness.accuracy(counts) == pytest.approx(accuracy_score(labels, predictions), abs=1e-12)
    assert fairness.f1(counts) == pytest.approx(f1_score(labels, predictions), abs=1e-12)


def test_a_case_by_hand():
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    predictions = np.array([0, 1, 1, 1, 0, 0, 0, 1])
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    counts = contingency(labels, predictions, groups)
    # selected: 3/4 against 1/4; recall of label 0: 1/2 against 1; of label 1: 1 against 1/2
    assert fairness.demographic_parity(counts) == 1.0
    assert fairness.demographic_parity_difference(counts) == 0.5
    assert fairness.tpr_gap(counts) == 0.5
    assert fairness.equalized_odds_difference(counts) == 0.5
    assert fairness.accuracy(counts) == 0.75


def test_a_rate_of_an_empty_group_is_undefined():
    everyone_in_group_0 = contingency(np.array([0, 1]), np.array([0, 1]), np.array([0, 0]))
    assert np.isnan(fairness.demographic_parity(everyone_in_group_0))
    assert np.isnan(fairness.tpr_gap(everyone_in_group_0))
    assert fairness.accuracy(everyone_in_group_0) == 1


def test_many_tables_at_once_score_as_each_alone(example):
    labels, predictions, groups = example
    clusters = np.arange(len(labels)) // 5
    tables = contingency_by_cluster(labels, predictions, groups, clusters)
    assert np.array_equal(tables.sum(axis=0), contingency(*example))
    stacked = fairness.accuracy(tables)
    assert stacked == pytest.approx([fairness.accuracy(table) for table in tables])
