"""Results on news by how their labels were drawn."""

import json

import pytest

from helpers.book import articles, ledger


@pytest.fixture
def record(tmp_path, monkeypatch):
    def write(*rows):
        usual = {"tokens": 64, "drawn": "random", "posts": 0, "seed": 0}
        lines = [json.dumps(usual | row) for row in rows]
        (tmp_path / "news-few.jsonl").write_text("\n".join(lines), encoding="utf-8")

    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)
    return write


def test_what_reads_other_parts_of_an_article_has_another_name_and_what_reads_more_is_left_out(record):
    record({"system": "tf-idf", "tokens": "all"}, {"system": "tf-idf"}, {"system": "fine-tuned", "tokens": 256})
    assert articles.drawn()["system"].tolist() == ["tf-idf, whole", "tf-idf, 64 tokens"]


def test_the_live_run_is_the_fine_tuning_of_even_labels(record):
    record({"system": "live", "drawn": "balanced"}, {"system": "fine-tuned"})
    assert articles.drawn("balanced")["system"].tolist() == ["fine-tuned"]


def test_searches_and_what_learnt_from_posts_are_left_out_and_draws_stand_in_their_order(record):
    record(
        {"system": "search", "drawn": None, "posts": None},
        {"system": "centroid", "seed": 1},
        {"system": "centroid", "posts": 50},
        {"system": "centroid", "seed": 0},
    )
    assert articles.drawn()["seed"].tolist() == [0, 1]
