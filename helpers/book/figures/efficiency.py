"""Plots of what a score costs: systems beside each other, and those that nothing beats."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from helpers.book.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE

_FAMILIES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"))


def pareto(points: pd.DataFrame, costs: Mapping[str, str], score: str = "accuracy") -> Figure:
    """A score over each of some costs, with 95 % intervals, and a line through the systems that none beats in both.

    Args:
        points: columns family, name, value, low, high, and one for each cost, on a logarithmic axis; the systems of a
            family share a colour, and each has a short name beside it.
        costs: by column, what an axis is called.
    """
    figure, every = plt.subplots(
        len(costs), 1, figsize=(7, 0.5 + 3.2 * len(costs)), squeeze=False, layout="constrained"
    )
    for axes, (cost, label) in zip(every[:, 0], costs.items(), strict=True):
        best = unbeaten(points, cost)
        axes.plot(best[cost], best["value"], color=GREY, linestyle="--", linewidth=1, zorder=1)
        for (family, rows), (colour, marker) in zip(points.groupby("family", sort=False), _FAMILIES, strict=False):
            errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
            axes.errorbar(rows[cost], rows["value"], yerr=errors, fmt=marker, color=colour, capsize=3, label=family)
            for _, row in rows.iterrows():
                place = {"xytext": (6, 6), "textcoords": "offset points", "fontsize": 10}
                axes.annotate(row["name"], (row[cost], row["value"]), color=colour, **place)
        axes.set(xscale="log", xlabel=label, ylabel=f"{score}, 95 % interval")
        axes.xaxis.set_minor_formatter(NullFormatter())
        ticks = _ticks(points[cost].min(), points[cost].max())
        axes.set_xticks(ticks, minor=False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(points[cost].min() / 1.3, points[cost].max() * 1.9)
    handles, names = every[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), columnspacing=1, handletextpad=0.2)
    return figure


def unbeaten(points: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The systems than which none costs less and scores as well, cheapest first."""
    ordered = points.sort_values([cost, "value"], ascending=[True, False])
    return ordered[ordered["value"] > ordered["value"].cummax().shift(fill_value=-float("inf"))]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`: 1, 2 and 5 with any number of zeros."""
    steps = [factor * 10.0**power for power in range(-4, 8) for factor in (1, 2, 5)]
    return [step for step in steps if low / 1.3 <= step <= high * 1.9]
