"""The plots of the chapter on tags tie words to their pieces and draw differences on their side of zero."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers.book import figures


@pytest.fixture(autouse=True)
def closed():
    figures.style()
    yield
    plt.close("all")


def test_each_word_is_tied_to_its_first_piece():
    words, pieces = ["Ann", "sings"], ["[CLS]", "an", "##n", "sings", "[SEP]"]
    axes = figures.pieces(words, ["B-x", "O"], pieces, [None, 0, 0, 1, None]).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines] == [1, 3]
    assert {text.get_text() for text in axes.texts} >= {*words, *pieces, "B-x", "O"}


def test_gains_are_drawn_on_their_side_of_zero():
    ends = np.array([[0.1, 0.3], [-0.3, -0.1], [-0.1, 0.1]])
    axes = figures.gains(["up", "down", "none"], ends.mean(1), ends, "title", "label").axes[0]
    colours = [line.get_color() for line in axes.lines if len(line.get_xdata()) == 1]
    assert colours == [figures.BLUE, figures.RED, figures.ORANGE]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["up", "down", "none"]


def test_transition_scores_stand_at_their_tags():
    axes = figures.transitions(np.array([[0.0, -1.5], [0.5, 1.0]]), ["O", "B-x"]).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[(1, 0)] == "-1.50" and written[(0, 1)] == "+0.50"
