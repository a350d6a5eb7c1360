"""Plots of the choice of settings: how far choosing flatters, and how far a run must move before it learns."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def optimism(rows: Sequence[int], lines: Mapping[int, Sequence[float]], marks: Mapping[int, Sequence[float]]) -> Figure:
    """By how much the best of some systems scores too well, over the rows that chose it.

    Args:
        rows: how many rows chose, on a logarithmic axis.
        lines: by the number of systems, what the equation says.
        marks: by the number of systems, what was measured, where it was.
    """
    figure, axes = plt.subplots(figsize=(7, 4))
    for (count, values), colour in zip(lines.items(), _COLOURS, strict=False):
        axes.plot(rows, values, color=colour)
        if count in marks:
            axes.plot(rows, marks[count], "o", color=colour)
        axes.annotate(
            f"best of {count}",
            (rows[0], values[0]),
            xytext=(4, 6),
            textcoords="offset points",
            color=colour,
            fontsize=11,
        )
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{each:,}" for each in rows])
    axes.minorticks_off()
    axes.set_ylim(0, 1.15 * max(max(values) for values in lines.values()))
    axes.set(xlabel="validation rows that choose", ylabel="accuracy on them, minus on others")
    axes.set_title("How far does the best score flatter?")
    return figure


def movement(runs: pd.DataFrame, chance: float) -> Figure:
    """Accuracy over steps times learning rate, a mark for each run, with the setting beside the mean of its runs.

    Args:
        runs: columns setting, movement (on a logarithmic axis) and accuracy, one run a row.
        chance: the accuracy of one answer for all.
    """
    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1)
    axes.text(runs["movement"].max() * 2.2, chance - 0.004, "one answer for all", color=GREY, ha="right", va="top")
    axes.plot(runs["movement"], runs["accuracy"], "o", color=BLUE, alpha=0.75)
    tops = runs.groupby("setting").agg({"movement": "first", "accuracy": "max"}).sort_values("movement")
    near = tops["movement"].gt(2 * tops["movement"].shift()).cumsum()  # settings that lie together
    line = 0.07 * (runs["accuracy"].max() + 0.065 - chance)
    for _, group in tops.groupby(near):
        for below, (setting, (x, y)) in enumerate(reversed(list(group.iterrows())), start=1):
            height = group["accuracy"].max() + line * (below - 0.4)
            axes.vlines(x, y, height, color=BLUE, linewidth=0.6)
            place = {"ha": "center" if len(group) == 1 else "left", "fontsize": 10, "color": BLUE}
            axes.text(x, height, setting, va="bottom", **place)
    axes.set_xlim(runs["movement"].min() / 1.7, runs["movement"].max() * 2.4)
    axes.set_ylim(chance - 0.03, runs["accuracy"].max() + 0.035)
    axes.set(xscale="log", xlabel="steps times learning rate", ylabel="accuracy", title="How far must a run move?")
    return figure
