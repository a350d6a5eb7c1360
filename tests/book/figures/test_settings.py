"""Lines of the equation with the dots of what was measured, and runs at their steps times rate."""

import pandas as pd
import pytest

from helpers.book import figures


def test_each_number_of_systems_has_its_line_and_its_dots_where_it_was_measured():
    axes = figures.optimism([50, 200], {2: [0.04, 0.02], 20: [0.1, 0.05]}, {2: [0.039, 0.018]}).axes[0]
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert drawn == [[0.04, 0.02], [0.039, 0.018], [0.1, 0.05]]
    assert [text.get_text() for text in axes.texts] == ["best of 2", "best of 20"]
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 0.1


def test_every_run_stands_at_its_movement_and_every_setting_is_named_once():
    runs = pd.DataFrame(
        {
            "setting": ["short", "short", "as it is"],
            "movement": [1e-3, 1e-3, 5e-3],
            "accuracy": [0.58, 0.6, 0.76],
        }
    )
    axes = figures.movement(runs, chance=0.58).axes[0]
    dots = {line.get_xdata()[0]: list(line.get_ydata()) for line in axes.lines[1:]}
    assert dots == {1e-3: [0.58, 0.6], 5e-3: [0.76]} and axes.get_xscale() == "log"
    assert axes.lines[0].get_ydata()[0] == pytest.approx(0.58)
    assert sorted(text.get_text() for text in axes.texts) == ["as it is", "one answer for all", "short"]
