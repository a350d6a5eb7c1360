"""Plots of the page on choosing: forecasts of a curve over labels, and of a probe of a body, and what was observed."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import BLUE, GREY, ORANGE, in_lines, row_height


def forecasts(table: pd.DataFrame, reach: tuple[float, float]) -> Figure:
    """The observed error over the forecast one, a mark each, on logarithmic scales.

    Args:
        table: columns predicted, came, task, whose colour a mark has, and step, a name that says how far off the
            forecast was, whose shape it has.
        reach: by which factors of the forecast the band about it goes down and up.
    """
    figure, axes = plt.subplots(figsize=(7, 4.6))
    ends = np.array([table[["predicted", "came"]].min().min() / 1.3, table[["predicted", "came"]].max().max() * 1.3])
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.fill_between(ends, ends * reach[0], ends * reach[1], color=GREY, alpha=0.2, linewidth=0)
    colours = dict(zip(table["task"].unique(), (BLUE, ORANGE), strict=False))
    markers = dict(zip(table["step"].unique(), "o^", strict=False))
    for (task, step), rows in table.groupby(["task", "step"], sort=False):
        style = {"color": colours[task], "label": f"{task}, {step}", "linestyle": "none"}
        axes.plot(rows["predicted"], rows["came"], markers[step], **style)
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5) if ends[0] <= tick <= ends[1]]
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="error, forecast")
    axes.set(ylabel="error, observed", title="Does a curve tell what comes?")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=2, columnspacing=0.6, handletextpad=0)
    return figure


def probes(table: pd.DataFrame) -> Figure:
    """For each body the accuracy of a probe on its frozen vectors, and that after fine-tuning with its interval.

    Args:
        table: index the body; columns probe, value, low, high. The body with the best probe stands on top.
    """
    table = table.sort_values("probe")
    figure, axes = plt.subplots(figsize=(7, 1.3 + row_height(table.index) * len(table)))
    heights = np.arange(len(table))
    errors = np.abs([table["value"] - table["low"], table["high"] - table["value"]])
    axes.errorbar(table["value"], heights, xerr=errors, fmt="o", color=BLUE, capsize=3, label="fine-tuned")
    axes.plot(table["probe"], heights, "D", color=ORANGE, label="probe")
    axes.set_yticks(heights, in_lines(table.index))
    axes.set(xlabel="accuracy, with 95 % interval", title="Does a probe foretell which body is best?")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
