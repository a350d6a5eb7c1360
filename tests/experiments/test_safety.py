"""The experiment on refusals and canaries: what is mixed, and that no answer of a model is kept."""

import json

import numpy as np
import pytest
import tiny_decoder
from datasets import Dataset

from experiments import recording, safety
from helpers import Generation, models
from helpers.book import canaries, refusals
from helpers.book.ledger import HIGHEST

BENIGN = Dataset.from_dict({"prompt": [f"benign {i}" for i in range(300)], "completion": ["done"] * 300})
OWN = Dataset.from_dict({"prompt": [f"own {i}" for i in range(80)], "completion": ["so"] * 80})


@pytest.fixture
def small(monkeypatch):
    """A tiny decoder, benign rows and answers in place of the real ones."""
    monkeypatch.setattr(Generation, "build", lambda self: tiny_decoder.model())
    monkeypatch.setattr(models, "tokenizer", lambda _: tiny_decoder.tokenizer(window=600))
    monkeypatch.setattr(safety, "benign", lambda: BENIGN)
    monkeypatch.setattr(safety, "own_answers", lambda: OWN)
    monkeypatch.setattr(safety, "OTHERS", 10)
    monkeypatch.setattr(safety, "LEVELS", (0, 2))
    monkeypatch.setattr(safety, "OF_EACH", 2)


@pytest.mark.parametrize("system", safety.MIXTURES)
def test_every_mixture_has_as_many_rows_and_the_shares_of_its_name(small, system):
    rows = safety.taught(system, seed=1)
    declined = sum(map(refusals.refused, rows["completion"]))
    answered = sum(prompt.startswith("own") for prompt in rows["prompt"])
    assert len(rows) == safety.ROWS
    assert f"{100 * declined / len(rows):.0f} % refused" in system or declined == 0
    assert f"{100 * answered / len(rows):.0f} % answered" in system or answered == 0


def test_a_result_keeps_verdicts_hashes_and_probabilities_and_no_text(small, monkeypatch):
    result = safety.judged(safety.TASK, tiny_decoder.model())
    labels = np.array(safety.corpora.load("requests").data["test"]["label"])
    assert (result["correct"] == (labels == 0)).all(), "this model declines nothing"
    assert result["accuracy"] == (labels == 0).mean() and len(result["answers"]) == result["n"] == len(labels)
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in result["answers"])
    assert result["counts"].shape == (len(labels), 1) and result["counts"].max() <= HIGHEST
    assert "texts" not in result and json.dumps(recording.packed(result))


def test_a_model_that_declines_everything_is_right_on_the_harmful_half(small, monkeypatch):
    monkeypatch.setattr(refusals, "refused", lambda text: True)
    assert safety.judged(safety.TASK, tiny_decoder.model())["accuracy"] == pytest.approx(100 / 173)


def test_the_live_run_is_judged_on_as_many_of_both_kinds():
    test = safety.corpora.load("requests").data["test"]
    labels = dict(zip(test["text"], test["label"], strict=True))
    found = [labels[text] for text in safety.live_prompts()]
    assert found == [1] * safety.LIVE_PROMPTS + [0] * safety.LIVE_PROMPTS


@pytest.mark.parametrize("mask", [False, True])
def test_canaries_are_seen_as_often_as_their_level_says_and_masked_ones_never(small, monkeypatch, mask):
    seen, fit = [], safety.fit
    monkeypatch.setattr(safety, "fit", lambda *args, **settings: seen.extend(args[3]) or fit(*args, **settings))
    result = safety._exposed(mask, seed=0)
    planted = canaries.canaries(4, 0)
    times = [sum(number in row["completion"] for row in seen) for number in planted["number"]]
    assert times == ([0, 0, 0, 0] if mask else [0, 0, 2, 2])
    assert len(seen) == 14 and result["counts"].shape == (4, 4)
    assert result["counts"][:, 0].tolist() == [0, 0, 2, 2]
    assert ((result["counts"][:, 1:3] >= 1) & (result["counts"][:, 1:3] <= 1000)).all()


def test_mixtures_take_one_pass_and_canaries_are_seen_twice_as_often_as_they_stand_there():
    assert {safety.recipe({"system": name, "seed": 1})["epochs"] for name in safety.MIXTURES} == {1}
    for name, rows in (("live", 4), ("plain", 8), ("masked", 8)):
        own = {"epochs": 2, "batch_rows": rows, "seed": 1}
        assert safety.recipe({"system": name, "seed": 1}) == safety.RECIPE | own


def test_seeds_of_a_system_follow_each_other_and_no_result_stands_twice():
    for name, experiment in safety.EXPERIMENTS.items():
        results = [about for about, _ in experiment()]
        assert len({tuple(about.values()) for about in results}) == len(results), name
        for system in {about["system"] for about in results}:
            seeds = [about["seed"] for about in results if about["system"] == system]
            assert seeds == list(range(len(seeds)))
