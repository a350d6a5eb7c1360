"""What is expected of a run, before its first step."""

import math
from dataclasses import replace

import pytest
import tiny
import torch
from cases import CASES

from helpers.training import loop, preparation
from helpers.workflow import plan


def prepared(case, work=None, validation=None, **changes):
    model, rows = case.model(), case.rows(40)
    return preparation.prepare(case.task, model, case.tokenizer(), rows, validation, tiny.recipe(**changes), work)


@pytest.mark.parametrize("name", CASES)
def test_looking_ahead_changes_no_bit_of_a_run(name):
    case, settings = CASES[name], {"epochs": 1, "batch_rows": 8}
    case = replace(case, model=lambda: tiny.model()) if name == "classification" else case  # with dropout
    planned, plain = prepared(case, **settings), prepared(case, **settings)
    before = torch.get_rng_state()
    found = plan.expected(planned)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(weight.grad is None for weight in planned.body.parameters())
    assert (found.epochs, found.rows, found.steps) == (1, len(planned.rows), len(planned.plan))
    first, second = loop.carry_out(planned), loop.carry_out(plain)
    assert all(map(torch.equal, tiny.weights(first.model).values(), tiny.weights(second.model).values()))


def test_more_steps_are_expected_to_take_longer_and_best_weights_in_memory_to_take_more(tmp_path):
    case = CASES["classification"]
    assert plan.expected(prepared(case, epochs=30)).seconds > plan.expected(prepared(case, epochs=1)).seconds
    found = plan.expected(prepared(case, epochs=1))
    assert 0 < found.memory_gb < 10 and found.missing_gb < 0
    assert found.sentences()[0].startswith(
        "training 1 epochs of 40 rows in 2 steps; expected are about 0 s and a peak of"
    )


def test_memory_that_is_missing_is_told_with_a_remedy():
    short = plan.Plan(epochs=2, rows=7, steps=4, seconds=600.0, memory_gb=9.5, missing_gb=1.25)
    first, second = short.sentences()
    assert "about 10 min and a peak of 9.5 GB of memory" in first
    assert second.startswith("about 1.2 GB of memory are missing for that; lower piece_tokens (--piece-tokens)")
    assert len(replace(short, missing_gb=-math.inf).sentences()) == 1
