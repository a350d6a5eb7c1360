"""The plots of the chapter on tags draw scores in the row of their case, and differences on their side of zero."""

import numpy as np
import pandas as pd

from helpers.book import figures


def test_scores_stand_in_the_row_of_their_case():
    cases, systems = ["few", "many"], ["most frequent", "classical crf", "fine-tuned"]
    index = pd.MultiIndex.from_product([cases, systems])
    values = np.linspace(0.1, 0.6, 6)
    table = pd.DataFrame({"value": values, "low": values - 0.05, "high": values + 0.05}, index=index)
    axes = figures.span_scores(table).axes[0]
    dots = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [dot.get_xdata()[0] for dot in dots] == values.tolist()
    ticks = axes.get_yticks()
    nearest = [int(np.abs(ticks - dot.get_ydata()[0]).argmin()) for dot in dots]
    rows = [axes.get_yticklabels()[tick].get_text() for tick in nearest]
    assert rows == [case for case, _ in index], "a dot is nearest to the name of its case"
    assert [text.get_text() for text in axes.texts] == systems
    assert len({dot.get_color() for dot in dots}) == len(systems)


def test_systems_are_named_where_there_is_most_room_beside_their_interval():
    index = pd.MultiIndex.from_product([["few", "many"], ["classical crf", "fine-tuned"]])
    table = pd.DataFrame({"value": [0.2, 0.5, 0.5, 0.9]}, index=index)
    axes = figures.span_scores(table.assign(low=table["value"] - 0.1, high=table["value"] + 0.05)).axes[0]
    names = {text.get_text(): (*text.get_position(), text.get_ha()) for text in axes.texts}
    classical, tuned = names["classical crf"], names["fine-tuned"]
    assert classical[0] > 0.25 and classical[2] == "left" and classical[1] > 0.5, "right of the dot of the first case"
    assert tuned[0] < 0.8 and tuned[2] == "right" and tuned[1] < 0.5, "left of the dot of the second"


def test_gains_are_drawn_on_their_side_of_zero():
    ends = np.array([[0.1, 0.3], [-0.3, -0.1], [-0.1, 0.1]])
    axes = figures.gains(["up", "down", "none"], ends.mean(1), ends, "title", "label").axes[0]
    colours = [line.get_color() for line in axes.lines if len(line.get_xdata()) == 1]
    assert colours == [figures.BLUE, figures.RED, figures.ORANGE]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["up", "down", "none"]
