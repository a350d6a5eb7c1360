"""What is missing is counted and costed by what results of the same kind took."""

import pytest
import torch

from experiments import planning

ROWS = [
    {"system": "a", "train_rows": size, "seed": seed, "cpu_seconds": 60.0 * minutes * torch.get_num_threads()}
    for size, seed, minutes in ((4, 0, 1), (4, 1, 3), (4, 2, 2), (64, 0, 10))
]


def test_minutes_are_those_of_the_same_kind_and_else_of_the_closest_size():
    assert planning.minutes({"system": "a", "train_rows": 4, "seed": 9}, ROWS) == pytest.approx(2)
    assert planning.minutes({"system": "a", "train_rows": 50, "seed": 0}, ROWS) == pytest.approx(10)
    assert planning.minutes({"system": "a", "train_rows": 8, "seed": 0}, ROWS) == pytest.approx(2)
    assert planning.minutes({"system": "b", "train_rows": 4, "seed": 0}, ROWS) is None


def test_older_results_tell_by_their_seconds():
    rows = [{"system": "a", "seconds": 60.0, "generation_seconds": 30.0}, {"system": "a", "cpu_seconds": float("nan")}]
    assert planning.minutes({"system": "a", "seed": 3}, rows) == pytest.approx(1.5)


def test_a_result_without_training_rows_beside_others_that_have_some_is_costed():
    rows = [{"system": "a", "train_rows": float("nan"), "shots": 3, "seconds": 60.0}]  # a table says so
    assert planning.minutes({"system": "a", "shots": 8}, rows) == pytest.approx(1.0)


def test_the_plan_has_a_line_for_each_kind_and_their_sum():
    missing = [{"system": "a", "train_rows": 4, "seed": seed} for seed in (3, 4)]
    missing += [{"system": "a", "train_rows": 64, "seed": 1}, {"system": "b", "train_rows": 4, "seed": 0}]
    assert planning.plan({"mine": (missing, ROWS), "done": ([], ROWS)}) == [
        "mine system=a train_rows=4: 2 missing, 4.0 min",
        "mine system=a train_rows=64: 1 missing, 10.0 min",
        "mine system=b train_rows=4: 1 missing, no record to go by",
        "4 results are missing; expected are 14 min, and 1 of which no record tells",
    ]


def test_a_result_that_takes_over_half_an_hour_is_told():
    assert planning.warning(None) is planning.warning(30.0) is None
    assert "is expected to take 41 min, more than the 30 that one result may take" in planning.warning(41.0)
