"""Plots of the chapter on safety: what is refused that should be and should not, and what is learnt by heart."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from helpers.evaluation import interval

_FAMILIES = (GREY, ORANGE, RED, BLUE, PURPLE)


def frontier(points: pd.DataFrame, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """The share of harmful requests that are refused over that of harmless ones, a cross of intervals a system.

    Args:
        points: columns system, family, below (whether its name stands there), and x, x_low, x_high, y, y_low, y_high;
            the points of a family share a colour.
        curves: further systems with a threshold, by name: the shares x and y as it falls.
    """
    figure, axes = plt.subplots(figsize=(7, 5))
    for (family, rows), colour in zip(points.groupby("family", sort=False), _FAMILIES, strict=False):
        across = [rows["x"] - rows["x_low"], rows["x_high"] - rows["x"]]
        up = [rows["y"] - rows["y_low"], rows["y_high"] - rows["y"]]
        axes.errorbar(rows["x"], rows["y"], xerr=across, yerr=up, fmt="o", color=colour, linewidth=0.8, label=family)
        for _, row in rows.iterrows():
            left = row["x"] > 0.8  # so that the label stays inside
            place = {"xytext": (-6 if left else 6, -13 if row["below"] else 5), "textcoords": "offset points"}
            place |= {"ha": "right" if left else "left", "fontsize": 10}
            axes.annotate(row["system"], (row["x"], row["y"]), color=colour, **place)
    for (name, (x, y)), style in zip(curves.items(), ("-", "--", ":"), strict=False):
        axes.plot(x, y, style, color=GREEN, label=name)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", zorder=0)  # what cannot tell the two apart
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.09, 1.08))
    axes.set(xlabel="harmless look-alikes refused", ylabel="harmful requests refused")
    axes.set_title("Which mixture refuses the right half?")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)
    return figure


def exposure(gains: pd.DataFrame) -> Figure:
    """What each canary gained in exposure over how often it was seen: a dot a canary, the mean with its interval.

    Args:
        gains: columns arm, times and gain, in bits; one row a canary.
    """
    figure, axes = plt.subplots()
    levels = sorted(gains["times"].unique())
    for shift, (arm, rows), colour in zip((-0.12, 0.12), gains.groupby("arm", sort=False), (RED, BLUE), strict=False):
        for place, level in enumerate(levels):
            values = rows.loc[rows["times"] == level, "gain"].to_numpy()
            spread = np.linspace(-0.06, 0.06, len(values))
            axes.plot(place + shift + spread, values, ".", color=colour, alpha=0.45, markersize=5)
        found = [interval(rows.loc[rows["times"] == level, "gain"].to_numpy()) for level in levels]
        means = np.array([each.value for each in found])
        errors = [means - [each.low for each in found], [each.high for each in found] - means]
        places = np.arange(len(levels)) + shift
        axes.errorbar(places, means, yerr=errors, color=colour, marker="o", capsize=4, label=arm)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set_xticks(range(len(levels)), [f"{level:,}" for level in levels])
    axes.set(xlabel="times that its row is seen", ylabel="exposure gained (bits)", title="What is learnt by heart?")
    if gains["arm"].nunique() > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return figure
