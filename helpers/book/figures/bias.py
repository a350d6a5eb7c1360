"""Plots of bias: a score on either side of what should not matter."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import BLUE, GREY, ORANGE, in_lines, row_height

SIDES = {"with": ("o", BLUE), "without": ("|", GREY), "against": ("s", ORANGE)}


def sides(table: pd.DataFrame) -> Figure:
    """The accuracy of each system with, without and against a word, joined by a line, with 95 % intervals.

    Args:
        table: columns system, side (with, without, against), value, low, high; the first system is drawn on top.
    """
    systems = list(dict.fromkeys(table["system"]))
    figure, axes = plt.subplots(figsize=(7, 1.5 + max(0.5, row_height(systems)) * len(systems)))
    heights = dict(zip(systems, np.arange(len(systems))[::-1], strict=True))
    for system, rows in table.groupby("system", sort=False):
        axes.plot([rows["value"].min(), rows["value"].max()], [heights[system]] * 2, color=GREY, linewidth=1, zorder=1)
    for side, (marker, colour) in SIDES.items():
        rows = table[table["side"] == side]
        errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        above = {"with": 0.12, "without": 0, "against": -0.12}[side]  # so that intervals do not hide each other
        places = rows["system"].map(heights) + above
        style = {"fmt": marker, "color": colour, "capsize": 3, "markersize": 9 if marker == "|" else 6}
        axes.errorbar(rows["value"], places, xerr=np.abs(errors), label=side, **style)
        beside = (0.24, "bottom") if side == "with" else (-0.24, "top")  # named once, on the first line
        axes.text(rows["value"].iloc[0], len(systems) - 1 + beside[0], side, color=colour, ha="center", va=beside[1])
    axes.set_yticks(list(heights.values()), in_lines(systems))
    axes.set_ylim(-0.6, len(systems) - 0.3)
    axes.set(xlabel="accuracy, with 95 % interval", title="Does it read the text or the word?")
    return figure
