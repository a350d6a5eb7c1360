"""Canaries: made-up people, exact ranks, and masks that leave what has no form."""

from itertools import product

import numpy as np
import pytest
import tiny_decoder
import torch

from helpers import Generation
from helpers.book import canaries
from helpers.errors import InputError


def test_people_and_numbers_are_different_and_of_the_seed():
    rows = canaries.canaries(24, seed=1)
    assert len(set(rows["prompt"])) == len(set(rows["number"])) == 24
    assert all(number in text for number, text in zip(rows["number"], rows["completion"], strict=True))
    assert canaries.canaries(24, seed=2)["number"][:] != rows["number"][:]
    with pytest.raises(InputError, match="names for 96 canaries, not 97"):
        canaries.canaries(97)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ada.lovelace@mail.example.org today.", "Write to [EMAIL] today."),
        ("Call +49 30 123456 or (030) 12 34 56.", "Call [PHONE] or ([PHONE]."),
        ("The extension of Ada Harwick is 482.", "The extension of Ada Harwick is [NUMBER]."),
        ("It costs 3.50, lasts 12 days and weighs 1,000 g.", "It costs 3.50, lasts 12 days and weighs 1,000 g."),
        ("The extension is four eight two.", "The extension is four eight two."),
    ],
)
def test_masks_find_what_has_a_form(text, expected):
    assert canaries.masked(text) == expected


def test_eq_exposure_is_highest_for_the_first_rank_and_nothing_for_the_last():
    assert canaries.exposures(np.array([1, 500, 1000])).round(3).tolist() == [9.966, 1.0, 0.0]


def test_ranks_are_those_of_an_enumeration_of_all_numbers():
    model, tokenizer = tiny_decoder.model(), tiny_decoder.tokenizer(window=400)
    rows, task = canaries.canaries(2, seed=4), Generation()
    found = canaries.ranks(task, model, tokenizer, rows)
    ids = task.encode(tokenizer, rows.select_columns(["prompt", "completion"]))["input_ids"]
    digits = [tokenizer.convert_tokens_to_ids(digit) for digit in "0123456789"]
    for row, number, rank in zip(ids, rows["number"], found, strict=True):
        end = max(place for place, token in enumerate(row) if token in digits) + 1
        every = torch.tensor([row[: end - 3] + [digits[d] for d in path] for path in product(range(10), repeat=3)])
        with torch.no_grad():
            log = model(every).logits.log_softmax(-1)[:, end - 4 : end - 1]  # (1000, 3, V)
        log_p = log.gather(-1, every[:, end - 3 :, None]).sum((1, 2))
        assert rank == 1 + int((log_p > log_p[int(number)] + 1e-5).sum())
