"""The experiment on mail: what filters read, how much a run trains, and that a killed run goes on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from datasets import Dataset, concatenate_datasets

from experiments import mail, searching
from helpers import Classification, Recipe, assets, models
from helpers.book.ledger import HIGHEST
from helpers.training import job


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Tiny mails and a tiny model in place of the real ones."""
    scored = {"validation": tiny.rows(20, 1), "test": tiny.rows(30, 2), "misspelled 0.1": tiny.rows(10, 3)}
    splits = scored | {"train": tiny.rows(64)}
    monkeypatch.setattr(mail, "parts", lambda live: {"sample": scored["test"]} if live else scored)
    monkeypatch.setattr(
        mail, "judged", lambda tokens, live=False: concatenate_datasets(list(mail.parts(live).values()))
    )
    monkeypatch.setattr(mail, "pieces", lambda split, tokens: splits[split])
    monkeypatch.setattr(mail, "_task", lambda tokens: tiny.TASK)
    monkeypatch.setattr(mail.misspelling, "misspelled", lambda texts, *_, **__: ["w1"] * len(texts))
    monkeypatch.setattr(Classification, "build", lambda self, seed: tiny.model(seed))
    monkeypatch.setattr(models, "tokenizer", tiny.tokenizer)
    monkeypatch.setattr(mail, "embed", lambda body, tokenizer, texts, **_: np.stack([_words(text) for text in texts]))
    monkeypatch.setattr(models, "load", lambda _: None)
    mail._features.cache_clear()
    monkeypatch.setattr(assets, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(mail, "recipe", lambda about: tiny.recipe(epochs=1, seed=about["seed"]).to_dict())
    return tmp_path


def _words(text: str) -> np.ndarray:
    """How often each word of the tiny vocabulary stands in a text."""
    return np.array([text.split().count(word) for word in tiny.WORDS], float)


ABOUT = {"system": "fine-tuned", "train_rows": 64, "tokens": 32, "seed": 0}


@pytest.mark.parametrize("system", ["naive bayes", "tf-idf", "spambayes", "frozen", "fine-tuned", "hardened"])
def test_a_result_holds_the_score_of_each_mail_in_the_order_of_its_parts(small, system):
    result = mail._scores(ABOUT | {"system": system})
    assert result["parts"] == {"validation": 20, "test": 30, "misspelled 0.1": 10} and result["n"] == 60
    labels = np.array(mail.judged(32, False)["label"])
    flagged = result["counts"][:, 0] / HIGHEST >= 0.5
    assert (result["correct"] == (flagged == labels)).mean() > 0.98, "but for what is rounded"
    shares, ranks = result["counts"].T
    order = np.argsort(ranks)
    assert (np.diff(shares[order]) >= 0).all() and ranks.max() < 60, "what is likelier ranks higher"
    assert result["accuracy"] == result["correct"].mean()
    assert not any(small.rglob("*.training"))


def test_a_frozen_body_is_taught_the_mails_that_were_drawn(small, monkeypatch):
    taught = mail._taught(ABOUT | {"train_rows": 20, "seed": 4})
    seen = []
    monkeypatch.setattr(mail.baselines, "regression", lambda features, *_: seen.append(features) or np.zeros((60, 2)))
    mail._frozen(ABOUT | {"train_rows": 20, "seed": 4})
    assert (seen[0][0] == [_words(text) for text in taught["text"]]).all()


def test_the_live_run_scores_a_sample_and_needs_no_validation(small):
    result = mail._scores(ABOUT | {"system": "live"})
    assert result["parts"] == {"sample": 30} and result["n"] == 30 and "epoch" not in result


def test_a_killed_run_goes_on_and_ends_with_the_same_scores(small, monkeypatch):
    whole, seed_step = mail._scores(ABOUT), job.seed_step

    def killed(run, step):
        if step == 1:
            raise SystemExit
        seed_step(run, step)

    monkeypatch.setattr(job, "seed_step", killed)
    with pytest.raises(SystemExit):
        mail._scores(ABOUT)
    seen = []
    monkeypatch.setattr(job, "seed_step", lambda run, step: seen.append(step) or seed_step(run, step))
    assert (mail._scores(ABOUT)["counts"] == whole["counts"]).all()
    assert seen == [1]


@pytest.mark.parametrize("rows", [mail.ALL, mail.FEW])
def test_the_search_that_had_as_many_mails_chooses_the_recipe(monkeypatch, rows):
    found = Recipe(**mail.RECIPE, learning_rate=2e-4, epochs=4)
    asked = []
    recorded = SimpleNamespace(where=lambda **about: asked.append(about) or SimpleNamespace(recipe=lambda: found))
    monkeypatch.setattr(searching.ledger, "read", lambda name: recorded)
    chosen = searching.complete(mail.recipe(ABOUT | {"train_rows": rows, "seed": 3}))
    assert asked == [{"system": "search", "train_rows": rows}]
    assert chosen == replace(found, seed=3)
    assert min(mail.LENGTHS[rows]) * -(-rows // chosen.batch_rows) >= 150


def test_every_filter_is_given_the_same_food_in_some_arm():
    arms = {tuple(about.values())[:3] for about, _ in mail.mail_scores()}
    for system, rows, tokens in arms:
        if system in ("fine-tuned", "frozen"):
            assert {(name, rows, tokens) for name in mail.CLASSICAL} <= arms
    tuned = [tuple(about.values())[1:] for about, _ in mail.mail_scores() if about["system"] == "fine-tuned"]
    arms = ((mail.ALL, mail.LONG), (mail.ALL, mail.SHORT), (mail.FEW, mail.SHORT))
    assert sorted(tuned) == sorted((*arm, seed) for arm in arms for seed in range(5))


def test_all_mails_are_as_many_as_the_corpus_has():
    assert len(mail.pieces("train", mail.WHOLE)) == mail.ALL
    short = mail.pieces("validation", mail.SHORT)
    assert isinstance(short, Dataset)
    longest = max(map(len, mail._task(mail.LONG).encode(models.tokenizer(), short)["input_ids"]))
    assert longest <= mail.SHORT + 2
