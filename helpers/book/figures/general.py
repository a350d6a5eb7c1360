"""Plots that several chapters draw: data in, a matplotlib figure out; a drawing shows only the numbers that it gets."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.book.figures.style import BLACK, BLUE, COLOURS, GREEN, GREY, ORANGE, RED, in_lines, row_height
from helpers.evaluation import pictures


def lengths(tokens: Sequence[int], limit: int) -> Figure:
    """How many texts have how many tokens, shape (N,), and where they would be cut."""
    figure, axes = plt.subplots()
    axes.hist(tokens, bins=range(0, max(tokens) + 3, 2), color=BLUE)
    axes.axvline(limit, color=RED, linestyle="--", label=f"limit of {limit} tokens")
    axes.set(xlabel="tokens in a text", ylabel="texts", title="How long are the texts?")
    figure.legend(loc="outside lower center")
    return figure


def learning_curve(
    results: pd.DataFrame,
    score: str = "accuracy",
    names: Mapping[str, tuple[str, int, str]] | None = None,
    colours: Mapping[str, str] = COLOURS,
) -> Figure:
    """Mean score over training-set size for each system, with a band from the worst to the best seed.

    Of more than seven sizes the axis names every other one and the last, so that a phone shows all that are named.

    Args:
        results: columns system, train_rows and the score, one row per run.
        names: by system what it is called on the plot, at which of its sizes that begins, and whether "above" or
            "below" its line; without names a legend tells the systems apart.
        colours: by system; those without one share one colour.
    """
    figure, axes = plt.subplots()
    for (system, runs), marker in zip(results.groupby("system", sort=False), cycle("osD^vP"), strict=False):
        by_size = runs.groupby("train_rows")[score].agg(["mean", "min", "max", "size"])
        colour = colours.get(system, COLOURS["other"])
        axes.plot(by_size.index, by_size["mean"], marker=marker, color=colour, label=system)
        several = by_size[by_size["size"] > 1]  # one run has no band
        axes.fill_between(several.index, several["min"], several["max"], color=colour, alpha=0.2, linewidth=0)
        if names:
            text, size, side = names[system]
            place = {"xytext": (0, 9 if side == "above" else -9), "textcoords": "offset points", "color": colour}
            place |= {"va": "bottom" if side == "above" else "top", "ha": "left"}
            axes.annotate(text, (size, by_size["mean"][size]), **place)
    sizes = sorted(results["train_rows"].unique())
    sizes = sizes if len(sizes) <= 7 else [*sizes[:-1:2], sizes[-1]]
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="labelled training rows", ylabel=score, title="How many labels does each system need?")
    if not names:
        axes.legend()
    return figure


def training_curve(history: pd.DataFrame, score: str = "accuracy") -> Figure:
    """Loss of every step, and the validation score at every evaluation, of one run's history."""
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(7, 5))
    top.plot(history["step"], history["loss"], color=BLUE, alpha=0.35, linewidth=1, label="each step")
    top.plot(history["step"], history["loss"].rolling(8, min_periods=1).mean(), color=BLUE, label="mean of 8 steps")
    top.set(ylabel="training loss in nats", title="Does the loss fall, and does validation follow?")
    top.legend()
    scored = history.dropna(subset=[f"validation_{score}"])
    bottom.plot(scored["step"], scored[f"validation_{score}"], marker="o", color=GREEN)
    bottom.set(xlabel="optimiser step", ylabel=f"validation {score}")
    return figure


def scores(table: pd.DataFrame, score: str) -> Figure:
    """One score of several systems, a dot with its 95 % interval each, the first system on top.

    Args:
        table: one row per system, with the columns value, low and high.
        score: the score's name.
    """
    figure, axes = plt.subplots(figsize=(7, 1.2 + row_height(table.index) * len(table)))
    _dots(axes, table, capsize=3)
    axes.set(xlabel=f"{score}, with 95 % interval", title=f"Which system has the best {score}?")
    return figure


def bars(table: pd.DataFrame, score: str, chance: tuple[str, float] | None = None) -> Figure:
    """One score after each of several steps, a bar with its 95 % interval and its value, the first on top.

    Args:
        table: one row per step, with the columns value, low and high.
        chance: a line across the bars: the name and the score of an answer that nobody has to learn.
    """
    figure, axes = plt.subplots(figsize=(7, 0.9 + row_height(table.index) * len(table)))
    heights = np.arange(len(table))[::-1]
    errors = np.abs([table["value"] - table["low"], table["high"] - table["value"]])
    axes.barh(heights, table["value"], xerr=errors, height=0.62, color=BLUE, alpha=0.75, ecolor=GREY, capsize=3)
    for height, value in zip(heights, table["value"], strict=True):
        axes.text(0.02, height, f"{value:.3f}", va="center", color="white", weight="bold")
    if chance:
        axes.axvline(chance[1], color=BLACK, linestyle="--", linewidth=1)
        axes.text(chance[1], heights[0] + 0.5, f"{chance[0]} {chance[1]:.3f}", ha="center", va="bottom")
    axes.set_yticks(heights, in_lines(table.index))
    axes.grid(axis="y", visible=False)
    axes.set(xlim=(0, 1), xlabel=f"{score}, with 95 % interval", title=f"What does each step add in {score}?")
    return figure


def epoch_losses(paths: Mapping[str, np.ndarray]) -> Figure:
    """Validation loss after each epoch for one or two runs, (S, epochs) each, and the loss of a coin.

    Lines are means over the seeds, bands reach from the worst to the best of them; the name stands at its end.
    """
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for (name, values), colour in zip(paths.items(), (BLUE, ORANGE), strict=False):
        epochs = np.arange(1, values.shape[1] + 1)
        axes.plot(epochs, values.mean(0), marker="o", color=colour)
        axes.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
        axes.text(epochs[-1] + 0.2, values.mean(0)[-1], name, color=colour, va="center")
    axes.axhline(np.log(2), color=GREY, linestyle="--", linewidth=1)
    axes.text(1, np.log(2), "log 2", color=GREY, va="bottom")
    axes.set(xlabel="epoch", ylabel="validation loss (nats)", title="What does one see who looks?", xticks=epochs)
    axes.set_xlim(right=epochs[-1] + 1.2)
    return figure


def losses(histories: Mapping[str, pd.DataFrame], what: str) -> Figure:
    """Loss over the steps of one run, or of several with a legend, on a logarithmic scale.

    Args:
        histories: by the value of what differs, such as "3e-3", a run's history.
        what: the name of what differs, such as "learning rate".
    """
    figure, axes = plt.subplots()
    for (name, history), style in zip(histories.items(), ("-", "--", ":", "-."), strict=False):
        axes.plot(history["step"], history["loss"], style, label=name)
    axes.set(xlabel="step", ylabel="loss (nats)", yscale="log", title=f"Which {what} learns?")
    if len(histories) > 1:
        axes.legend(title=what)
    return figure


def reliability_curve(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Accuracy over confidence for each system, in the book's colours (`evaluation.pictures`)."""
    return pictures.reliability_curve(curves, COLOURS)


def differences(table: pd.DataFrame, reference: str, score: str = "accuracy") -> Figure:
    """Paired differences to one setting, a dot with its 95 % interval each.

    Args:
        table: index the changed setting; columns value, low, high.
    """
    figure, axes = plt.subplots(figsize=(7, max(0.5, row_height(table.index)) * len(table) + 1.6))
    _dots(axes, table, capsize=4)
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set(xlabel=f"{score} minus that of {reference}", title="Which setting matters?")
    return figure


def _dots(axes: Axes, table: pd.DataFrame, capsize: float) -> None:
    """A dot with its interval for each row of a table, the first on top, named at the left."""
    heights = np.arange(len(table))[::-1]
    errors = [table["value"] - table["low"], table["high"] - table["value"]]
    axes.errorbar(table["value"], heights, xerr=np.abs(errors), fmt="o", color=BLUE, capsize=capsize)
    axes.set_ylim(-0.5, len(table) - 0.5)
    axes.set_yticks(heights, in_lines(table.index))
