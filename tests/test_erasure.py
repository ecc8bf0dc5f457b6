"""INLP and LEACE erase what a linear classifier could read, and leave the rest."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fuse_to_forget.prediction.erasure import apply_leace, inlp_projection, leace_eraser, task_probability


@pytest.fixture(scope="module")
def data():
    """Representations (2000, 12) in which directions 0 and 1 tell the attribute and direction 2 the label."""
    rng = np.random.default_rng(0)
    attribute, label = rng.integers(0, 2, 2000), rng.integers(0, 2, 2000)
    x = rng.normal(size=(2000, 12)).astype(np.float32)
    x[:, 0] += 3 * (attribute - 0.5)
    x[:, 1] -= 2 * (attribute - 0.5)
    x[:, 2] += 3 * (label - 0.5)
    return x, attribute, label


def readable(x, target):
    return LogisticRegression().fit(x, target).score(x, target)


@pytest.mark.parametrize("classifier", ["svm", "logistic"])
def test_inlp_hides_the_attribute_and_keeps_the_label(data, classifier):
    x, attribute, label = data
    projection = inlp_projection(x, attribute, iterations=4, classifier=classifier, seed=1)
    assert readable(x, attribute) > 0.9
    assert readable(x @ projection, attribute) < 0.6
    assert readable(x @ projection, label) > 0.85


def test_the_inlp_projection_is_orthogonal_and_loses_one_direction_each_time(data):
    x, attribute, _ = data
    projection = inlp_projection(x, attribute, iterations=3, classifier="svm", seed=1)
    assert projection @ projection == pytest.approx(projection, abs=1e-10)
    assert projection == pytest.approx(projection.T, abs=1e-12)
    assert np.trace(projection) == pytest.approx(12 - 3)


def test_more_iterations_than_directions_leave_nothing(data):
    x, attribute, _ = data
    projection = inlp_projection(x, attribute, iterations=50, classifier="svm", seed=1)
    assert np.abs(projection).max() < 1e-6


def test_the_same_seed_gives_the_same_projection(data):
    x, attribute, _ = data
    one, same, other = (
        inlp_projection(x, attribute, iterations=2, classifier="svm", seed=s) for s in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_leace_makes_the_group_means_equal(data):
    """The theorem: no linear predictor beats the constant one exactly when the class means coincide."""
    x, attribute, label = data
    erased = apply_leace(leace_eraser(x, attribute), x)
    gap = erased[attribute == 0].mean(axis=0) - erased[attribute == 1].mean(axis=0)
    assert np.abs(gap).max() < 1e-6
    assert readable(erased, attribute) < 0.56
    assert readable(erased, label) > 0.85


def test_the_task_classifier_predicts_label_one(data):
    x, _, label = data
    probability = task_probability(x, label, x[:100])
    assert ((probability > 0.5) == label[:100]).mean() > 0.85
