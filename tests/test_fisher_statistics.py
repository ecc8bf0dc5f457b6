"""The diagonal Fisher information is the mean of squared gradients of single examples, taken one at a time."""

import copy

import pytest
import torch
from small_models import LABELS, LANGUAGE_MODELS, MODELS, TOKEN_IDS, made, targets_of
from torch.nn import functional

from fuse_to_forget.errors import InputError
from fuse_to_forget.prediction.likelihood import IGNORED
from fuse_to_forget.statistics.fisher import fisher_statistics, next_tokens


def log_likelihoods(model, i, family, labels):
    """(probability, log-likelihood) of example i for each of its labels, with a graph."""
    logits = model(input_ids=torch.tensor([TOKEN_IDS[i]])).logits
    log_p = logits.log_softmax(-1)[0]
    if family not in LANGUAGE_MODELS:
        chosen = {"gold": [LABELS[i]], "hard": [log_p.argmax().item()], "expected": [0, 1]}[labels]
        return [(log_p[c].exp().item() if labels == "expected" else 1, log_p[c]) for c in chosen]
    places = [(place, t) for place, t in enumerate(targets_of(family)[i]) if t != IGNORED]
    return [(1, sum(log_p[place, t] if labels == "gold" else log_p[place].max() for place, t in places))]


def fisher_oracle(model, family, labels):
    model = copy.deepcopy(model).double().eval()
    parameters = dict(model.named_parameters())
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for i in range(len(TOKEN_IDS)):
        for weight, log_likelihood in log_likelihoods(model, i, family, labels):
            gradients = torch.autograd.grad(
                log_likelihood, parameters.values(), retain_graph=True, allow_unused=True
            )
            for name, gradient in zip(parameters, gradients, strict=True):
                total[name] += 0 if gradient is None else weight * gradient**2 / len(TOKEN_IDS)
    return total


def assert_agree(actual, expected):
    assert list(actual) == list(expected)
    largest = max(total.max() for total in expected.values())
    assert largest > 0
    for name, total in expected.items():
        # A bias of keys has no gradient but rounding: the softmax does not see it.
        tolerance = 1e-4 * max(total.max(), 1e-8 * largest)
        assert (actual[name] - total).abs().max() < tolerance, name


CASES = [(family, labels) for family in MODELS for labels in ("gold", "hard", "expected")
         if not (family in LANGUAGE_MODELS and labels == "expected")]  # fmt: skip


@pytest.mark.parametrize(("family", "labels"), CASES)
def test_fisher_is_the_mean_of_squared_gradients_of_single_examples(family, labels):
    model = made(family)
    statistics = fisher_statistics(model, TOKEN_IDS, targets_of(family), labels=labels, batch_size=3)
    assert_agree(statistics.tensors, fisher_oracle(model, family, labels))


@pytest.mark.parametrize("share", [False, True])
def test_examples_go_by_batches_unless_a_layer_is_used_twice(share):
    model = made("bert")
    if share:
        model.bert.encoder.layer[1] = model.bert.encoder.layer[0]
    sizes = []
    hook = model.register_forward_pre_hook(
        lambda module, args, options: sizes.append(len(options["input_ids"])), with_kwargs=True
    )
    statistics = fisher_statistics(model, TOKEN_IDS, LABELS, labels="gold", batch_size=3)
    hook.remove()
    assert sizes[-3:] == ([1, 1, 1] if share else [3, 3, 1])
    assert_agree(statistics.tensors, fisher_oracle(model, "bert", "gold"))


def test_the_next_tokens_are_what_a_causal_model_is_trained_on():
    assert next_tokens([[5, 6, 7], [8]]) == [[6, 7, IGNORED], [IGNORED]]
    model = made("gpt2").eval()
    statistics = fisher_statistics(
        model, TOKEN_IDS[1:2], next_tokens(TOKEN_IDS[1:2]), labels="gold", batch_size=1
    )
    ids = torch.tensor(TOKEN_IDS[1:2])
    summed = model(input_ids=ids, labels=ids).loss * (ids.numel() - 1)
    gradients = torch.autograd.grad(summed, model.parameters())
    expected = zip(statistics.tensors, gradients, strict=True)
    assert_agree(statistics.tensors, {name: gradient**2 for name, gradient in expected})


def test_hard_and_expected_labels_of_a_classifier_need_no_targets():
    for labels in ("hard", "expected"):
        first, second = (
            fisher_statistics(made("bert"), TOKEN_IDS, targets, labels=labels, batch_size=3).tensors
            for targets in (None, LABELS)
        )
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_expected_information_of_two_classes_in_closed_form():
    """For the head of a 2-class model, p = softmax(Wh + b): F(b_c) = mean p(1 - p), F(W_cj) = mean p(1 - p) h_j^2."""
    model = made("bert").eval()
    statistics = fisher_statistics(model, TOKEN_IDS, None, labels="expected", batch_size=1)
    with torch.no_grad():
        outputs = [model.bert(input_ids=torch.tensor([ids])).pooler_output for ids in TOKEN_IDS]
        pooled = torch.cat(outputs)
        p = model.classifier(pooled).softmax(-1)[:, 1]
    variance = p * (1 - p)
    assert torch.allclose(statistics.tensors["classifier.bias"], variance.mean().expand(2), rtol=1e-4)
    weights = (variance[:, None] * pooled**2).mean(0)
    assert torch.allclose(statistics.tensors["classifier.weight"], weights.expand(2, -1), rtol=1e-4)


def test_the_gradient_of_a_batch_is_squared_after_the_mean():
    model = made("bert").eval()
    ids, labels = [row[:4] for row in TOKEN_IDS if len(row) > 4][:5], [0, 1, 1, 0, 1]
    statistics = fisher_statistics(model, ids, labels, labels="gold", batch_size=2, batch_mean=True)
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for rows in ((0, 1), (2, 3), (4,)):
        logits = model(input_ids=torch.tensor([ids[row] for row in rows])).logits
        loss = functional.cross_entropy(logits, torch.tensor([labels[row] for row in rows]))
        for name, gradient in zip(total, torch.autograd.grad(loss, model.parameters()), strict=True):
            total[name] += gradient**2 / 3
    assert_agree(statistics.tensors, total)
    single = fisher_statistics(model, ids, labels, labels="gold", batch_size=1, batch_mean=True)
    plain = fisher_statistics(model, ids, labels, labels="gold", batch_size=2)
    assert_agree(single.tensors, plain.tensors)


@pytest.mark.parametrize(
    ("family", "targets", "options", "message"),
    [
        ("bert", LABELS, {"labels": "soft"}, "no labels 'soft'"),
        ("bert", None, {"labels": "gold"}, "none given"),
        ("bert", LABELS[1:], {"labels": "gold"}, "There are 7 examples and 6 labels"),
        ("bert", LABELS, {"labels": "expected", "batch_mean": True}, "single examples of a classifier"),
        ("bert", next_tokens(TOKEN_IDS), {"labels": "gold"}, r"logits of shape \(1, 2\)"),
        ("gpt2", next_tokens(TOKEN_IDS), {"labels": "expected"}, "single examples of a classifier"),
        ("gpt2", [row[1:] for row in TOKEN_IDS], {"labels": "gold"}, "not as long as their example"),
        ("gpt2", LABELS, {"labels": "gold"}, "a target for each token"),
        ("gpt2", None, {"labels": "hard"}, "a target for each token"),
    ],
)
def test_targets_that_do_not_fit_are_refused(family, targets, options, message):
    with pytest.raises(InputError, match=message):
        fisher_statistics(made(family), TOKEN_IDS, targets, batch_size=2, **options)
