"""Plots of the chapters on translation and summarisation."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import COLOURS, RED


def size_curve(results: pd.DataFrame, score: str, unit: str, names: Mapping[str, str]) -> Figure:
    """A score over the number of training rows, a dot with its interval each; systems without rows as level lines.

    Args:
        results: columns system, train_rows, value, low and high; train_rows is 0 for what has no training rows.
        score, unit: what the axes say.
        names: by system what it is called at the end of its line.
    """
    figure, axes = plt.subplots(figsize=(7, 4.4))
    sizes = sorted(set(results["train_rows"]) - {0})
    for number, (system, runs) in enumerate(results.groupby("system", sort=False)):
        colour, runs = COLOURS.get(system, RED), runs.sort_values("train_rows")
        end, scale = (runs["train_rows"].iloc[-1], runs["value"].iloc[-1]), axes.transData
        if (runs["train_rows"] == 0).all():
            axes.axhline(end[1], color=colour, linestyle="--", linewidth=1.5)
            end, scale = (1, end[1]), axes.get_yaxis_transform()  # at the right end of the line
        else:
            errors = [runs["value"] - runs["low"], runs["high"] - runs["value"]]
            places = runs["train_rows"] * 1.03**number  # intervals beside each other
            axes.errorbar(places, runs["value"], yerr=errors, color=colour, marker="o", capsize=4)
        place = {"xycoords": scale, "xytext": (10, 0), "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(names[system], end, **place, color=colour, va="center")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel=unit, ylabel=score)
    axes.margins(y=0.1)  # level lines stay off the frame
    return figure
