"""A step is the same step into however many pieces it is cut."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from cases import CASES

from helpers import fit

PACKED = replace(CASES["generation"], task=replace(CASES["generation"].task, packed=48))

# They add the same to all scores of a softmax: their gradient is rounding alone, which AdamW scales up.
NO_GRADIENT = ("key.bias", "k_proj.bias", "qa_outputs.bias")


@pytest.mark.parametrize("piece_tokens", [1, 60])
@pytest.mark.parametrize("name", [*CASES, "generation, packed"])
def test_a_step_is_the_same_however_it_is_cut_into_pieces(name, piece_tokens):
    case = CASES.get(name, PACKED)
    learning = {"epochs": 2, "batch_rows": 6, "learning_rate": 1e-4}
    whole, cut = (
        fit(case.task, case.model(), case.tokenizer(), case.rows(12), recipe=tiny.recipe(**learning, piece_tokens=most))
        for most in (10**9, piece_tokens)
    )
    start, moved = tiny.weights(case.model()), 0.0
    for (name, weight), other in zip(tiny.weights(cut.model).items(), tiny.weights(whole.model).values(), strict=True):
        if not name.endswith(NO_GRADIENT):
            torch.testing.assert_close(weight, other, rtol=0, atol=1e-5)
        moved = max(moved, (weight - start[name]).abs().max().item())
    assert moved > 1e-4, "much more than the tolerance"
    np.testing.assert_allclose(cut.history["loss"], whole.history["loss"], rtol=1e-5)
