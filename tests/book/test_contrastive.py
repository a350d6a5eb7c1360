"""Texts of one class are pulled together, those of others apart, and padding changes nothing."""

import pytest
import tiny
import torch

from helpers import Recipe
from helpers.book.contrastive import contrast, pair_loss
from helpers.models.embedding import embed


def test_the_loss_is_zero_where_classes_point_apart_and_worst_where_they_do_not():
    hidden = torch.eye(3)[[0, 0, 1, 1]][:, None]  # (4, 1, 3)
    mask = torch.ones(4, 1, dtype=torch.long)
    assert pair_loss(hidden, mask, torch.tensor([0, 0, 1, 1])) == 0
    assert pair_loss(hidden, mask, torch.tensor([0, 1, 0, 1])) == pytest.approx((1 + 0.5) / 2)
    assert pair_loss(hidden[:2], mask[:2], torch.tensor([0, 0])) == 0, "without pairs of one kind the other counts"


def test_padding_and_length_of_vectors_do_not_count():
    torch.manual_seed(0)
    hidden, labels = torch.randn(6, 4, 5), torch.tensor([0, 0, 1, 1, 2, 2])
    mask = torch.ones(6, 4, dtype=torch.long)
    padded = torch.cat([hidden, torch.randn(6, 2, 5)], dim=1)
    longer = torch.cat([mask, torch.zeros(6, 2, dtype=torch.long)], dim=1)
    assert pair_loss(3 * padded, longer, labels) == pytest.approx(pair_loss(hidden, mask, labels))


def test_training_brings_texts_of_a_class_together_in_the_same_way_each_time():
    rows, tokenizer = tiny.rows(40), tiny.tokenizer()
    labels = torch.tensor(rows["label"])
    same = labels[:, None] == labels[None]

    def margin(body) -> float:
        cosines = torch.tensor(embed(body, tokenizer, rows["text"]))
        cosines = cosines @ cosines.T
        return float(cosines[same].mean() - cosines[~same].mean())

    def trained():
        body, recipe = tiny.model().base_model, Recipe(learning_rate=3e-3, seed=1)
        return margin(body), margin(contrast(body, tokenizer, rows, recipe, steps=20, max_length=32))

    before, after = trained()
    assert after > before + 0.3
    assert trained() == (before, after)
