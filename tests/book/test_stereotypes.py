"""Log-probabilities of sentences agree with the model's own loss, and the scores with their definitions."""

import numpy as np
import pytest
import tiny_decoder
import torch

from helpers import evaluation
from helpers.book import stereotypes


def test_the_log_probability_is_the_models_own_loss_and_neighbours_do_not_count():
    model, tokenizer = tiny_decoder.model().eval(), tiny_decoder.tokenizer()
    start, texts = tokenizer.eos_token, [row["prompt"] for row in tiny_decoder.rows(6)]
    texts[1] = texts[1] + " " + texts[2]
    found = stereotypes.log_probabilities(model, tokenizer, texts, start=start)
    first = tokenizer.convert_tokens_to_ids(start)
    for text, value in zip(texts, found, strict=True):
        ids = torch.tensor([[first, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
        with torch.inference_mode():
            loss = model(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        assert value == pytest.approx(-loss, rel=2e-2, abs=0.1), "bf16 has two digits"


def test_padding_does_not_count():
    logits, targets = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    lengths = torch.tensor([3, 5])
    sums = stereotypes.text_sums(logits, targets, lengths)
    by_hand = [sum(logits[i, t].log_softmax(-1)[targets[i, t]] for t in range(n)) for i, n in enumerate((3, 5))]
    assert torch.allclose(sums.float(), torch.stack(by_hand), atol=1e-5)


SCORES = np.array([[-1.0, -2.0, -3.0], [-2.0, -1.0, -1.5], [-1.0, -1.0, -2.0], [-9.0, -8.0, -1.0]])


def test_a_preference_is_a_higher_probability_and_a_tie_is_half():
    assert stereotypes.preferred(SCORES).tolist() == [1, 0, 0.5, 0]
    assert stereotypes.sensible(SCORES).tolist() == [1, 0.5, 1, 0]
    assert np.array_equal(stereotypes.preferred(SCORES[:, [1, 0]]), 1 - stereotypes.preferred(SCORES))


def test_each_target_counts_alike():
    values, targets = np.array([1.0, 0.0, 0.0, 0.0]), ["a", "b", "b", "b"]
    assert stereotypes.by_target(values, targets).mean() == pytest.approx((1 + 0) / 2)
    both = stereotypes.by_target(np.stack([values, 1 - values]), targets)
    assert both.mean(1) == pytest.approx([0.5, 0.5])
    found = evaluation.interval(both, groups=targets)
    assert found.value == pytest.approx(0.5)


def test_eq_icat_is_one_for_an_ideal_model_and_none_for_a_model_of_one_side():
    assert stereotypes.icat(0.5, 1.0) == 1 and stereotypes.icat(1.0, 1.0) == 0 == stereotypes.icat(0.0, 1.0)
    assert stereotypes.icat(0.5, 0.8) == pytest.approx(0.8)
    assert stereotypes.icat(0.6, 0.9) == pytest.approx(stereotypes.icat(0.4, 0.9))


def test_eq_icat_is_one_half_for_a_model_that_guesses():
    guesses = np.random.default_rng(0).normal(size=(20_000, 3))
    ss, lms = stereotypes.preferred(guesses).mean(), stereotypes.sensible(guesses).mean()
    assert stereotypes.icat(ss, lms) == pytest.approx(0.5, abs=0.02)
