"""The reviews leak nothing, and their card tells what it must."""

import json

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from helpers import corpora
from helpers.data import splits
from helpers.errors import InputError


@pytest.fixture(scope="module")
def reviews():
    return corpora.load("reviews")


def test_the_reviews_are_as_counted(reviews):
    assert sum(reviews.card.rows.values()) + sum(reviews.card.removed.values()) == 12_808
    assert reviews.labels == ("rotten", "fresh")
    for split, count in reviews.card.rows.items():
        assert len(reviews.data[split]) == count
        assert sum(reviews.card.labels[split].values()) == count
    shares = [counts["fresh"] / sum(counts.values()) for counts in reviews.card.labels.values()]
    assert max(shares) - min(shares) < 0.02


def test_no_film_and_no_text_of_the_reviews_stands_in_two_splits(reviews):
    films = [set(part["group"]) for part in reviews.data.values()]
    texts = [set(splits.normalised(pd.Series(part["text"][:]))) for part in reviews.data.values()]
    for sets in (films, texts):
        assert sum(map(len, sets)) == len(set.union(*sets))
    assert sum(map(len, texts)) == sum(reviews.card.rows.values())


def test_a_film_under_two_titles_is_one_film(reviews):
    titles = {title for part in reviews.data.values() for title in part["group"]}
    assert len({"el_crimen_del_padre_amaro", "the_crime_of_padre_amaro"} & titles) == 1


def test_the_split_is_the_same_every_time(reviews):
    assert corpora.load("reviews").card.sha256 == reviews.card.sha256


def test_the_card_tells_what_it_must(reviews):
    told = json.loads(reviews.card.to_json())
    assert {"name", "source", "licence", "rows", "labels", "words", "removed", "split_rule", "sha256"} <= set(told)
    assert "by film" in reviews.card.table().loc["split rule"].item()


def test_an_unknown_corpus_is_named_with_those_there_are():
    with pytest.raises(InputError, match=r"there is no corpus 'revues'; choose one of .*, docstrings, "):
        corpora.load("revues")


def test_the_gpu_scale_reads_the_hub_s_layout(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    for split, start in (("train", 0), ("test", 100)):
        rows = {"text": [f"film {i} was seen" for i in range(start, start + 60)], "label": [i % 2 for i in range(60)]}
        Dataset.from_dict(rows, features=features).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n"
        "      class_label:\n        names:\n          '0': neg\n          '1': pos\n---\n",
        encoding="utf-8",
    )
    found = corpora.load("reviews", path=str(tmp_path))
    assert found.labels == ("neg", "pos")
    assert found.card.rows["test"] == 60
    assert found.card.rows["train"] + found.card.rows["validation"] == 60
    assert isinstance(found.data, DatasetDict)
