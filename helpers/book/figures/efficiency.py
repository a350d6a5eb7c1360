"""Plots of what a score costs: how far each system is from a first one, over what it takes."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from helpers.book.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE

_FAMILIES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"))


def costs(points: pd.DataFrame, costs: Mapping[str, str], reference: str, score: str = "accuracy") -> Figure:
    """Paired differences of a score to one system, with 95 % intervals, over each of some costs.

    Args:
        points: columns family, name, value, low and high (of the difference), and one for each cost, on a logarithmic
            axis; the systems of a family share a colour, and each has a short name beyond the end of its interval:
            those of the first family above it, the others below, as that of the system without one.
        costs: by column, what an axis is called.
        reference: what the system is called that the others are compared with.
    """
    figure, every = plt.subplots(
        len(costs), 1, figsize=(7, 0.5 + 2.5 * len(costs)), squeeze=False, layout="constrained"
    )
    for axes, (cost, label) in zip(every[:, 0], costs.items(), strict=True):
        axes.axhline(0, color=GREY, linestyle="--", linewidth=1, zorder=1)
        for place, (family, rows) in enumerate(points.groupby("family", sort=False)):
            _family(axes, rows, cost, family, place)
        axes.set(xscale="log", xlabel=label, ylabel=f"{score}\nminus {reference}")
        axes.margins(y=0.25)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(_ticks(points[cost].min(), points[cost].max()), minor=False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(points[cost].min() / 1.4, points[cost].max() * 1.4)
    handles, names = every[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), columnspacing=1, handletextpad=0.2)
    return figure


def _family(axes: Axes, rows: pd.DataFrame, cost: str, family: str, place: int) -> None:
    """The systems of a family, each with its name beyond an end of its interval."""
    colour, marker = _FAMILIES[place]
    errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    axes.errorbar(rows[cost], rows["value"], yerr=errors, fmt=marker, color=colour, capsize=3, label=family)
    for _, row in rows.iterrows():
        below = place > 0 or row["low"] == row["high"]
        end, gap, side = ("low", -5, "top") if below else ("high", 5, "bottom")
        where = {"xytext": (0, gap), "textcoords": "offset points", "ha": "center", "va": side, "fontsize": 10}
        axes.annotate(row["name"], (row[cost], row[end]), color=colour, **where)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`: 1, 2 and 5 with any number of zeros."""
    steps = [factor * 10.0**power for power in range(-4, 8) for factor in (1, 2, 5)]
    return [step for step in steps if low / 1.3 <= step <= high * 1.9]
