"""The rates of ways to teach a decoder: validation chooses, and the repeats are of the chosen one."""

import json

import numpy as np
import pytest

from experiments import recording
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


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """Four answers each: without a schema none or one of three fields is right, with it all of half the answers."""
    half, nearly = ([[3, 3, 3, 1], [0, 3, 3, 1]] * 2, [[1, 3, 3, 1], [0, 0, 3, 0]] * 2)
    rows = [
        {"system": "instruction", "decoding": "free", "counts": nearly},
        {"system": "examples", "decoding": "free", "shots": 3, "seed": 0, "counts": nearly},
        {"system": "examples", "decoding": "free", "shots": 3, "seed": 1, "counts": half},
        {"system": "examples", "decoding": "free", "shots": 8, "seed": 0, "counts": half},
        {"system": "examples", "decoding": "constrained", "shots": 3, "seed": 0, "counts": half},
    ]
    rows = [recording.packed(row | {"n": 4, "counts": np.array(row["counts"])}) for row in rows]
    (tmp_path / "gpt-json.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)


def test_who_asks_gets_the_first_draw_of_that_many_examples(answers):
    for shots, seeds in ((3, [0]), (8, [0])):
        found = writers.asked("examples", shots=shots)
        assert found["seed"].tolist() == seeds and found["shots"].tolist() == [shots]
    assert len(writers.asked("instruction").counts()) == 1


def test_fields_right_are_scored_over_all_answers(answers):
    free, kept = writers.asked("examples", shots=3), writers.asked("examples", "constrained", 3)
    assert writers.f1(free).value == pytest.approx(2 * 2 / (6 + 12)) and writers.f1(kept).value == pytest.approx(0.5)
    assert writers.gain(kept, free).value == pytest.approx(0.5 - 4 / 18)
    both = ledger.read(writers.NAME).where(system="examples", decoding="free", shots=3)
    assert writers.gain(both, kept).runs == 2  # asked once, with nothing drawn, counts as fixed
