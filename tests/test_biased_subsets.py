"""Biased subsets have exactly the composition that was asked for."""

import pytest
from conftest import VALUES, demographic_frame

from fuse_to_forget.errors import InputError
from fuse_to_forget.subsets.biased import biased_subset, cell_sizes, largest_size, named_biases, union


def biases(ratio=0.8, group=0, label=1):
    bias = {"label": label, "group": group, "ratio": ratio}
    return {"gender": bias, "age": bias}


@pytest.mark.parametrize("ratio", [0.5, 0.6, 0.7, 0.8, 0.95, 0.2])
@pytest.mark.parametrize("size", [200, 201, 203, 1000])
def test_cells_are_within_one_of_the_ideal_and_sum_to_the_size(ratio, size):
    cells = cell_sizes(size, {"label": 1, "group": 0, "ratio": ratio})
    assert sum(cells.values()) == size
    for (label, group, _), count in cells.items():
        share = ratio if (label == 1) == (group == 0) else 1 - ratio
        assert abs(count - size / 2 * share / 2) <= 1
    for label in (0, 1):
        by_other = [cells[label, 0, other] + cells[label, 1, other] for other in (0, 1)]
        assert abs(by_other[0] - by_other[1]) <= 1


@pytest.mark.parametrize("attribute", ["gender", "age"])
def test_a_subset_is_biased_in_one_attribute_and_balanced_in_the_other(attribute):
    frame, other = demographic_frame(2000), {"gender": "age", "age": "gender"}[attribute]
    subset = biased_subset(frame, attribute, biases(), size=400, seed=1, values=VALUES)
    assert len(subset) == 400
    assert not subset["id"].duplicated().any()
    by_label = subset.groupby("label")
    assert by_label[attribute].mean().tolist() == pytest.approx([0.2, 0.8][::-1])
    assert by_label[other].mean().tolist() == pytest.approx([0.5, 0.5])
    assert by_label.size().tolist() == [200, 200]


def test_the_same_seed_draws_the_same_rows_and_another_seed_others():
    frame = demographic_frame(2000)
    draw = [biased_subset(frame, "age", biases(), size=200, seed=s, values=VALUES) for s in (1, 1, 2)]
    assert draw[0].equals(draw[1])
    assert set(draw[0]["id"]) != set(draw[2]["id"])


def test_the_largest_size_can_be_drawn_and_one_more_cannot():
    frame = demographic_frame(803, seed=3)
    size = largest_size(frame, biases())
    for attribute in biases():
        assert len(biased_subset(frame, attribute, biases(), size=size, seed=1, values=VALUES)) == size
    refused = []
    for attribute in biases():
        try:
            biased_subset(frame, attribute, biases(), size=size + 1, seed=1, values=VALUES)
        except InputError:
            refused.append(attribute)
    assert refused


def test_a_shortage_names_the_cell_and_both_counts():
    frame = demographic_frame(80)  # 10 in each cell
    with pytest.raises(InputError, match=r"wants 20 .*label 1, gender male, age young.* has 10"):
        biased_subset(frame, "gender", biases(), size=100, seed=1, values=VALUES)


def test_the_union_holds_every_row_once():
    frame = demographic_frame(800)
    subsets = [biased_subset(frame, a, biases(), size=300, seed=1, values=VALUES) for a in biases()]
    full = union(subsets, seed=1)
    assert set(full["id"]) == set(subsets[0]["id"]) | set(subsets[1]["id"])
    assert not full["id"].duplicated().any()


def test_names_of_the_config_become_codes_and_unknown_ones_are_refused():
    setting = {"attribute": "gender", "label": "1", "group": "female", "ratio": 0.8}
    assert named_biases([setting], VALUES)["gender"] == {"label": 1, "group": 1, "ratio": 0.8}
    with pytest.raises(InputError, match=r"'woman'.*male and female"):
        named_biases([setting | {"group": "woman"}], VALUES)
    with pytest.raises(InputError, match=r"'height'.*gender, age"):
        named_biases([setting | {"attribute": "height"}], VALUES)
