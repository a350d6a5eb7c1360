"""Lines of the equation with the dots of what was measured, and runs at their steps times rate."""

import pandas as pd
import pytest

from helpers.book import figures
from helpers.book.figures import page


def test_each_number_of_systems_has_its_line_and_its_dots_where_it_was_measured():
    axes = figures.optimism([50, 200], {2: [0.04, 0.02], 20: [0.1, 0.05]}, {2: [0.039, 0.018]}).axes[0]
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert drawn == [[0.04, 0.02], [0.039, 0.018], [0.1, 0.05]]
    assert [text.get_text() for text in axes.texts] == ["best of 2", "best of 20"]
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 0.1


def test_names_of_settings_that_lie_together_do_not_cover_each_other():
    runs = pd.DataFrame(
        {
            "setting": ["a fifth of the rate", "batches of 128", "one pass", "a fifth, ten passes", "as it is", "four"],
            "movement": [0.96e-3, 1.2e-3, 1.6e-3, 3.2e-3, 4.8e-3, 19.2e-3],
            "accuracy": [0.595, 0.619, 0.604, 0.767, 0.77, 0.749],
            "longer": [False, False, False, True, False, False],
        }
    )
    figure = figures.movement(runs, chance=0.58)
    figure.set_size_inches(page.NARROW, 4.2)
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    pairs = [(one, other) for one in boxes for other in boxes if one < other]
    assert not [pair for pair in pairs if boxes[pair[0]].overlaps(boxes[pair[1]])]
    assert max(box.x1 for box in boxes.values()) <= figure.axes[0].bbox.x1
    assert max(box.y1 for box in boxes.values()) <= figure.axes[0].bbox.y1


def test_every_run_stands_at_its_movement_and_every_setting_is_named_once():
    runs = pd.DataFrame(
        {
            "setting": ["short", "short", "as it is"],
            "movement": [1e-3, 1e-3, 5e-3],
            "accuracy": [0.58, 0.6, 0.76],
            "longer": [False, False, True],
        }
    )
    axes = figures.movement(runs, chance=0.58).axes[0]
    filled, hollow = axes.lines[1:]
    assert [*zip(*filled.get_data(), strict=True)] == [(1e-3, 0.58), (1e-3, 0.6)]
    assert [*zip(*hollow.get_data(), strict=True)] == [(5e-3, 0.76)] and hollow.get_markerfacecolor() == "none"
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_ydata()[0] == pytest.approx(0.58)
    assert sorted(text.get_text() for text in axes.texts) == ["as it is", "one answer for all", "short"]
