"""The experiment on Chinese reviews: equal food for all, and what is kept gives the scores."""

import numpy as np
import pandas as pd
import pytest
import tiny

from experiments import chinese, derivation, recording
from helpers import Classification, Recipe, models
from helpers.book import ledger
from helpers.book.ledger import Results


def test_all_read_the_same_part_of_the_same_reviews():
    test = chinese.part("test")
    assert max(map(len, test["text"])) == chinese.READ
    assert test["place"][:] == list(range(len(test)))
    small, large = ({*chinese.drawn({"train_rows": rows, "seed": 1})["place"]} for rows in (250, 1000))
    assert small < large
    assert not set(test["text"]) & set(chinese.part("choosing")["text"])


def test_every_trained_size_has_steps_enough():
    for rows, lengths in chinese.LENGTHS.items():
        assert -(-rows // lengths["batch_rows"]) * lengths["epochs"] >= 150
    assert chinese.SEARCHED in chinese.LENGTHS and set(chinese.LENGTHS) < set(chinese.SIZES)


def test_characters_are_counted_where_no_blank_stands(monkeypatch):
    rows = tiny.rows(60, 0)
    glued = rows.map(lambda row: {"text": row["text"].replace(" ", "")})
    for words, least, most in ((False, 0.9, 1.0), (True, 0.0, 0.8)):
        found = chinese.characters(
            glued,
            glued.select(range(20)),
            tiny.rows(60, 1).map(lambda row: {"text": row["text"].replace(" ", "")}),
            words=words,
        )
        right = found.argmax(-1) == np.array(tiny.rows(60, 1)["label"])
        assert least <= right.mean() <= most


def test_pieces_stay_as_they_are_in_the_multilingual_encoder_alone(monkeypatch):
    monkeypatch.setattr(Classification, "build", lambda self, role, seed: tiny.model(seed))
    monkeypatch.setattr(models, "tokenizer", lambda role: tiny.tokenizer())
    before = tiny.model(0).get_input_embeddings().weight
    for role in ("multilingual", "encoder"):
        run = chinese.fine_tuned(role, tiny.rows(60, 0), tiny.rows(20, 1), tiny.recipe(epochs=1, seed=0))
        after = run.model.get_input_embeddings().weight
        assert np.array_equal(before.detach(), after.detach()) == (role == "multilingual")


@pytest.mark.parametrize(("name", "system"), [(chinese.NAME, "multilingual"), (chinese.ENGLISH, "english")])
def test_a_result_keeps_a_probability_of_each_review(monkeypatch, name, system):
    parts = {"train": tiny.rows(60, 0), "choosing": tiny.rows(20, 1), "test": tiny.rows(30, 2)}
    monkeypatch.setattr(chinese, "part", parts.get)
    monkeypatch.setattr(Classification, "build", lambda self, role, seed: tiny.model(seed))
    monkeypatch.setattr(models, "tokenizer", lambda role: tiny.tokenizer())
    monkeypatch.setattr(ledger, "read", lambda name: Results(pd.DataFrame([{"system": "search", "recipe": search}])))
    search = Recipe(learning_rate=1e-2).to_dict()
    about = {"system": system, "train_rows": 250, "seed": 0}
    found = chinese._tuned(name, about)
    row = Results(pd.DataFrame([recording.packed(found | about)]))
    assert derivation.kept(row)["accuracy"].value() == found["accuracy"]
    assert row.probabilities().shape == (1, 30)
    assert np.array_equal((row.probabilities() > 0.5)[0] == np.array(parts["test"]["label"]), row.correct()[0])
    assert found["recipe"]["learning_rate"] == 1e-2 and found["recipe"]["epochs"] == 5


def test_the_order_begins_with_what_the_others_need():
    for name, generator in chinese.EXPERIMENTS.items():
        trained = [about for about, _ in generator() if about["system"] not in chinese.COUNTED]
        assert trained[0]["system"] == "search" and trained[1]["train_rows"] == chinese.SEARCHED
        assert len({tuple(about.items()) for about in trained}) == 10
        assert name in chinese.MODEL
