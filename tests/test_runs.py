"""Which models the memorization studies train and fuse."""

import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.runs import runs, sizes_up_to, subset_sizes, trained_on

STUDY = {
    "subsets": {"models": 4, "unshared": 30, "shared": 10, "dev": 5, "held_out": 5},
    "training": {"epochs": 12},
    "epochs": {"values": [5], "models": 3},
    "totals": [2, 3, 4],
}


def test_the_papers_models_are_trained_and_fused():
    main = runs(STUDY)["main"]
    assert list(main.trained()) == ["A", "B", "C", "D", "full_AB", "full_ABC", "full_ABCD"]
    assert main.trained()["B"] == ["B", "shared"]
    assert main.trained()["full_ABC"] == ["A", "B", "C", "shared"]
    assert main.constituents()["fused_ABC"] == ["A", "B", "C"]
    assert main.evaluated() == ["A", "B", "C", "D", "shared", "dev", "held_out"]


def test_other_epochs_are_models_of_their_own_on_the_same_subsets():
    run = runs(STUDY)["epochs5"]
    assert run.trained()["C_epochs5"] == ["C", "shared"]
    assert run.trained()["full_ABC_epochs5"] == ["A", "B", "C", "shared"]
    assert run.constituents() == {"fused_ABC_epochs5": ["A_epochs5", "B_epochs5", "C_epochs5"]}
    assert run.epochs == 5
    assert runs(STUDY)["main"].epochs == runs(STUDY)["of2"].epochs == 12


def test_fewer_models_share_out_the_same_total():
    found = runs(STUDY)
    assert list(found) == ["main", "epochs5", "of2", "of3"]  # four models are the main run
    for run in (found["main"], found["of2"], found["of3"]):
        sizes = subset_sizes(STUDY, run)
        assert next(iter(sizes)) == "shared"
        assert sum(sizes.values()) == 130
    assert found["of2"].trained() == {"A_of2": ["A_of2", "shared"], "B_of2": ["B_of2", "shared"]}
    assert found["of3"].constituents() == {"fused_ABC_of3": ["A_of3", "B_of3", "C_of3"]}


def test_a_subset_is_drawn_after_those_before_it_whatever_comes_later():
    assert list(sizes_up_to(STUDY, "B").items()) == [("shared", 10), ("A", 30), ("B", 30)]
    assert sizes_up_to(STUDY, "A_of2") == {"shared": 10, "A_of2": 60}
    assert sizes_up_to(STUDY, "shared") == {"shared": 10}
    assert sizes_up_to(STUDY, "held_out") == {"held_out": 5}
    more = STUDY | {"subsets": STUDY["subsets"] | {"models": 5}}
    assert sizes_up_to(more, "D") == sizes_up_to(STUDY, "D")


def test_no_two_models_have_one_name():
    assert len(trained_on(STUDY)) == sum(len(run.trained()) for run in runs(STUDY).values())


@pytest.mark.parametrize("change", [{"totals": [5]}, {"epochs": {"values": [5], "models": 5}}])
def test_a_run_of_more_models_than_there_are_is_refused(change):
    with pytest.raises(InputError, match=r"a run of 5 models, but subsets\.models is 4"):
        runs(STUDY | change)
