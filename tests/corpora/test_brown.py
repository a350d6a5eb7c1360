"""The Brown corpus is split as its card says, and its plain texts have no tags."""

import re
from itertools import pairwise

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from helpers import corpora
from helpers.corpora import brown
from helpers.data import splits
from helpers.errors import InputError


def test_brown_as_plain_text_has_no_tags_and_normal_spacing():
    texts = brown.plain_texts("news")
    assert len(texts) == 44
    assert texts[0].startswith("The Fulton County Grand Jury said Friday an investigation of Atlanta's recent")
    whole = " ".join(texts)
    assert not re.search(r"\s[.,;:?!]|``|''|\w/[a-z]{2,3}\b", whole)
    assert 70_000 < len(whole.split()) < 110_000


def test_an_unknown_genre_of_brown_is_named():
    with pytest.raises(InputError, match="Brown has no genre 'poetry'; choose from adventure, belles_lettres"):
        brown.plain_texts("poetry")


@pytest.fixture(scope="module")
def found():
    return corpora.load("brown")


def test_the_brown_corpus_is_as_counted(found):
    assert sum(found.card.rows.values()) + sum(found.card.removed.values()) == 57_340
    words = sum(sum(counts.values()) for counts in found.card.labels.values())
    assert 1_130_000 < words < 1_161_192
    assert found.labels == ("O", "B-NAME", "I-NAME")


def test_no_document_and_no_sentence_stands_in_two_splits(found):
    documents = [set(part["group"]) for part in found.data.values()]
    texts = [set(splits.normalised(pd.Series(part["tokens"][:]).str.join(" "))) for part in found.data.values()]
    for sets in (documents, texts):
        assert sum(map(len, sets)) == len(set.union(*sets))


def test_no_genre_of_the_test_set_is_seen_in_training(found):
    letters = {name: {document[1] for document in part["group"]} for name, part in found.data.items()}
    assert letters["test"] == set("klmnpr")
    assert letters["train"] == letters["validation"] == letters["in_genre"] == set("abcdefghj")


def test_a_name_is_a_run_of_proper_nouns(found):
    assert brown.names(["np", "np-tl", "nn", "np$", "jj-tl", "fw-np"]) == [
        "B-NAME", "I-NAME", "O", "B-NAME", "O", "B-NAME",
    ]  # fmt: skip
    for row in found.data["validation"]["tags"]:
        assert all(now != 2 or before in (1, 2) for before, now in pairwise([0, *row]))


def test_conll_2003_is_read_from_the_hub_s_layout(tmp_path):
    kinds = ["O", "B-PER", "I-PER"]
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=kinds))})
    part = Dataset.from_dict({"tokens": [["Mary", "Ann"], ["ran"]], "ner_tags": [[1, 2], [0]]}, features=features)
    read = brown.conll2003(DatasetDict({name: part for name in ("train", "validation", "test")}))
    assert read.labels == tuple(kinds) and read.data["test"]["tags"][0] == [1, 2]
