"""Plots of the chapter on sequence labelling."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.book.figures.style import BLACK, BLUE, COLOURS, ORANGE, RED, in_lines


def span_scores(table: pd.DataFrame) -> Figure:
    """Span F1 of several systems in several cases, a dot with its 95 % interval each, named where there is most room.

    Args:
        table: index (case, system), the first case on top, its name in short lines; columns value, low and high.
    """
    cases, systems = table.index.unique(0), table.index.unique(1)
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.75 * len(cases)))
    for (case, system), row in table.iterrows():
        height = len(cases) - 1 - cases.get_loc(case) + 0.25 * ((len(systems) - 1) / 2 - systems.get_loc(system))
        colour = COLOURS[system]
        axes.plot([row["low"], row["high"]], [height, height], color=colour)
        axes.plot(row["value"], height, "o", color=colour)
        if case == _roomiest(table.xs(system, level=1)):
            left = row["low"] > 1 - row["high"]
            x = row["low"] - 0.03 if left else row["high"] + 0.03
            axes.text(x, height, system, color=colour, va="center", ha="right" if left else "left")
    axes.set_yticks(range(len(cases)), cases[::-1])
    axes.grid(axis="y", visible=False)
    axes.set(xlim=(0, 1), ylim=(-0.5, len(cases) - 0.5), xlabel="span F1, with 95 % interval")
    axes.set_title("Which system finds the names?")
    return figure


def _roomiest(table: pd.DataFrame):
    """The case where most of the width, from 0 to 1, is free on one side of the interval."""
    return np.maximum(table["low"], 1 - table["high"]).idxmax()


def gains(names: Sequence[str], means: np.ndarray, intervals: np.ndarray, title: str, label: str) -> Figure:
    """Paired differences, a dot with its 95 % interval each, and a line at zero.

    Args:
        names: shape (R,).
        means: shape (R,); intervals: low and high ends, shape (R, 2).
    """
    figure, axes = plt.subplots(figsize=(6.4, 0.55 * len(names) + 1.5))
    at = np.arange(len(names))[::-1]
    axes.axvline(0, color=BLACK, linewidth=1)
    for row, mean, (low, high) in zip(at, means, intervals, strict=True):
        colour = BLUE if low > 0 else RED if high < 0 else ORANGE
        axes.plot([low, high], [row, row], color=colour)
        axes.plot(mean, row, "o", color=colour, markersize=8)
    axes.set(yticks=at, xlabel=label, title=title, ylim=(-0.6, len(names) - 0.4))
    axes.set_yticklabels(in_lines(names))
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    return figure
