"""The figure of sides shows each score at its place, in one colour a side."""

import pandas as pd

from helpers.book import figures


def test_each_system_has_its_three_scores_on_its_line():
    rows = [
        {"system": system, "side": side, "value": value, "low": value - 0.02, "high": value + 0.03}
        for system, values in {"usual": (0.98, 0.8, 0.3), "mended": (0.8, 0.79, 0.78)}.items()
        for side, value in zip(("with", "without", "against"), values, strict=True)
    ]
    axes = figures.sides(pd.DataFrame(rows)).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["usual", "mended"]
    drawn = {held.get_label(): held for held in axes.containers}
    assert drawn["against"][0].get_xdata().tolist() == [0.3, 0.78]
    assert drawn["with"][0].get_xdata().tolist() == [0.98, 0.8]
    high, low = drawn["with"][0].get_ydata()
    assert round(high) == 1 and round(low) == 0, "the first is on top"
    lines = [
        line.get_xdata().tolist()
        for line in axes.lines
        if line.get_color() == figures.GREY and len(line.get_xdata()) == 2
    ]
    assert [0.3, 0.98] in lines and [0.78, 0.8] in lines
