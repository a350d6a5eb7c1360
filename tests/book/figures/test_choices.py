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


def test_each_body_has_its_probe_and_its_fine_tuned_score_in_its_row_the_best_probe_on_top():
    table = pd.DataFrame(
        {"probe": [0.7, 0.5], "value": [0.8, 0.55], "low": [0.78, 0.5], "high": [0.82, 0.6]},
        index=["six layers", "untrained"],
    )
    axes = figures.probes(table).axes[0]
    rows = {text.get_text(): height for text, height in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert rows["six layers"] > rows["untrained"]
    lines = {line.get_label(): line for line in axes.lines} | {c.get_label(): c.lines[0] for c in axes.containers}
    for name, column in (("probe", "probe"), ("fine-tuned", "value")):
        found = dict(zip(lines[name].get_ydata(), lines[name].get_xdata(), strict=True))
        assert found == {rows[body]: table.loc[body, column] for body in table.index}
