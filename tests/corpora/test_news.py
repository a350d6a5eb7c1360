"""News leaks nothing, and posts from elsewhere carry the sections' names."""

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from helpers import corpora
from helpers.corpora import news
from helpers.data import splits


@pytest.fixture(scope="module")
def articles():
    return corpora.load("news")


def test_the_articles_are_as_counted(articles):
    assert sum(articles.card.rows.values()) + sum(articles.card.removed.values()) == 2_225
    assert articles.labels == ("business", "entertainment", "politics", "sports", "tech")
    assert articles.card.rows["test"] == pytest.approx(515, abs=3)


def test_no_article_stands_in_two_splits_not_even_with_a_few_words_changed(articles):
    texts = [pd.Series(part["text"][:]) for part in articles.data.values()]
    everything = pd.concat(texts, ignore_index=True)
    assert not splits.normalised(everything).duplicated().any()
    assert len(set(splits.near_duplicates(everything))) == len(everything)


def test_posts_from_elsewhere_are_of_the_sections_that_have_a_newsgroup(articles):
    posts = news.elsewhere(articles.labels, rows=30)
    named = [posts.features["label"].names[label] for label in posts["label"]]
    assert pd.Series(named).value_counts().to_dict() == {"politics": 30, "sports": 30, "tech": 30}
    assert posts.features["label"].names == list(articles.labels)
    joined = " ".join(text for text, label in zip(posts["text"], named, strict=True) if label == "sports")
    assert "hockey" in joined


def test_the_posts_are_as_counted():
    posts = {part: news.posts_of(part) for part in ("train", "test")}
    assert sum(map(len, posts.values())) == 18_821
    assert [found["label"].nunique() for found in posts.values()] == [20, 20]


@pytest.mark.parametrize("labels", ["ids", "names"])
def test_the_gpu_scale_reads_the_hub_s_layout_with_ids_or_named_labels(tmp_path, labels):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["World", "Sports"])})
    for split, start in (("train", 0), ("test", 100)):
        rows = {
            "text": [f"event {i} took place" for i in range(start, start + 60)],
            "label": [i % 2 for i in range(60)],
        }
        if labels == "names":  # numbers with the names beside them
            rows["label_text"] = [["World", "Sports"][label] for label in rows["label"]]
        table = Dataset.from_dict(rows, features=features if labels == "ids" else None)
        table.to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    found = corpora.load("news", path=str(tmp_path))
    assert set(found.labels) == {"World", "Sports"}
    assert found.card.rows["test"] == 60
