"""The experiment on Chinese reviews: equal food for all, and what is kept gives the scores."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

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
    assert chinese.SEARCHED in chinese.LENGTHS and set(chinese.LENGTHS) == set(chinese.SIZES)


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


def test_the_list_of_pieces_and_the_lower_layers_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(Classification, "build", lambda self, role, seed: tiny.model(seed))
    monkeypatch.setattr(models, "tokenizer", lambda role: tiny.tokenizer())
    before, settings = tiny.model(0), {"learning_rate": 1e-2, "epochs": 1, "seed": 0}
    for role in ("multilingual", "encoder"):
        after = chinese.fine_tuned(role, tiny.rows(60, 0), Recipe(**settings, trainable=1)).model
        parts = [[model.get_input_embeddings(), *model.bert.encoder.layer] for model in (before, after)]
        same = [all(map(torch.equal, a.parameters(), b.parameters())) for a, b in zip(*parts, strict=True)]
        assert same == [True, True, False]
    for rows in chinese.LENGTHS:
        assert chinese.recipe({"system": "english", "train_rows": rows, "seed": 0})["trainable"] == chinese.LAYERS


def test_trained_systems_are_judged_on_some_of_the_reviews_of_the_others():
    judged, test = chinese.judged(), chinese.part("test")
    assert len(judged) == chinese.TESTED
    assert judged["text"][:] == [test[place]["text"] for place in judged["place"]]


@pytest.mark.parametrize("system", ["multilingual", "english"])
def test_a_result_keeps_a_probability_of_each_review(monkeypatch, system):
    parts = {"train": tiny.rows(60, 0), "choosing": tiny.rows(20, 1), "test": tiny.rows(30, 2)}
    monkeypatch.setattr(chinese, "part", parts.get)
    monkeypatch.setattr(chinese, "TESTED", 25)
    monkeypatch.setattr(chinese, "LAYERS", 1)
    monkeypatch.setattr(Classification, "build", lambda self, role, seed: tiny.model(seed))
    monkeypatch.setattr(models, "tokenizer", lambda role: tiny.tokenizer())
    monkeypatch.setattr(ledger, "read", lambda name: Results(pd.DataFrame([{"system": "search", "recipe": search}])))
    search = Recipe(learning_rate=1e-2).to_dict()
    about = {"system": system, "train_rows": 250, "seed": 0}
    found = chinese._tuned(about)
    row = Results(pd.DataFrame([recording.packed(found | about)]))
    assert derivation.kept(row)["accuracy"].value() == found["accuracy"]
    assert row.probabilities().shape == (1, 25)
    labels = np.array(chinese.judged()["label"])
    assert np.array_equal((row.probabilities() > 0.5)[0] == labels, row.correct()[0])
    assert found["recipe"]["learning_rate"] == 1e-2 and found["recipe"]["epochs"] == 5


def test_a_search_comes_before_what_needs_its_rate():
    for name, generator in chinese.EXPERIMENTS.items():
        trained = [about for about, _ in generator() if about["system"] not in chinese.COUNTED]
        places = {about["system"]: place for place, about in reversed(list(enumerate(trained)))}  # each one's first
        searches = {name for name in places if name.startswith("search")}
        assert searches == {"search"} | ({"search of whole"} if "whole" in places else set())
        assert places["search"] == 0 and places.get("search of whole", -1) < places.get("whole", 0)
        assert all(each["train_rows"] == chinese.SEARCHED for each in trained if each["system"] in searches)
        kinds = {(about["system"], about["train_rows"]) for about in trained if about["system"] not in searches}
        assert len({tuple(about.items()) for about in trained}) == len(trained) == len(searches) + 3 * len(kinds)
        assert name in chinese.MODEL
