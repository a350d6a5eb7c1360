"""The plots of the chapters on pairs show the numbers that they were given."""

import pandas as pd
import pytest

from helpers.book import figures

RESULTS = pd.DataFrame(
    {
        "system": ["copy", "memory", "memory", "fine-tuned"],
        "train_rows": [0, 1000, 64, 64],
        "value": [28.0, 31.0, 24.0, 30.0],
        "low": [26.0, 29.0, 22.0, 28.0],
        "high": [30.0, 33.0, 26.0, 33.0],
    }
)


def test_the_curve_has_a_level_line_for_what_has_no_rows_and_dots_with_intervals_for_the_rest():
    names = {"copy": "English", "memory": "a memory", "fine-tuned": "a decoder"}
    axes = figures.size_curve(RESULTS, "chrF", "rows", names).axes[0]
    assert {text.get_text() for text in axes.texts} == set(names.values())
    level = next(line for line in axes.lines if line.get_linestyle() == "--")
    assert set(level.get_ydata()) == {28.0}
    dots = [container.lines[0].get_xydata() for container in axes.containers]
    assert [list(points[:, 1]) for points in dots] == [[24, 31], [30]]
    assert dots[0][:, 0] == pytest.approx([64, 1000], rel=0.1) and dots[1][0, 0] == pytest.approx(64, rel=0.1)
    assert dots[0][0, 0] != dots[1][0, 0], "intervals at the same size stand beside each other"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["64", "1,000"]
