"""The rates of ways to teach a decoder: validation chooses, and the repeats are of the chosen one."""

import json

import pytest

from helpers.book import ledger, writers


@pytest.fixture
def record(tmp_path, monkeypatch):
    rows = [
        {"system": "full", "changes": {}, "train_rows": rows, "rate": rate, "seed": seed, "validation": likely}
        for rows, rate, seed, likely in (
            (900, 1e-4, 0, -0.3),
            (900, 3e-5, 0, -0.2),
            (900, 3e-4, 0, -0.2),
            (900, 3e-5, 1, -0.9),
            (100, 3e-5, 0, -0.1),
        )
    ]
    rows.append(rows[0] | {"system": "lora", "changes": {"lora_rank": 8}, "general": [[-3.0, 2], [-1.5, 1]]})
    (tmp_path / "gpt-json.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)


def test_the_search_is_on_all_rows_and_of_equal_rates_the_first_is_chosen(record):
    found = writers.search("full")
    assert found["rate"].tolist() == [1e-4, 3e-5, 3e-4]
    assert writers.chosen_rate(found) == 3e-5


def test_the_chosen_rate_brings_its_repeats_on_all_rows_or_on_some(record):
    assert writers.chosen("full")["seed"].tolist() == [0, 1]
    assert writers.chosen("full", train_rows=100)["validation"].tolist() == [-0.1]


def test_log_p_of_ordinary_text_comes_with_its_tokens(record):
    assert writers.ordinary(writers.chosen("lora", {"lora_rank": 8})).tolist() == [[[-3.0, 2.0], [-1.5, 1.0]]]
