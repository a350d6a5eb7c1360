"""The figure of costs: every system at its place, and the line through those that none beats."""

import pandas as pd

from helpers.book import figures
from helpers.book.figures.efficiency import unbeaten

POINTS = pd.DataFrame(
    [
        {"name": "large", "family": "whole", "value": 0.9, "megabytes": 90.0, "ms": 8.0},
        {"name": "slow", "family": "whole", "value": 0.8, "megabytes": 80.0, "ms": 9.0},
        {"name": "small", "family": "cut", "value": 0.85, "megabytes": 20.0, "ms": 2.0},
        {"name": "twin", "family": "cut", "value": 0.85, "megabytes": 30.0, "ms": 2.0},
    ]
).assign(low=lambda rows: rows["value"] - 0.02, high=lambda rows: rows["value"] + 0.03)


def test_what_is_dearer_and_no_better_is_beaten():
    assert unbeaten(POINTS, "megabytes")["name"].tolist() == ["small", "large"]
    assert unbeaten(POINTS, "ms")["name"].tolist() == ["small", "large"]
    assert len(unbeaten(POINTS.assign(ms=1.0), "ms")) == 1


def test_each_cost_has_its_panel_with_every_system_named():
    top, bottom = figures.pareto(POINTS, {"megabytes": "megabytes", "ms": "milliseconds"}).axes
    for axes, cost in ((top, "megabytes"), (bottom, "ms")):
        assert {text.get_text() for text in axes.texts} == set(POINTS["name"])
        drawn = sorted(x for held in axes.containers for x in held[0].get_xdata())
        assert drawn == sorted(POINTS[cost]) and axes.get_xscale() == "log"
        assert axes.lines[0].get_ydata().tolist() == [0.85, 0.9], "the line rises from the cheapest to the best"
    (legend,) = top.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["whole", "cut"]
