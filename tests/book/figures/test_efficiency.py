"""The figure of costs: every system at its place, its difference to the first one, and its name off all intervals."""

import pandas as pd
import pytest

from helpers.book import figures

POINTS = pd.DataFrame(
    [
        {"name": "fp32", "family": "whole", "value": 0.0, "low": 0.0, "high": 0.0, "megabytes": 90.0, "ms": 8.0},
        {
            "name": "8 bits",
            "family": "whole",
            "value": -0.01,
            "low": -0.02,
            "high": 0.005,
            "megabytes": 23.0,
            "ms": 4.0,
        },
        {"name": "small", "family": "cut", "value": -0.02, "low": -0.03, "high": -0.01, "megabytes": 20.0, "ms": 2.0},
    ]
)
COSTS = {"megabytes": "megabytes", "ms": "milliseconds"}


def test_each_cost_has_its_panel_with_every_system_and_its_interval():
    for axes, cost in zip(figures.costs(POINTS, COSTS, "the first").axes, COSTS, strict=True):
        drawn = [x for held in axes.containers for x in held[0].get_xdata()]
        assert drawn == POINTS[cost].tolist() and axes.get_xscale() == "log"
        heights = [y for held in axes.containers for y in held[0].get_ydata()]
        ends = [part[:, 1].tolist() for held in axes.containers for part in held[2][0].get_segments()]
        assert heights == POINTS["value"].tolist()
        assert ends == [pytest.approx(pair) for pair in POINTS[["low", "high"]].values.tolist()]
        assert axes.lines[0].get_ydata() == [0, 0] and "minus the first" in axes.get_ylabel()


def test_names_stand_beyond_the_intervals_and_the_legend_tells_the_families():
    figure = figures.costs(POINTS, COSTS, "the first")
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == POINTS["name"].tolist()
        assert [text.xy[1] for text in axes.texts] == [0.0, 0.005, -0.03]
        assert [text.xyann[1] > 0 for text in axes.texts] == [False, True, False]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["whole", "cut"]
