"""The frontier and the exposures show the numbers that they get."""

import numpy as np
import pandas as pd

from helpers.book import figures


def test_the_frontier_names_each_system_where_it_stands():
    points = pd.DataFrame(
        {"system": ["a", "b", "c"], "family": ["one", "one", "two"], "x": [0.1, 0.5, 0.9], "y": [0.2, 0.6, 0.8]}
    )
    points["below"] = [False, True, False]
    for axis in "xy":
        points[f"{axis}_low"], points[f"{axis}_high"] = points[axis] - 0.05, points[axis] + 0.05
    curve = (np.array([0.0, 0.3, 1.0]), np.array([0.0, 0.9, 1.0]))
    axes = figures.frontier(points, {"guard": curve}).axes[0]
    assert {text.get_text(): text.xy for text in axes.texts} == {"a": (0.1, 0.2), "b": (0.5, 0.6), "c": (0.9, 0.8)}
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(names) == ["guard", "one", "two"]
    assert axes.texts[0].get_color() == axes.texts[1].get_color() != axes.texts[2].get_color()
    assert any(np.array_equal(line.get_ydata(), curve[1]) for line in axes.lines)
    assert any(list(line.get_xdata()) == list(line.get_ydata()) == [0, 1] for line in axes.lines), "the diagonal"
    assert [text.get_ha() for text in axes.texts] == ["left", "left", "right"]
    assert [text.get_position()[1] > 0 for text in axes.texts] == [True, False, True]


def test_exposures_have_their_means_over_the_times_seen():
    gains = pd.DataFrame(
        {"arm": ["plain"] * 8 + ["masked"] * 8, "times": [0] * 4 + [16] * 4 + [0] * 4 + [16] * 4, "gain": range(16)}
    )
    axes = figures.exposure(gains).axes[0]
    _, labels = axes.get_legend_handles_labels()
    assert labels == ["plain", "masked"]
    means = [container.lines[0].get_ydata().tolist() for container in axes.containers]
    assert means == [[1.5, 5.5], [9.5, 13.5]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "16"]
