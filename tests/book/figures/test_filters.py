"""The curves of a filter show rates of the rows that they are given."""

import numpy as np
import pandas as pd
import pytest

from helpers.book import figures


def test_the_operating_curve_reaches_what_is_caught_before_the_first_good_mail_is_lost():
    positive = np.arange(1000) < 100
    score = np.where(np.arange(1000) < 70, 0.9, 0.1) + np.linspace(0, 0.01, 1000)
    axes = figures.operating_curve({"tf-idf": score}, positive).axes[0]
    line = axes.lines[0]
    before = line.get_ydata()[line.get_xdata() < 1 / 900]
    assert before.max() == pytest.approx(0.7)
    assert line.get_color() == figures.COLOURS["tf-idf"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.3%", "1.0%", "3.0%", "10.0%"]
    assert axes.get_xlabel() and axes.get_ylabel()


def test_each_system_has_its_values_over_the_share_of_misspelled_words():
    rows = [(system, share, 0.9 - share) for system in ("tf-idf", "hardened") for share in (0.0, 0.2)]
    table = pd.DataFrame(rows, columns=["system", "misspelled", "value"])
    axes = figures.over_misspelling(table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)).axes[0]
    _, labels = axes.get_legend_handles_labels()
    assert labels == ["tf-idf", "hardened"]
    assert axes.lines[0].get_ydata() == pytest.approx([0.9, 0.7])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0%", "20%"]
