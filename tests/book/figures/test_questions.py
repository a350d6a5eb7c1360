"""The plots of the chapter on questions show the windows, the answer, and the curve that they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers.book import figures
from helpers.tasks.extraction.spans import Span, answering_curve


@pytest.fixture(autouse=True)
def closed():
    figures.style()
    yield
    plt.close("all")


def test_windows_are_bars_and_those_that_hold_the_answer_are_darker():
    axes = figures.windows([(0, 100), (60, 160), (120, 220)], (70, 95)).axes[0]
    bars = [patch for patch in axes.patches if patch.get_height() == pytest.approx(0.6)]
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars] == [(0, 100), (60, 160), (120, 220)]
    assert [to_hex(bar.get_facecolor()) == figures.BLUE for bar in bars] == [True, True, False]
    assert axes.get_xlabel() and axes.get_ylabel()


@pytest.mark.parametrize(("threshold", "answered"), [(2.5, 1 / 4), (1.5, 2 / 4), (-np.inf, 1)])
def test_the_chosen_threshold_is_marked_on_both_curves(threshold, answered):
    spans = [Span(0, 3, "cat", margin) for margin in (3.0, 2.0, 1.0, 0.0)]
    curve = answering_curve(spans, [["cat"], [], ["cat"], []])
    left, right = figures.answering(curve, threshold).axes
    point = right.lines[1]
    assert point.get_xdata()[0] == pytest.approx(answered)
    row = curve[curve["answered"] == answered].iloc[0]
    assert point.get_ydata()[0] == row["f1"]
    assert left.lines[1].get_xdata()[0] == row["recall"] and left.lines[1].get_ydata()[0] == row["precision"]
    assert right.lines[2].get_ydata()[0] == curve["f1"].iloc[0]
