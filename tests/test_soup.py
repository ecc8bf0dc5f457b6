"""A greedy soup keeps what does not lower the score, from the best model on."""

import numpy as np
import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.soup import Step, greedy_soup


def test_what_helps_is_kept_and_what_hurts_is_not():
    scores = {
        ("a",): 0.6, ("b",): 0.9, ("c",): 0.8, ("d",): 0.7,
        ("b", "c"): 0.85, ("b", "d"): 0.95, ("b", "d", "a"): 0.95,
    }  # fmt: skip
    soup = greedy_soup(["a", "b", "c", "d"], scores.__getitem__)
    assert soup.names == ("b", "d", "a")  # a changes nothing: it does not lower the score
    assert soup.score == 0.95
    assert soup.history == (
        Step("b", 0.9, True), Step("c", 0.85, False), Step("d", 0.95, True), Step("a", 0.95, True)
    )  # fmt: skip


def test_the_soup_is_never_worse_than_the_best_model_and_tries_each_once():
    rng = np.random.default_rng(0)
    for _ in range(20):
        models = {f"m{i}": rng.normal(size=5) for i in range(6)}

        def score(names, models=models):
            return -float(np.square(np.mean([models[name] for name in names], axis=0)).sum())

        soup = greedy_soup(list(models), score)
        assert soup.score >= max(score([name]) for name in models)
        assert soup.score == score(soup.names)
        assert [step.name for step in soup.history if step.kept] == list(soup.names)
        assert sorted(step.name for step in soup.history) == sorted(models)
        reached = -np.inf
        for step in soup.history:
            assert step.kept == (step.score >= reached)
            reached = max(reached, step.score)


def test_one_model_is_its_own_soup():
    soup = greedy_soup(["only"], lambda names: 0.25)
    assert (soup.names, soup.score) == (("only",), 0.25)


def test_models_of_one_score_are_tried_in_their_order():
    soup = greedy_soup(["b", "a", "c"], lambda names: 1.0)
    assert soup.names == ("b", "a", "c")


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_no_models_and_names_that_come_twice_are_refused(names):
    with pytest.raises(InputError, match="give at least one, each once"):
        greedy_soup(names, lambda names: 1.0)


def test_an_undefined_score_is_refused():
    with pytest.raises(InputError, match=r"The score of a \+ b is undefined"):
        greedy_soup(["a", "b"], lambda names: 1.0 if len(names) == 1 else float("nan"))
