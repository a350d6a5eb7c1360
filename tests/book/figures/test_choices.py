"""Forecasts stand at what was foretold and what came, with the band about them."""

import pandas as pd
import pytest

from helpers.book import figures


def test_each_forecast_has_its_mark_and_the_band_its_reach():
    table = pd.DataFrame(
        {
            "predicted": [0.1, 0.2, 0.3, 0.4],
            "came": [0.12, 0.18, 0.1, 0.4],
            "step": ["twice", "twice", "four times", "twice"],
            "task": ["news", "news", "news", "reviews"],
        }
    )
    axes = figures.forecasts(table, (0.5, 1.5)).axes[0]
    marks = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines[1:]}
    assert marks == {
        "news, twice": ([0.1, 0.2], [0.12, 0.18]),
        "news, four times": ([0.3], [0.1]),
        "reviews, twice": ([0.4], [0.4]),
    }
    twice, far, other = axes.lines[1:]
    assert twice.get_color() == far.get_color() != other.get_color(), "a colour is a task"
    assert twice.get_marker() == other.get_marker() != far.get_marker(), "a shape is a step"
    low, high = axes.get_xlim()
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(0.5 * low) and corners[:, 1].max() == pytest.approx(1.5 * high)


def test_each_body_has_a_named_dot_and_the_untrained_another_colour():
    table = pd.DataFrame(
        {
            "probe": [0.7, 0.5],
            "value": [0.8, 0.55],
            "low": [0.78, 0.5],
            "high": [0.82, 0.6],
            "pretrained": [True, False],
        },
        index=["six layers", "untrained"],
    )
    axes = figures.probes(table).axes[0]
    intervals, dots = axes.lines[::2], axes.lines[1::2]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in intervals] == [
        ([0.7, 0.7], [0.78, 0.82]),
        ([0.5, 0.5], [0.5, 0.6]),
    ]
    assert [text.get_text() for text in axes.texts] == list(table.index)
    assert [text.xy for text in axes.texts] == [(0.7, 0.8), (0.5, 0.55)]
    assert dots[0].get_color() != dots[1].get_color()
