"""Scores of edits, powers and judges stand where their numbers are."""

import pandas as pd
import pytest

from helpers.book import figures


@pytest.fixture
def table():
    rows = [("a", "one", 0.9, True), ("b", "one", 0.4, False), ("a", "two", 0.8, True), ("b", "two", 0.3, False)]
    table = pd.DataFrame(rows, columns=["name", "series", "value", "right"])
    return table.assign(low=table["value"] - 0.1, high=table["value"] + 0.05)


def test_each_thing_has_its_scores_with_the_first_on_top(table):
    axes = figures.compared(table, "score", line=0.5).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_yticks().tolist() == [1, 0]
    one, two = axes.containers
    assert one.lines[0].get_xdata().tolist() == [0.9, 0.4] and two.lines[0].get_xdata().tolist() == [0.8, 0.3]
    ends = one.lines[2][0].get_segments()[0][:, 0].tolist()
    assert ends == pytest.approx([0.8, 0.95])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]


def test_names_have_the_colour_of_what_they_are(table):
    colours = [label.get_color() for label in figures.compared(table, "score").axes[0].get_yticklabels()]
    assert colours == [figures.GREEN, figures.RED]
    plain = figures.compared(table.drop(columns="right"), "score").axes[0].get_yticklabels()
    assert len({label.get_color() for label in plain}) == 1


def test_each_share_has_its_line_and_its_name_on_it():
    axes = figures.panel_power({0.6: [0.1, 0.5, 0.9], 0.9: [0.3, 0.9, 1.0]}, [10, 50, 100]).axes[0]
    assert [line.get_ydata()[0] for line in axes.lines[:2]] == [0.1, 0.3]
    names = {text.get_text().strip(): text.get_position() for text in axes.texts}
    assert names["60%"] == (50, pytest.approx(0.52)) and set(names) == {"60%", "90%"}
    assert axes.lines[2].get_ydata()[0] == 0.8
