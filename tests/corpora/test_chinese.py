"""The Chinese reviews leak nothing, though nothing separates their words."""

import pandas as pd
import pytest

from helpers import corpora
from helpers.data import splits
from helpers.errors import InputError


@pytest.fixture(scope="module")
def chinese():
    return corpora.load("chinese")


def test_the_lines_are_as_counted(chinese):
    assert sum(chinese.card.rows.values()) + sum(chinese.card.removed.values()) == 35_124
    assert chinese.labels == ("negative", "positive")
    shares = [counts["positive"] / sum(counts.values()) for counts in chinese.card.labels.values()]
    assert max(shares) - min(shares) < 0.01


def test_no_text_stands_in_two_splits(chinese):
    texts = [set(splits.normalised(pd.Series(part["text"][:]))) for part in chinese.data.values()]
    assert sum(map(len, texts)) == len(set.union(*texts)) == sum(chinese.card.rows.values())


def test_no_text_nearly_repeats_another(chinese):
    """Half of all runs of five characters: what would be words elsewhere."""
    texts = [text for part in chinese.data.values() for text in part["text"]]
    kept = {text.replace(" ", "") for text in texts}
    assert len(kept) == len(texts)
    cluster = splits.near_duplicates(pd.Series(texts).map(" ".join))
    assert len(set(cluster)) == len(texts)


def test_rows_keep_their_spelling_and_are_not_spaced(chinese):
    first = chinese.data["test"]["text"][:200]
    assert sum(text.count(" ") for text in first) < 0.02 * sum(map(len, first))
    assert any("\N{FULLWIDTH COMMA}" in text for text in first)


def test_a_path_is_refused():
    with pytest.raises(InputError, match=r"^the corpus 'chinese' is read from its package, not from 'here'; leave it"):
        corpora.load("chinese", path="here")
