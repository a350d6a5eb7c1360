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
            (rows[-1], values[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=11,
        )
    axes.set_xscale("log")
    axes.set_xticks(rows, [f"{each:,}" for each in rows])
    axes.minorticks_off()
    axes.set_ylim(0, 1.15 * max(max(values) for values in lines.values()))
    axes.set(xlabel="validation rows that choose", ylabel="accuracy, choosing rows minus the rest")
    axes.set_title("How far does the best score flatter?")
    return figure


def movement(runs: pd.DataFrame, chance: float) -> Figure:
    """Accuracy over steps times learning rate, a mark for each run, with the setting above the runs that lie together.

    Args:
        runs: columns setting, movement (on a logarithmic axis), accuracy and longer (drawn hollow), one run a row.
        chance: the accuracy of one answer for all.
    """
    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1)
    axes.text(runs["movement"].max() * 3, chance - 0.004, "one answer for all", color=GREY, ha="right", va="top")
    for longer, face in ((False, BLUE), (True, "none")):
        own = runs[runs["longer"] == longer]
        axes.plot(own["movement"], own["accuracy"], "o", color=BLUE, markerfacecolor=face, alpha=0.75)
    tops = runs.groupby("setting").agg({"movement": "first", "accuracy": "max"}).sort_values("movement", kind="stable")
    near = tops["movement"].gt(1.8 * tops["movement"].shift()).cumsum()  # settings that lie together
    line = 0.07 * (runs["accuracy"].max() + 0.065 - chance)
    heights = []
    for _, group in tops.groupby(near):
        for below, (setting, (x, y)) in enumerate(reversed(list(group.iterrows())), start=1):
            height = group["accuracy"].max() + line * (below - 0.4)
            heights.append(height)
            axes.vlines(x, y, height, color=BLUE, linewidth=0.6)
            alone = len(group) == 1
            place = {"xytext": (0 if alone else 2, 0), "ha": "center" if alone else "left", "va": "bottom"}
            axes.annotate(setting, (x, height), **place, textcoords="offset points", fontsize=10, color=BLUE)
    axes.grid(visible=False)  # its lines would cross the names
    axes.set_xlim(runs["movement"].min() / 1.7, runs["movement"].max() * 3.2)
    axes.set_ylim(chance - 0.03, max(heights) + 1.2 * line)
    axes.set(xscale="log", xlabel="steps times learning rate", ylabel="accuracy", title="How far must a run move?")
    return figure
