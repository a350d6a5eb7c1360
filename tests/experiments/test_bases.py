"""The experiment on bases in fewer bits: what it counts is what is held, and a row's loss is that of transformers."""

import pytest
import tiny_decoder
import torch
from torch.nn.functional import cross_entropy

from experiments import bases
from helpers.models import stored
from helpers.training import loop


@pytest.mark.slow
@pytest.mark.parametrize("dtype", stored.DTYPES)
def test_what_the_packaged_decoder_holds_beside_lora_is_counted_to_a_tenth(dtype):
    found = bases.memory(dtype)
    assert found["counted"] == pytest.approx(found["bytes"], rel=0.1)
    assert found["bytes"]["base"] == pytest.approx(
        bases.BODY.weights * {"fp32": 4, "bf16": 2, "nf4": 0.86}[dtype], 0.01
    )


def test_the_loss_of_a_row_is_the_mean_over_the_tokens_of_its_completion():
    run = loop.fit(
        tiny_decoder.PLAIN, tiny_decoder.model(), tiny_decoder.tokenizer(), tiny_decoder.rows(8), None,
        tiny_decoder.recipe(),
    )  # fmt: skip
    rows = tiny_decoder.rows(5, 1)
    losses = bases.row_losses(run, rows)
    for row, loss in zip(run.encode(rows), losses, strict=True):
        ids, counts = (torch.tensor(row[name]) for name in ("input_ids", "counts"))
        logits = run.model(ids[None]).logits[0, :-1]
        counted = counts[1:].bool()
        assert loss == pytest.approx(cross_entropy(logits[counted], ids[1:][counted]).item(), abs=1e-5)


def test_each_base_learns_the_same_rows_in_a_hundred_steps():
    about = [about for about, _ in bases.base_dtypes()]
    assert [each["change"]["base_dtype"] for each in about[:3]] == list(stored.DTYPES)
    assert len(about) == 3 * len(bases.SEEDS) and 100 * bases.RECIPE["batch_rows"] == bases.ROWS
    assert bases.recipe(about[-1])["seed"] == bases.SEEDS[-1] and set(bases.COUNTED) == set(stored.DTYPES)
