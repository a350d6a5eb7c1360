"""The sentences with and without a stereotype: no target on two sides, versions in place."""

import pytest

from helpers import corpora
from helpers.corpora.stereotypes import VERSIONS
from helpers.errors import InputError


@pytest.fixture(scope="module")
def corpus():
    return corpora.load("stereotypes")


def test_the_sentences_are_as_counted(corpus):
    # StereoSet's public half has 2,106 single sentences and 2,123 continuations.
    stereoset = corpus.card.rows["train"] + corpus.card.rows["test"]
    assert stereoset + sum(corpus.card.removed.values()) == 2_106 + 2_123
    assert corpus.card.rows == {name: len(part) for name, part in corpus.data.items()}
    assert corpus.card.rows["pairs"] == 1_018 and corpus.card.rows["test"] > 1_000


def test_no_target_is_learnt_and_judged(corpus):
    train, test = (set(corpus.data[name]["target"]) for name in ("train", "test"))
    assert not train & test and len(train | test) == 79
    assert {*corpus.data["train"]["kind"]} == {*corpus.data["test"]["kind"]}


def test_the_versions_of_a_sentence_differ_in_a_word(corpus):
    for name, most in (("test", 3), ("pairs", 12)):
        rows = corpus.data[name]
        versions = [column for column in VERSIONS if column in rows.column_names]
        for row in rows:
            texts = [row[column].split() for column in versions]
            assert all(texts) and len({" ".join(text) for text in texts}) > 1
            assert len(set(texts[0]) ^ set(texts[1])) <= 2 * most
    assert not any("[MASK]" in text or "BLANK" in text for part in corpus.data.values() for text in part["stereotype"])


def test_it_is_read_from_its_package_alone(corpus, tmp_path):
    assert corpora.load("stereotypes").card.sha256 == corpus.card.sha256
    with pytest.raises(InputError, match="leave it out"):
        corpora.load("stereotypes", path=str(tmp_path))
