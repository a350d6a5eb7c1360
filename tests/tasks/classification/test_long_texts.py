"""Pieces of long texts fit the limit, are cut between tokens, and come from where they say."""

import pytest
import tiny
from datasets import Dataset

from helpers import models
from helpers.tasks.classification import long_texts

LIMIT = 16


@pytest.fixture(scope="module")
def tokenizer():
    return models.tokenizer("encoder")


@pytest.fixture
def texts():
    words = [f"number {i} unbelievable" for i in range(40)]
    return [
        "short",
        "",
        ", ".join(words),
        "exactly fourteen words one two three four five six seven eight nine ten yes no",
    ]


def length(tokenizer, text: str) -> int:
    return len(tokenizer(text)["input_ids"])


def test_the_head_is_the_longest_beginning_that_fits(tokenizer, texts):
    for text, piece in zip(texts, long_texts.head(tokenizer, texts, LIMIT), strict=True):
        assert text.startswith(piece)
        assert tokenizer(piece)["input_ids"] == tokenizer(text, truncation=True, max_length=LIMIT)["input_ids"]


def test_head_and_tail_fit_together_and_a_text_that_fits_stays_whole(tokenizer, texts):
    pieces = long_texts.head_and_tail(tokenizer, texts, LIMIT)
    assert pieces[:2] == texts[:2]
    first, _, last = pieces[2].partition(" ... ")
    assert texts[2].startswith(first)
    assert texts[2].endswith(last)
    assert length(tokenizer, pieces[2]) == LIMIT


def test_windows_follow_each_other_and_hold_every_token(tokenizer, texts):
    found = long_texts.windows(tokenizer, texts, LIMIT, most=100)
    assert found[:2] == [["short"], [""]]
    assert all(length(tokenizer, piece) <= LIMIT for pieces in found for piece in pieces)
    for text, pieces in zip(texts, found, strict=True):
        tokens = [token for piece in pieces for token in tokenizer.tokenize(piece)]
        assert tokens == tokenizer.tokenize(text)
    assert [len(pieces) for pieces in long_texts.windows(tokenizer, texts, LIMIT, most=2)] == [1, 1, 2, 2]


def test_a_data_set_keeps_its_other_columns(tokenizer):
    data = tiny.rows(5)
    found = long_texts.shortened(data, tokenizer, 8)
    assert found["label"][:] == data["label"][:]
    assert found.features["label"] == data.features["label"]
    assert found["text"][:] == long_texts.head(tokenizer, data["text"], 8)


@pytest.mark.parametrize("columns", [{}, {"label": [0, 1]}])
def test_texts_are_replaced_and_all_else_stays_whatever_else_there_is(columns):
    rows = long_texts.with_texts(Dataset.from_dict({"text": ["a", "b"], **columns}), ["c", "d"])
    assert rows.to_dict() == {"text": ["c", "d"], **columns}
