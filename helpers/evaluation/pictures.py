"""What a report and the book both draw: data in, a matplotlib figure out."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

BLUE, GREEN, RED, GREY = "#0072b2", "#009e73", "#d55e00", "#767676"  # of Okabe and Ito's palette


def confusion_matrix(counts: pd.DataFrame) -> Figure:
    """A table of counts, true labels as rows, with each row's share as its shade."""
    side, many = max(4.0, 0.6 * len(counts)), len(counts) > 6
    figure, axes = plt.subplots(figsize=(side + 1, side))
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0).to_numpy()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts.iloc[row, column]:,}" + ("" if many else f"\n{share:.0%}")
        axes.text(column, row, text, ha="center", va="center", color="#ffffff" if share > 0.5 else "#111111")
    axes.set_xticks(range(counts.shape[1]), counts.columns, rotation=90 if many else 0)
    axes.set_yticks(range(counts.shape[0]), counts.index)
    axes.grid(visible=False)
    axes.set(xlabel="predicted", ylabel="true", title="Which label is taken for which?")
    return figure


def reliability_curve(curves: Mapping[str, Mapping[str, np.ndarray]], colours: Mapping[str, str]) -> Figure:
    """Accuracy over confidence for each system, from `metrics.reliability`; the area of a point is its rows.

    Args:
        colours: by system, and of any other.
    """
    figure, axes = plt.subplots(figsize=(5.5, 5))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    low = 1.0
    for system, curve in curves.items():
        colour = colours.get(system, colours["other"])
        axes.plot(curve["confidence"], curve["accuracy"], color=colour, label=system)
        size = 400 * curve["rows"] / curve["rows"].sum()
        axes.scatter(curve["confidence"], curve["accuracy"], s=size, color=colour)
        low = min(low, *curve["confidence"], *curve["accuracy"])
    edge = max(0.0, low - 0.05)
    axes.set(xlim=(edge, 1.02), ylim=(edge, 1.02), xlabel="confidence", ylabel="accuracy")
    axes.set_title("When it says 90 %, is it right 90 % of the time?")
    axes.legend(loc="upper left")
    return figure


def epochs(scores: pd.Series, name: str) -> Figure:
    """A validation score over the steps at which it was measured."""
    figure, axes = plt.subplots(figsize=(6, 3))
    axes.plot(scores.index, scores.to_numpy(), marker="o", color=GREEN)
    axes.set(xlabel="optimiser step", ylabel=name, title="Does validation still improve?")
    return figure


def intervals(table: pd.DataFrame, score: str) -> Figure:
    """A score of several systems, a dot with its 95 % interval each, the first on top; columns value, low and high."""
    figure, axes = plt.subplots(figsize=(6, 1.2 + 0.4 * len(table)))
    heights = np.arange(len(table))[::-1]
    errors = np.abs([table["value"] - table["low"], table["high"] - table["value"]])
    axes.errorbar(table["value"], heights, xerr=errors, fmt="o", color=BLUE, capsize=3)
    axes.set_yticks(heights, table.index)
    axes.set(xlabel=f"{score}, with 95 % interval", title=f"Which system has the best {score}?")
    return figure


def histogram(values: np.ndarray, name: str) -> Figure:
    """How many rows have which value."""
    figure, axes = plt.subplots(figsize=(6, 3))
    axes.hist(values, bins=20, color=BLUE)
    axes.set(xlabel=name, ylabel="rows", title=f"Which rows have which {name}?")
    return figure
