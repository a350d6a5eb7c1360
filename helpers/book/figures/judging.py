"""Plots of the page on written texts: scores of edits, the power of a panel, and judges."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from helpers.book.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, in_lines, row_height

_SERIES = (("o", BLUE), ("s", ORANGE), ("^", GREEN))


def compared(table: pd.DataFrame, score: str, line: float | None = None) -> Figure:
    """Two or three scores of each of several things, a mark with its 95 % interval each, the first thing on top.

    Args:
        table: columns name, series, value, low, high; and `right`, if names are to be green where it is true and red
            where not.
        line: what is drawn as a dashed line, such as chance.
    """
    names = list(dict.fromkeys(table["name"]))
    series = list(dict.fromkeys(table["series"]))
    figure, axes = plt.subplots(figsize=(7, 1.5 + row_height(names) * len(names)))
    heights = dict(zip(names, np.arange(len(names))[::-1], strict=True))
    for number, (one, (marker, colour)) in enumerate(zip(series, _SERIES, strict=False)):
        rows = table[table["series"] == one]
        errors = np.abs([rows["value"] - rows["low"], rows["high"] - rows["value"]])
        places = rows["name"].map(heights) + 0.13 * (len(series) - 1 - 2 * number)
        axes.errorbar(rows["value"], places, xerr=errors, fmt=marker, color=colour, capsize=3, label=one)
    axes.set_yticks(list(heights.values()), in_lines(names))
    if "right" in table:
        colours = table.drop_duplicates("name").set_index("name")["right"].map({True: GREEN, False: RED})
        for label, name in zip(axes.get_yticklabels(), names, strict=True):
            label.set_color(colours[name])
    if line is not None:
        axes.axvline(line, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel=score, ylim=(-0.6, len(names) - 0.4), title="Which is which?")
    below = axes.transAxes + ScaledTranslation(0, -0.5, figure.dpi_scale_trans)  # inches: the axis and its label
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0), bbox_transform=below)
    return figure


def panel_power(curves: Mapping[float, Sequence[float]], pairs: Sequence[int], level: float = 0.8) -> Figure:
    """The chance to find a difference over the number of pairs, a line for each share of preferences, named at its end.

    Args:
        curves: by the share of pairs in which one system is preferred, the chances.
        level: the chance that is asked for, drawn as a dashed line.
    """
    figure, axes = plt.subplots(figsize=(7, 3.8))
    for (share, chances), colour in zip(curves.items(), (GREY, PURPLE, ORANGE, GREEN, BLUE), strict=False):
        axes.plot(pairs, chances, color=colour)
        middle = int(np.argmin(np.abs(np.asarray(chances) - 0.55))) if max(chances) > 0.55 else len(pairs) - 1
        place = {"ha": "right", "va": "bottom", "color": colour, "fontsize": 10}
        axes.text(pairs[middle], chances[middle] + 0.02, f"{share:.0%} ", **place)
    axes.axhline(level, color=GREY, linestyle="--", linewidth=1)
    ticks = [count for count in (10, 30, 100, 300, 1000) if pairs[0] <= count <= pairs[-1]]
    axes.set(xscale="log", xlabel="decided pairs", ylabel="chance to find it", ylim=(0, 1.03))
    axes.set_xlim(pairs[0] / 1.6, 1.1 * pairs[-1])  # room for a name at the left of a line
    axes.set_xticks(ticks, [f"{count:,}" for count in ticks])
    axes.minorticks_off()
    axes.set_title("How many pairs does it take?")
    return figure
