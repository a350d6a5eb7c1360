"""Losses against torch, transformers and finite sums; the gradient in closed form against autograd."""

import math

import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from helpers.errors import InputError
from helpers.maths import losses

EXACT = {"rtol": 0, "atol": 1e-12}


@pytest.fixture
def logits():
    return (torch.randn(4, 6, 5, dtype=torch.float64, generator=_generator()) * 3).requires_grad_()


@pytest.fixture
def labels():
    labels = torch.randint(5, (4, 6), generator=_generator())
    labels[0, 4:], labels[2, :1] = losses.IGNORE, losses.IGNORE
    return labels


def _generator():
    return torch.Generator().manual_seed(0)


def test_eq_log_softmax_equals_torch(logits):
    torch.testing.assert_close(losses.log_softmax(logits), logits.log_softmax(-1), **EXACT)
    assert losses.log_softmax(torch.tensor([1e4, 0.0, -1e4])).isfinite().all()


def test_eq_cross_entropy_of_a_distribution_equals_torch(logits):
    targets = torch.rand(4, 6, 5, dtype=torch.float64).softmax(-1)
    ours = losses.expected_surprise(targets, losses.log_softmax(logits))
    theirs = functional.cross_entropy(logits.movedim(-1, 1), targets.movedim(-1, 1), reduction="none")
    torch.testing.assert_close(ours, theirs, **EXACT)


def test_eq_kl_is_what_the_cross_entropy_costs_above_the_entropy():
    p, q = torch.randn(2, 20, 5, dtype=torch.float64).softmax(-1)
    p[0] = torch.tensor([1, 0, 0, 0, 0])
    cost = losses.expected_surprise(p, q.log())
    torch.testing.assert_close(cost, losses.entropy(p) + losses.kl_divergence(p, q), **EXACT)
    theirs = functional.kl_div(q.log(), p, reduction="none").sum(-1)
    torch.testing.assert_close(losses.kl_divergence(p, q), theirs, **EXACT)
    assert (losses.kl_divergence(p, q) > 0).all()
    torch.testing.assert_close(losses.kl_divergence(p, p), torch.zeros(20, dtype=torch.float64), **EXACT)


def test_entropy_is_largest_for_equal_chances_and_zero_for_certainty():
    assert losses.entropy(torch.full((5,), 0.2)).item() == pytest.approx(math.log(5))
    assert losses.entropy(torch.tensor([0.0, 1.0, 0.0])) == 0


def test_eq_sequence_loss_is_the_sum_over_rows_and_over_the_tokens_that_count(logits, labels):
    log_probs = losses.log_softmax(logits)
    total = -sum(
        log_probs[i, j - 1, labels[i, j]] for i in range(4) for j in range(1, 6) if labels[i, j] != losses.IGNORE
    )
    torch.testing.assert_close(losses.sequence_negative_log_likelihood(logits, labels).sum(), total, **EXACT)


def test_the_factor_of_the_errata_is_an_indicator_and_not_the_number_of_a_word(logits, labels):
    """As the errata say: with an indicator and a third sum it is the loss; with the number it is not."""
    log_probs, labels = losses.log_softmax(logits), labels.clamp(min=0)
    picked = -losses.picked(log_probs, labels).sum()
    torch.testing.assert_close(-(functional.one_hot(labels, 5) * log_probs).sum(), picked, **EXACT)
    order = torch.tensor([3, 1, 4, 0, 2])  # new number -> old number
    renamed, numbers = log_probs[..., order], order.argsort()[labels]
    torch.testing.assert_close(-losses.picked(renamed, numbers).sum(), picked, **EXACT)
    once, again = (-(n * losses.picked(p, n)).sum() for p, n in ((log_probs, labels), (renamed, numbers)))
    assert abs(once - again) > 1


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_eq_weighted_loss_equals_torch(logits, labels, weighted, smoothing, reduction):
    weight = torch.tensor([0.5, 1, 2, 3, 0.1], dtype=torch.float64) if weighted else None
    ours = losses.cross_entropy(logits, labels, weight=weight, smoothing=smoothing, reduction=reduction)
    theirs = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), weight=weight, label_smoothing=smoothing, reduction=reduction
    )
    torch.testing.assert_close(ours.flatten(), theirs.flatten(), **EXACT)
    for a, b in zip(*(torch.autograd.grad(loss.sum(), logits) for loss in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


def test_cross_entropy_with_another_ignore_index_and_an_impossible_class():
    logits, labels = torch.tensor([[0.0, 1.0, -torch.inf], [2.0, 0.0, 1.0]]), torch.tensor([1, 0])
    for index in (losses.IGNORE, 0):
        ours = losses.cross_entropy(logits, labels, ignore_index=index)
        torch.testing.assert_close(ours, functional.cross_entropy(logits, labels, ignore_index=index))


def test_eq_loss_gradient_equals_autograd(logits, labels):
    loss = losses.cross_entropy(logits, labels, reduction="sum")
    (expected,) = torch.autograd.grad(loss, logits)
    gradient = losses.cross_entropy_gradient(logits, labels)
    torch.testing.assert_close(gradient, expected, **EXACT)
    torch.testing.assert_close(gradient.sum(-1), torch.zeros(4, 6, dtype=torch.float64), **EXACT)
    assert (gradient[labels == losses.IGNORE] == 0).all()


def test_eq_label_smoothing_targets_give_the_smoothed_loss(logits, labels):
    labels = labels.clamp(min=0)
    targets = losses.smoothed_targets(labels, 5, 0.1)
    torch.testing.assert_close(targets.sum(-1), torch.ones(4, 6))
    ours = losses.expected_surprise(targets.double(), losses.log_softmax(logits))
    theirs = functional.cross_entropy(logits.movedim(-1, 1), labels, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_eq_label_smoothing_over_the_other_classes_is_the_same_family():
    labels, epsilon = torch.tensor([0, 3, 4]), 0.2
    others = functional.one_hot(labels, 5) * (1 - epsilon) + (1 - functional.one_hot(labels, 5)) * epsilon / 4
    torch.testing.assert_close(losses.smoothed_targets(labels, 5, epsilon * 5 / 4), others)


def _decoder():
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=11, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    return LlamaForCausalLM(config).eval()


def _batch():
    ids = torch.randint(11, (3, 7), generator=_generator())
    mask = torch.tensor([[1] * 7, [1] * 5 + [0] * 2, [1] * 6 + [0]])
    return ids, mask, losses.prompt_labels(ids, torch.tensor([3, 2, 4]), mask)


def test_prompt_labels_keep_the_answers_alone():
    ids, _, labels = _batch()
    for row, (begin, end) in enumerate([(3, 7), (2, 5), (4, 6)]):
        assert labels[row, begin:end].equal(ids[row, begin:end])
        assert (labels[row, :begin] == losses.IGNORE).all()
        assert (labels[row, end:] == losses.IGNORE).all()


def test_eq_chain_rule_a_row_is_the_product_of_its_tokens():
    ids, mask, labels = _batch()
    model = _decoder()
    logits = model(ids, attention_mask=mask).logits
    for row, (begin, end) in enumerate([(3, 7), (2, 5), (4, 6)]):
        product = 1.0
        for place in range(begin, end):  # one call a token: what stands before it is all that the model sees
            nexts = model(ids[row : row + 1, :place]).logits[0, -1].softmax(0)
            product = product * nexts[ids[row, place]]
        total = losses.sequence_negative_log_likelihood(logits, labels)[row]
        torch.testing.assert_close(total, -product.log(), rtol=1e-5, atol=1e-5)


def test_eq_nll_is_minus_the_logarithm_of_the_likelihood_of_all_examples(logits, labels):
    labels = labels.clamp(min=0)
    likelihood = logits.softmax(-1).gather(-1, labels.unsqueeze(-1)).prod()
    loss = losses.cross_entropy(logits, labels, reduction="sum")
    torch.testing.assert_close(loss, -likelihood.log(), **EXACT)


def test_eq_token_mean_is_the_loss_of_transformers():
    ids, mask, labels = _batch()
    outputs = _decoder()(ids, attention_mask=mask, labels=labels)
    parts = losses.token_losses(outputs.logits, labels)
    torch.testing.assert_close(losses.token_mean(*parts), outputs.loss)


def test_eq_perplexity_of_equal_chances_is_their_number():
    parts = losses.token_losses(torch.zeros(3, 7, 11), _batch()[2])
    assert losses.perplexity(*parts).item() == pytest.approx(11)


ROWS = torch.tensor([[1.0, 1, 1, 1], [5, 0, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]])


def test_eq_example_mean_weighs_rows_and_eq_token_mean_weighs_tokens():
    assert losses.token_mean(*ROWS).item() == pytest.approx(9 / 5)
    assert losses.example_mean(*ROWS).item() == pytest.approx(3)


def test_eq_mean_of_means_lies_between_and_depends_on_the_cut():
    torch.manual_seed(0)
    counts = torch.rand(8, 6) < torch.linspace(0.2, 1, 8)[:, None]
    counts[:, 0] = True
    values = torch.rand(8, 6) * counts
    torch.testing.assert_close(losses.mean_of_means(values, counts, 8), losses.token_mean(values, counts))
    torch.testing.assert_close(losses.mean_of_means(values, counts, 1), losses.example_mean(values, counts))
    assert not torch.isclose(losses.mean_of_means(values, counts, 2), losses.token_mean(values, counts))
    level = torch.ones(8, 6, dtype=torch.bool)
    torch.testing.assert_close(losses.mean_of_means(values, level, 2), losses.token_mean(values, level))


def test_bad_input_is_named():
    logits, labels = torch.zeros(2, 3), torch.tensor([0, 3])
    with pytest.raises(InputError, match="label 3 is not one of the 3 classes 0 to 2; fix"):
        losses.cross_entropy(logits, labels)
    with pytest.raises(InputError, match="reduction 'avg' is not one of none, sum, mean; choose"):
        losses.cross_entropy(logits, labels, reduction="avg")
    with pytest.raises(InputError, match=r"smoothing 1.5 is not between 0 and 1; choose"):
        losses.cross_entropy(logits, labels, smoothing=1.5)
