"""Batched Fisher diagonals are those of one backward pass for each example, and overlaps follow from them."""

import copy

import numpy as np
import pytest
import torch
from conftest import demographic_frame
from scipy import stats
from torch.nn import functional
from transformers import (
    AutoModelForSequenceClassification,
    DistilBertConfig,
    GPT2Config,
    RobertaConfig,
)

from fuse_to_forget.errors import InputError
from fuse_to_forget.fisher.overlap import (
    component_of,
    fisher_overlaps,
    jackknife_interval,
    overlap_table,
)
from fuse_to_forget.fisher.per_example import squared_gradient_sums
from fuse_to_forget.prediction.classifier import load_tokenizer, tokenize

SMALL = {"vocab_size": 40, "pad_token_id": 0}
CONFIGS = {
    "roberta": RobertaConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, **SMALL
    ),
    "distilbert": DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=24, **SMALL),
    "gpt2": GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, **SMALL),
}


@pytest.fixture
def model(pico_bert):
    torch.manual_seed(3)
    return AutoModelForSequenceClassification.from_pretrained(pico_bert, num_labels=2).eval()


@pytest.fixture(scope="module")
def examples(pico_bert):
    """Token ids of different lengths, some ids repeated within an example, one that pads; and their labels."""
    frame = demographic_frame(11, seed=6)
    ids = tokenize(load_tokenizer(pico_bert), frame["text"], 32)
    ids[4][2:5] = [7, 7, 0]
    assert len({len(row) for row in ids}) > 3
    return ids, frame["label"].tolist()


def one_by_one(model, token_ids, labels, groups):
    """The same sums in float64 by one backward pass for each example."""
    model = copy.deepcopy(model).double().eval()
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    parameters = [model.get_parameter(name) for name in names]
    sums = {
        name: parameter.new_zeros(groups, *parameter.shape)
        for name, parameter in zip(names, parameters, strict=True)
    }
    for i, (ids, label) in enumerate(zip(token_ids, labels, strict=True)):
        logits = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits
        loss = functional.cross_entropy(logits, torch.tensor([label]))
        for name, gradient in zip(names, torch.autograd.grad(loss, parameters), strict=True):
            sums[name][i % groups] += gradient**2
    return {name: total.detach() for name, total in sums.items()}


def assert_agree(actual, expected):
    assert list(actual) == list(expected)
    largest = max(total.max() for total in expected.values())
    for name, total in expected.items():
        assert actual[name].dtype == torch.float32
        # A bias of keys has no gradient but rounding: the softmax does not see it.
        tolerance = 1e-5 * max(total.max(), 1e-9 * largest)
        assert (actual[name] - total).abs().max() < tolerance, name


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_it_is_the_sum_over_single_examples(model, examples, batch_size):
    actual = squared_gradient_sums(model, *examples, batch_size=batch_size, groups=3)
    assert_agree(actual, one_by_one(model, *examples, groups=3))
    assert not actual["bert.embeddings.word_embeddings.weight"][:, 0].any()
    assert actual["bert.embeddings.word_embeddings.weight"][1, 7].any()  # example 4


@pytest.mark.parametrize("family", CONFIGS)
def test_other_architectures_need_no_code_of_their_own(family, examples):
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_config(CONFIGS[family])
    for module in model.modules():
        if type(module).__name__ == "Conv1D":  # GPT-2's own kind of linear map
            module.requires_grad_(False)
    ids = [[token or 5 for token in row] for row in examples[0]]
    actual = squared_gradient_sums(model, ids, examples[1], batch_size=4, groups=2)
    assert_agree(actual, one_by_one(model, ids, examples[1], groups=2))


def test_groups_partition_the_examples(model, examples):
    whole = squared_gradient_sums(model, *examples, batch_size=4, groups=1)
    parts = squared_gradient_sums(model, *examples, batch_size=4, groups=11)
    assert_agree({name: total.sum(0, keepdim=True) for name, total in parts.items()}, whole)


def test_the_head_bias_is_known_in_closed_form(model, examples):
    ids, labels = examples
    sums = squared_gradient_sums(model, ids, labels, batch_size=4, groups=11)["classifier.bias"]
    with torch.no_grad():
        p = torch.cat([model(input_ids=torch.tensor([row])).logits.softmax(-1) for row in ids])
    expected = (p - functional.one_hot(torch.tensor(labels), 2)) ** 2
    assert sums.numpy() == pytest.approx(expected.numpy(), rel=1e-4)


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(model, examples, fails):
    model.train()
    model.bert.encoder.layer[0].eval()
    model.bert.embeddings.requires_grad_(False)
    ids, labels = examples
    if fails:
        ids = [*ids[:-1], [99]]  # not in the vocabulary
    modes = [module.training for module in model.modules()]
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    weights = copy.deepcopy(model.state_dict())
    if fails:
        with pytest.raises(IndexError):
            squared_gradient_sums(model, ids, labels, batch_size=4, groups=2)
    else:
        with torch.no_grad():  # of a caller who needs no gradients
            sums = squared_gradient_sums(model, ids, labels, batch_size=4, groups=2)
        assert sums.keys() == dict(model.named_parameters()).keys() - frozen
    assert [module.training for module in model.modules()] == modes
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == frozen
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def share_a_weight(model):
    first, second = (layer.output.dense for layer in model.bert.encoder.layer)
    second.weight = first.weight


def share_a_layer(model):
    model.bert.encoder.layer[1] = model.bert.encoder.layer[0]


def mix_examples(model):
    model.bert.pooler.register_forward_pre_hook(lambda module, args: (args[0].flatten(0, 1)[None],))


def own_a_parameter(model):
    model.bert.encoder.scale = torch.nn.Parameter(torch.ones(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (share_a_weight, r"layer\.0\.output\.dense\.weight and .*layer\.1\.output\.dense\.weight are one"),
        (share_a_layer, r"layer\.0\..* is called twice"),
        (mix_examples, r"pooler\.dense\.weight has shape \(1, 32\) for 4 examples"),
        (own_a_parameter, r"encoder\.scale belongs to a BertEncoder"),
    ],
)
def test_what_would_be_wrong_is_refused(model, examples, change, message):
    change(model)
    with pytest.raises(InputError, match=message):
        squared_gradient_sums(model, *examples, batch_size=4, groups=2)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(("labels", "groups"), [(10, 2), (11, 12)])
def test_numbers_that_do_not_fit_are_refused(model, examples, labels, groups):
    with pytest.raises(InputError, match="There are 11 examples"):
        squared_gradient_sums(model, examples[0], examples[1][:labels], batch_size=4, groups=groups)


def random_sums(seed, groups=5):
    rng = torch.Generator().manual_seed(seed)
    shapes = {"x.embeddings.w": (7, 4), "x.layer.0.w": (3, 2), "x.layer.10.w": (5,), "head.weight": (2, 4)}
    return {name: torch.rand(groups, *shape, generator=rng) ** 8 for name, shape in shapes.items()}


def test_overlap_by_hand():
    first = {"layer.0.w": torch.tensor([[1.0, 0], [0, 3]]), "head": torch.tensor([[4.0], [0]])}
    second = {"layer.0.w": torch.tensor([[3.0, 0], [0, 1]]), "head": torch.tensor([[0.0], [12]])}
    overlaps = fisher_overlaps(first, second)
    assert list(overlaps) == ["all", "layer 0", "head"]
    assert overlaps["layer 0"].value == pytest.approx(np.sqrt(3) / 2)  # of (1/4, 3/4) and (3/4, 1/4)
    assert overlaps["head"].value == 1
    assert overlaps["all"].value == pytest.approx((2 * np.sqrt(3) + np.sqrt(48)) / np.sqrt(8 * 16))
    assert overlaps["layer 0"].leave_one_out.tolist() == [1, 1]
    assert np.isnan(overlaps["head"].leave_one_out).all()  # nothing is left of the one or the other
    shares = [(overlap.first_trace_share, overlap.second_trace_share) for overlap in overlaps.values()]
    assert shares == [(1, 1), (0.5, 0.25), (0.5, 0.75)]


def test_overlap_is_one_with_itself_zero_with_disjoint_weights_symmetric_and_without_scale():
    first, second = random_sums(1), random_sums(2)
    with_itself = fisher_overlaps(first, {name: 3e-12 * total for name, total in first.items()})
    assert [overlap.value for overlap in with_itself.values()] == pytest.approx([1] * 5)
    halves = [torch.arange(total[0].numel()).view(total.shape[1:]) % 2 for total in first.values()]
    left, right = (
        {name: total * (half == side) for (name, total), half in zip(first.items(), halves, strict=True)}
        for side in (0, 1)
    )
    assert [overlap.value for overlap in fisher_overlaps(left, right).values()] == [0] * 5
    there, back = (overlap_table(fisher_overlaps(*pair), 0.95) for pair in ((first, second), (second, first)))
    swapped = {"first_trace_share": "second_trace_share", "second_trace_share": "first_trace_share"}
    np.testing.assert_allclose(there.iloc[:, 1:], back.rename(columns=swapped)[there.columns].iloc[:, 1:])
    assert there["overlap"].between(0.1, 0.9).all()


def test_each_group_is_left_out_of_both():
    first, second = random_sums(1), random_sums(2)
    overlaps = fisher_overlaps(first, second)
    for group in range(5):
        rest = [
            {name: torch.cat([x[:group], x[group + 1 :]]) for name, x in y.items()} for y in (first, second)
        ]
        for component, overlap in fisher_overlaps(*rest).items():
            assert overlaps[component].leave_one_out[group] == pytest.approx(overlap.value, abs=1e-12)


def test_every_parameter_is_in_one_component_and_trace_shares_sum_to_one(model, examples):
    sums = squared_gradient_sums(model, *examples, batch_size=4, groups=4)
    components = {name: component_of(name) for name in sums}
    assert components["bert.embeddings.LayerNorm.weight"] == "embeddings"
    assert components["bert.pooler.dense.bias"] == components["classifier.weight"] == "head"
    names = ["transformer.h.11.ln_1.weight", "transformer.wpe.weight", "transformer.ln_f.bias"]
    assert [component_of(name) for name in names] == ["layer 11", "embeddings", "head"]
    table = overlap_table(fisher_overlaps(sums, sums), 0.95)
    assert table["component"].tolist() == ["all", "embeddings", "layer 0", "layer 1", "head"]
    assert set(components.values()) == set(table["component"]) - {"all"}
    for column in ("first_trace_share", "second_trace_share"):
        assert table[column][1:].sum() == pytest.approx(1)
    assert table["overlap"].tolist() == pytest.approx([1] * 5)


def test_layers_stand_in_the_order_of_their_numbers():
    sums = {f"layer.{i}.w": torch.rand(2, 3) for i in (10, 2, 0)} | {"embed.w": torch.rand(2, 3)}
    assert list(fisher_overlaps(sums, sums)) == ["all", "embeddings", "layer 0", "layer 2", "layer 10"]


def test_the_interval_of_a_mean_is_students():
    values = np.array([0.2, 0.5, 0.1, 0.9])
    low, high = jackknife_interval(values.mean(), (values.sum() - values) / 3, 0.9)
    assert (low, high) == pytest.approx(stats.t.interval(0.9, 3, values.mean(), stats.sem(values)))


def test_the_interval_covers_the_overlap():
    """Two weights, whose mean information is known: the interval holds the true overlap as often as it says."""
    rng = np.random.default_rng(5)
    scales = torch.tensor([[1.0, 4.0], [3.0, 1.0]])
    true = (scales / scales.sum(1, keepdim=True)).prod(0).sqrt().sum().item()
    hits = 0
    for _ in range(300):
        draws = torch.from_numpy(rng.gamma(20, size=(2, 10, 2))) * scales[:, None]
        overlap = fisher_overlaps({"w": draws[0]}, {"w": draws[1]})["all"]
        low, high = jackknife_interval(overlap.value, overlap.leave_one_out, 0.9)
        hits += low <= true <= high
    assert 0.85 < hits / 300 < 0.95


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"w": torch.ones(2, 3)}, "Only one of the models has a parameter v"),
        ({"v": torch.ones(2, 4)}, "The sums of v have shape"),
        ({"v": torch.full((2, 3), torch.nan)}, "The squared gradients of v hold NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(second, message):
    with pytest.raises(InputError, match=message):
        fisher_overlaps({"v": torch.ones(2, 3)}, second)


def test_one_group_gives_no_interval():
    with pytest.raises(InputError, match=r"of \[1\] groups"):
        fisher_overlaps({"v": torch.ones(1, 3)}, {"v": torch.ones(1, 3)})
