"""Losses of trainers: each is drawn where it is, and none hides another that agrees with it."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from helpers.book import figures


@pytest.fixture(autouse=True)
def closed():
    figures.style()
    yield
    plt.close("all")


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
