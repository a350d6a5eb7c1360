"""Losses of trainers: each is drawn where it is, and none hides another that agrees with it."""

import pytest

from helpers.book import figures


def test_equal_losses_lie_on_each_other_and_all_are_seen():
    runs = {name: ([8, 16], [0.7, 0.4]) for name in ("plain", "Trainer", "helpers")}
    top, bottom = figures.overlaid({"told the same": runs | {"own": ([4, 8], [0.7, 0.6])}, "chats": runs}).axes
    assert [line.get_ydata().tolist() for line in bottom.lines] == 3 * [[0.7, 0.4]]
    assert top.lines[3].get_xdata().tolist() == [4, 8]
    widths = [line.get_linewidth() for line in top.lines[:3]]
    assert widths == sorted(widths, reverse=True) and len(set(widths)) == 3, "the ones on top are thinner"
    assert len({line.get_color() for line in top.lines}) == 4
    assert [text.get_text() for text in top.get_legend().get_texts()] == [*runs, "own"]
    assert top.get_ylabel() and bottom.get_xlabel() and bottom.get_title(loc="left") == "chats"


def test_agreement_draws_each_tensor_below_or_above_the_bound():
    axes = figures.agreement([1.0, 0.1, 0.01], [2e-8, 0.0, 1e-9], 1e-6).axes[0]
    assert axes.collections[0].get_offsets()[:, 1].tolist() == pytest.approx([2e-8, 1e-9, 1e-9])
    assert axes.lines[0].get_ydata()[0] == 1e-6 and axes.get_yscale() == axes.get_xscale() == "log"
    low, high = axes.get_ylim()
    assert low < 1e-9 and high > 1e-6 and axes.get_xlabel() and axes.get_ylabel()
