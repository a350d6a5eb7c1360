"""A planted outlet goes with the label as often as asked, and each remedy changes what it says and nothing else."""

from collections import Counter

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset
from sklearn.utils.class_weight import compute_sample_weight

from helpers import fit
from helpers.book import spurious
from helpers.errors import InputError


@pytest.fixture
def rows() -> Dataset:
    labels = [0] * 40 + [1] * 60
    return Dataset.from_dict({"text": [f"text {i}" for i in range(100)], "label": labels, "place": range(100)})


def cells(rows: Dataset) -> Counter:
    return Counter(zip(rows["label"], spurious.agreement(rows).tolist(), strict=True))


def test_the_shares_are_those_that_were_asked_for(rows):
    planted = spurious.planted(rows, share=0.5, tied=0.9, seed=3)
    assert cells(planted) == {(0, -1): 20, (0, 1): 18, (0, 0): 2, (1, -1): 30, (1, 1): 27, (1, 0): 3}
    assert planted["place"] == rows["place"] and planted["label"] == rows["label"]
    other = spurious.planted(rows, seed=4)
    assert planted["outlet"] != other["outlet"] and planted["outlet"] == spurious.planted(rows, seed=3)["outlet"]


def test_the_text_says_what_the_column_says(rows):
    for row, plain in zip(spurious.planted(rows), rows["text"], strict=True):
        assert row["text"] == (spurious.OUTLETS[row["outlet"]] if row["outlet"] >= 0 else "") + plain


def test_each_text_stands_on_each_side(rows):
    sides = spurious.sides(rows)
    assert {name: set(spurious.agreement(part)) for name, part in sides.items()} == {
        "with": {1}, "against": {0}, "without": {-1}
    }  # fmt: skip
    assert sides["without"]["text"][:] == rows["text"][:]
    assert all(part["label"][:] == rows["label"][:] for part in sides.values())


def test_rebalancing_leaves_the_number_of_rows_and_what_has_no_outlet(rows):
    planted = spurious.planted(rows)
    even = spurious.rebalanced(planted, seed=1)
    assert cells(even) == {(0, -1): 20, (0, 1): 10, (0, 0): 10, (1, -1): 30, (1, 1): 15, (1, 0): 15}
    assert set(even["text"]) <= set(planted["text"])
    rare = {text for text, side in zip(planted["text"], spurious.agreement(planted), strict=True) if side == 0}
    assert rare <= set(even["text"]), "no rare row is lost"


def test_weights_are_even_between_the_sides_and_one_on_average(rows):
    planted = spurious.weighted(spurious.planted(rows))
    weights, labels, sides = np.array(planted["weight"]), np.array(planted["label"]), spurious.agreement(planted)
    assert weights.mean() == pytest.approx(1) and set(weights[sides == -1]) == {1.0}
    for label in (0, 1):
        both = [weights[(labels == label) & (sides == side)].sum() for side in (0, 1)]
        assert both[0] == pytest.approx(both[1])


def test_eq_group_weights_are_the_balanced_weights_of_scikit_learn_within_a_label(rows):
    planted = spurious.planted(rows, share=0.7, tied=0.8)
    weights = np.array(spurious.weighted(planted)["weight"])
    labels, sides = np.array(planted["label"]), spurious.agreement(planted)
    for label in (0, 1):
        mine = (labels == label) & (sides >= 0)
        assert np.allclose(weights[mine], compute_sample_weight("balanced", sides[mine]))


def test_a_counterfactual_text_has_both_outlets_and_one_label(rows):
    both = spurious.counterfactual(spurious.planted(rows), seed=2)
    assert 98 <= len(both) <= 100
    found = {}
    for row in both:
        found.setdefault(row["place"], []).append(row)
    for place, versions in found.items():
        outlets = sorted(row["outlet"] for row in versions)
        assert outlets in ([-1], [0, 1]), "a text is there whole"
        assert {row["label"] for row in versions} == {rows["label"][place]}
        assert {
            row["text"].removeprefix(spurious.OUTLETS[row["outlet"]]) for row in versions if row["outlet"] >= 0
        } <= {rows["text"][place]}


def test_without_a_row_that_disagrees_there_is_nothing_to_balance(rows):
    one_sided = spurious.planted(rows, tied=1.0)
    for remedy in (spurious.rebalanced, spurious.weighted):
        with pytest.raises(InputError, match="disagree"):
            remedy(one_sided)


def test_a_new_last_layer_reads_what_the_labels_go_with():
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    features = random.normal(size=(200, 5))
    features[:, 3] += 6 * labels
    model = spurious.last_layer(features, labels)
    assert model.score(features, labels) > 0.97 and np.abs(model.coef_[0]).argmax() == 3


def test_a_weight_of_two_counts_like_a_row_that_stands_there_twice():
    rows, task = tiny.rows(8), spurious.Weighted(tiny.TASK.labels, tiny.TASK.max_length)
    model = tiny.model(dropout=0.0)

    def loss(part: Dataset) -> torch.Tensor:
        encoded = task.encode(tiny.tokenizer(), part)
        return task.loss(model, task.collate(list(encoded), 0))

    twice = rows.select([0, *range(8)])
    once = loss(rows.add_column("weight", [2.0] + [1.0] * 7))
    assert once.item() == pytest.approx(loss(twice.add_column("weight", [1.0] * 9)).item(), rel=1e-5)
    assert once.item() == pytest.approx(tiny.TASK.loss(model, _plain(twice)).item(), rel=1e-5)


def _plain(rows: Dataset) -> dict:
    return tiny.TASK.collate(list(tiny.TASK.encode(tiny.tokenizer(), rows)), 0)


def test_weights_reach_training_and_prediction_needs_none():
    rows, task = tiny.rows(32), spurious.Weighted(tiny.TASK.labels, tiny.TASK.max_length)
    runs = []
    for first in (1.0, 0.0):
        part = rows.add_column("weight", [first] * 16 + [2.0 - first] * 16)
        runs.append(fit(task, tiny.model(), tiny.tokenizer(), part, part, tiny.recipe(epochs=1)).predict(rows))
    assert runs[0].shape == (32, 2) and np.abs(runs[0] - runs[1]).max() > 1e-4
