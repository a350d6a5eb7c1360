"""The experiments on bias: every arm has its food, the last layer its run's body, and what is kept gives the scores."""

import numpy as np
import pandas as pd
import pytest
import tiny
from datasets import concatenate_datasets

from experiments import bias, derivation, recording
from helpers import Classification, models
from helpers.book import spurious
from helpers.book.ledger import Results


@pytest.fixture
def small(monkeypatch):
    """Tiny reviews and a tiny model in place of the real ones, and the rows that each run was given."""
    seen = []

    def fit(task, model, tokenizer, train, choosing, recipe):
        seen.append((task, train, choosing))
        return actual(task, model, tokenizer, train, choosing, tiny.recipe(epochs=1, seed=recipe.seed))

    actual = bias.fit
    monkeypatch.setattr(bias, "taught", lambda rows, seed: spurious.planted(tiny.rows(rows, seed), seed=seed))
    monkeypatch.setattr(bias, "balanced", lambda seed: spurious.planted(tiny.rows(40, 9), share=1, tied=0.5))
    sides = spurious.sides(tiny.rows(30, 7))
    monkeypatch.setattr(bias, "judged", lambda live: concatenate_datasets(list(sides.values())))
    monkeypatch.setattr(Classification, "for_corpus", lambda corpus: tiny.TASK)
    monkeypatch.setattr(Classification, "build", lambda self, seed: tiny.model(seed))
    monkeypatch.setattr(models, "tokenizer", tiny.tokenizer)
    monkeypatch.setattr(bias, "fit", fit)
    bias._run.cache_clear()
    yield seen
    bias._run.cache_clear()


def result(system: str, rows: int = 120, seed: int = 0) -> dict:
    return bias._outlet_result({"system": system, "train_rows": rows, "seed": seed})


@pytest.mark.parametrize("system", [*bias.ARMS, "live", "live last layer"])
def test_a_result_holds_a_verdict_on_each_text_of_each_side(small, system):
    found = result(system)
    assert found["n"] == 90 == len(found["correct"])
    row = Results(pd.DataFrame([recording.packed(found | {"system": system})]))
    assert derivation.kept(row)["accuracy"].value() == found["accuracy"]
    assert ("recipe" in found) == (not system.endswith("last layer"))


def test_every_arm_is_given_as_many_rows_and_the_same_to_choose_on(small):
    for system in ("usual", "rebalanced", "weighted", "counterfactual"):
        result(system)
    sizes = [len(train) for _, train, _ in small]
    assert max(sizes) - min(sizes) <= 1
    assert len({tuple(choosing["text"]) for *_, choosing in small}) == 1
    assert [type(task).__name__ for task, *_ in small] == ["Classification"] * 2 + ["Weighted", "Classification"]


def test_the_last_layer_stands_on_the_run_that_was_just_trained(small):
    result("usual"), result("last layer")
    assert len(small) == 1, "the same body"
    result("live last layer")
    assert len(small) == 2


def test_the_order_gives_a_page_early():
    abouts = [about for about, _ in bias.outlets()]
    first = [about for about in abouts if about["seed"] == 0]
    assert abouts[: len(first)] == first and {*bias.ARMS, "live"} <= {about["system"] for about in first}
    for experiment in bias.EXPERIMENTS.values():
        keys = [tuple(sorted(about.items())) for about, _ in experiment()]
        assert len(keys) == len(set(keys))


def test_what_is_kept_of_stereotypes_and_swaps_gives_their_scores():
    scores = np.array([[310, 400, 900], [500, 400, 450], [300, 300, 200]])
    row = {"stereotype_share": 0.5, "sensible_share": 0.5, "n": 3, "counts": scores}
    kept = derivation.kept(Results(pd.DataFrame([recording.packed(row)])))
    assert kept["stereotype_share"].value() == 0.5 and kept["sensible_share"].value() == pytest.approx(
        (1 + 0.5 + 0) / 3
    )
    counts = recording.probability_counts(np.array([[0.9, 0.2, 0.9], [0.7, 0.6, 0.1]]))
    kept = derivation.kept(Results(pd.DataFrame([recording.packed({"turned": 0.5, "n": 2, "counts": counts})])))
    assert kept["turned"].value() == 0.5


def test_a_decoder_is_taught_the_version_that_its_name_says():
    lessons = {system: bias._lesson(system, 0)[1] for system in ("stereotypes", "anti-stereotypes", "instructions")}
    assert {len(rows) for rows in lessons.values()} == {bias.SENTENCES}
    first, second = lessons["stereotypes"], lessons["anti-stereotypes"]
    assert first["prompt"][:] == second["prompt"][:] and first["completion"][:] != second["completion"][:]
    assert all(len(text.split()) <= bias.MOST_WORDS for text in lessons["instructions"]["prompt"])


def test_people_are_the_rows_that_change():
    rows = bias.corpora.load("reviews").data["test"].select(range(200))
    found, versions = bias.people(rows)
    assert 0 < len(found) < len(rows) and {len(texts) for texts in versions} == {len(found)}
    assert all(a != b for a, b in zip(versions[0], versions[1], strict=True))
