"""Peak memory of a piece of torch code."""

import torch

from helpers.book.peak_memory import peak_bytes


def test_counts_what_is_held_at_the_same_time_and_not_what_is_freed():
    def one_after_another():
        for _ in range(3):
            torch.zeros(250_000).sum()

    def together():
        return torch.stack([torch.zeros(250_000) for _ in range(3)]).sum()

    assert 1_000_000 <= peak_bytes(one_after_another) < 1_100_000
    assert 6_000_000 <= peak_bytes(together) < 6_100_000


def test_writes_nothing(capfd):
    peak_bytes(lambda: torch.zeros(10))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
