"""Plots of the chapters on translation and summarisation."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import BLUE, COLOURS, RED


def size_curve(results: pd.DataFrame, score: str, title: str, unit: str) -> Figure:
    """A score over the number of training rows, a dot with its interval each; systems without rows as level lines.

    Args:
        results: columns system, train_rows, value, low and high; train_rows is 0 for what has no training rows.
        score, title, unit: what the axes and the title say.
    """
    figure, axes = plt.subplots()
    for system, runs in results.groupby("system", sort=False):
        colour = COLOURS.get(system, RED)
        if (runs["train_rows"] == 0).all():
            axes.axhline(runs["value"].iloc[0], color=colour, linestyle="--", label=system)
            continue
        runs = runs.sort_values("train_rows")
        errors = [runs["value"] - runs["low"], runs["high"] - runs["value"]]
        # rings for all but the first, so that equal scores do not hide each other
        shape = {"fillstyle": "none", "markersize": 11, "capsize": 8} if axes.containers else {"capsize": 4}
        axes.errorbar(runs["train_rows"], runs["value"], yerr=errors, color=colour, marker="o", label=system, **shape)
    sizes = sorted(set(results["train_rows"]) - {0})
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel=unit, ylabel=score, title=title)
    axes.margins(y=0.1)  # level lines stay off the frame
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # bars may stand anywhere within
    return figure


def novelty(shares: Mapping[str, float]) -> Figure:
    """For each system the share of words in its texts that the source does not hold."""
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(shares) + 1.4))
    names = list(shares)[::-1]
    axes.barh(names, [100 * shares[name] for name in names], color=BLUE)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="words that the source does not hold, in %", title="Who copies, and who writes?")
    return figure
