"""Requests and look-alikes: as counted, and nothing of the test is trained on."""

import re

import pandas as pd
import pytest

from helpers import corpora
from helpers.corpora import lookalikes, requests
from helpers.data import splits
from helpers.errors import InputError


@pytest.fixture(scope="module")
def corpus():
    return corpora.load("requests")


def texts(corpus) -> pd.Series:
    return pd.concat([pd.Series(part["text"][:]) for part in corpus.data.values()], ignore_index=True)


def test_every_request_is_used_or_counted_as_removed(corpus):
    own = len(lookalikes.rows(lookalikes.TEST)) + len(lookalikes.rows(lookalikes.CONTRAST))
    assert sum(corpus.card.rows.values()) - own + sum(corpus.card.removed.values()) == 176 + 248 + 243
    assert corpus.card.labels["test"] == {"harmful": 100, "harmless": len(lookalikes.rows(lookalikes.TEST))}


def test_no_text_and_no_group_stands_in_two_splits_not_even_with_a_few_words_changed(corpus):
    groups = [set(part["group"]) for part in corpus.data.values()]
    assert not groups[0] & groups[1]
    everything = texts(corpus)
    assert not splits.normalised(everything).duplicated().any()
    harmful = pd.Series([t for p in corpus.data.values() for t, y in zip(p["text"], p["label"], strict=True) if y])
    assert len(set(splits.near_duplicates(harmful, words=3))) == len(harmful)


def test_the_test_asks_for_one_kind_alone_and_the_rest_of_it_is_for_training(corpus):
    kinds = {
        split: pd.Series([requests.kind_of(group) for group in part["group"]]).value_counts()
        for split, part in corpus.data.items()
    }
    assert set(kinds["test"].index) == {requests.TESTED, "look-alike"}
    assert set(kinds["train"].index) == {*requests.CATEGORIES, "look-alike"}
    assert kinds["train"][requests.TESTED] > 100


@pytest.mark.parametrize(
    ("words", "questions"),
    [(lookalikes.TEST, lookalikes.CONTRAST), (lookalikes.CONTRAST, lookalikes.TEST)],
    ids=["of the test", "for training"],
)
def test_a_word_that_sounds_like_harm_is_in_one_set_alone(words, questions):
    for word in words:
        found = [text for text, _ in lookalikes.rows(questions) if re.search(rf"\b{word}", text, re.IGNORECASE)]
        assert not found, (word, found)


def test_the_rows_are_the_same_each_time(corpus):
    assert corpora.load("requests").card.sha256 == corpus.card.sha256


def test_a_path_is_refused_with_the_remedy():
    with pytest.raises(InputError, match="not of 'x'; leave it out"):
        corpora.load("requests", path="x")
