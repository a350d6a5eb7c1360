"""The plots of the chapters on mathematics: data in, a matplotlib figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator

from helpers.book.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY


def parts_of_layers(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Percent of the weights in each part of a layer: one panel for each model, feed-forward parts in green."""
    bars = [len(parts) for parts in shares.values()]
    figure, panels = plt.subplots(len(shares), 1, figsize=(9, 1.2 + 0.27 * sum(bars)), sharex=True, height_ratios=bars)
    for axes, (model, parts) in zip(panels, shares.items(), strict=True):
        colours = [GREEN if "feed" in part else BLUE for part in parts]
        axes.barh(list(parts), list(parts.values()), color=colours)
        for place, value in enumerate(parts.values()):
            axes.text(value + 0.5, place, f"{value:.0f} %", va="center")
        axes.invert_yaxis()
        axes.set(title=model, xlim=(0, 45))
        axes.grid(axis="y", visible=False)
        axes.tick_params(bottom=axes is panels[-1])
    panels[-1].set(xlabel="share of the weights, %")
    colours = {"attention": BLUE, "feed-forward network": GREEN}
    keys = [plt.Rectangle((0, 0), 1, 1, color=colour, label=name) for name, colour in colours.items()]
    figure.legend(handles=keys, loc="outside lower center", ncol=2, fontsize=10)
    return figure


def quadratic_share(lengths: np.ndarray, shares: Mapping[str, np.ndarray], width: int, limit: int) -> Figure:
    """Percent of the operations that grow with the square of the length (L,), over L lengths, for each count.

    Args:
        width: D; lengths are drawn in tokens, and half of the operations is marked.
        limit: the longest text of the model.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4))
    for (name, values), colour in zip(shares.items(), (ORANGE, BLUE), strict=True):
        axes.plot(lengths, values, color=colour, marker="o", markersize=4, label=name)
    axes.axhline(50, color=BLACK, linewidth=1, linestyle="--")
    axes.axvline(limit, color=GREY, linewidth=1, linestyle=":")
    axes.annotate(f"{limit}: longest text", (limit, 93), xytext=(-5, 0), textcoords="offset points", ha="right")
    axes.set(
        xscale="log", ylim=(0, 100), xlabel=f"tokens T (log scale), at a width D of {width}",
        ylabel="share that grows with T², %",
    )  # fmt: skip
    axes.set_xticks(lengths[::2], [f"{length:,}" for length in lengths[::2]], fontsize=9)
    axes.xaxis.set_minor_locator(NullLocator())
    figure.legend(loc="outside lower center", ncol=2, fontsize=10)
    return figure


def memory(lengths: np.ndarray, megabytes: Mapping[str, np.ndarray]) -> Figure:
    """Peak memory (L,) of kernels over L sequence lengths; T² is drawn through the first one's end, T the second's."""
    figure, axes = plt.subplots(figsize=(6, 4))
    for (name, values), marker, colour in zip(megabytes.items(), "os^", (RED, BLUE, GREEN), strict=False):
        axes.plot(lengths, values, marker=marker, color=colour, label=name)
    (steep, flat, *_), growth = (values[-1] for values in megabytes.values()), lengths / lengths[-1]
    axes.plot(lengths, steep * growth**2, color=BLACK, linewidth=1, linestyle="--", label="grows as $T^2$")
    axes.plot(lengths, flat * growth, color=BLACK, linewidth=1, linestyle=":", label="grows as $T$")
    axes.set(xscale="log", yscale="log", xlabel="tokens T", ylabel="peak memory, MB")
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    figure.legend(loc="outside lower center", ncol=2, fontsize=10)
    return figure


def attention_map(tokens: Sequence[str], weights: np.ndarray, written: int | None = None) -> Figure:
    """The weights (T, T) of one head: row = the token that takes, column = the token that is taken from.

    Args:
        written: the row whose weights stand in its cells, in percent.
    """
    figure, axes = plt.subplots(figsize=(8.5, 4.6))
    _shades(axes, weights, 0.6)
    for column, share in enumerate([] if written is None else weights[written]):
        axes.text(column, written, f"{100 * share:.0f}", ha="center", va="center", fontsize=9)
    axes.set(xlabel="token taken from", ylabel="token that takes", aspect="auto")
    axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=9)
    axes.set_yticks(range(len(tokens)), tokens, fontsize=9)
    return figure


def head_table(values: np.ndarray, label: str) -> Figure:
    """One number for each layer and head (layers, H), from 0 to 1, as shades with the percent written in."""
    figure, axes = plt.subplots(figsize=(7, 3.9))
    _shades(axes, values, 0.5)
    for (layer, head), value in np.ndenumerate(values):
        axes.text(head, layer, f"{100 * value:.0f}", ha="center", va="center", fontsize=11)
    axes.set(xlabel=f"head (cells: {label}, %)", ylabel="layer", aspect="auto")
    axes.set_xticks(range(values.shape[1]), range(1, values.shape[1] + 1))
    axes.set_yticks(range(values.shape[0]), range(1, values.shape[0] + 1))
    return figure


def by_layer(rows: np.ndarray, label: str) -> Figure:
    """Mean and interval for each layer, counted from 1: columns mean, low, high (layers, 3); zero is drawn."""
    figure, axes = plt.subplots(figsize=(6, 3.8))
    mean, low, high = rows.T
    axes.axhline(0, color=BLACK, linewidth=1)
    axes.errorbar(range(1, len(rows) + 1), mean, yerr=[mean - low, high - mean], fmt="o", color=BLUE, capsize=5)
    axes.set(xlabel="layer", ylabel=label, ylim=(min(0, low.min()) - 0.1, 1))
    axes.xaxis.set_major_locator(MultipleLocator(1))
    return figure


def likelihood(chances: np.ndarray, losses: np.ndarray) -> Figure:
    """Negative log-likelihood over the parameter of a coin, with its lowest point marked."""
    figure, axes = plt.subplots(figsize=(6, 3.6))
    best = losses.argmin()
    axes.plot(chances, losses, color=BLUE)
    axes.plot(chances[best], losses[best], "o", color=RED, markersize=9)
    axes.annotate(
        f"lowest at {chances[best]:.1f}", (chances[best], losses[best]), xytext=(0, -9), textcoords="offset points",
        color=RED, ha="center", va="top",
    )  # fmt: skip
    axes.set_ylim(losses[best] - 0.25 * np.ptp(losses))  # room for the words below the curve
    axes.set(xlabel="chance of tails", ylabel="negative log-likelihood (nats)", title="Which coin explains the tosses?")
    return figure


def entropy_and_kl(shares: np.ndarray, entropy: float, costs: np.ndarray, true: float) -> Figure:
    """Cross-entropy over the predicted share as a constant floor, the entropy, plus the Kullback-Leibler cost."""
    figure, axes = plt.subplots(figsize=(6, 4.4))
    axes.fill_between(shares, 0, entropy, color=ORANGE, alpha=0.5, label="entropy: chance, stays", linewidth=0)
    axes.fill_between(shares, entropy, entropy + costs, color=SKY, alpha=0.6, label="KL: can be learned", linewidth=0)
    axes.plot(shares, entropy + costs, color=BLUE, label="cross-entropy")
    axes.axvline(true, color=BLACK, linestyle="--", linewidth=1)
    axes.annotate("truth", (true, 0), xytext=(5, 6), textcoords="offset points")
    axes.set(xlabel="predicted chance", ylabel="nats", title="How low can the loss get?")
    axes.set_ylim(0)
    figure.legend(loc="outside lower center", fontsize=11)
    return figure


def token_bars(tokens: Sequence[str], values: np.ndarray, label: str) -> Figure:
    """One bar per token (T,), in reading order from top to bottom."""
    figure, axes = plt.subplots(figsize=(6, 0.8 + 0.32 * len(tokens)))
    axes.barh(range(len(tokens)), values, color=BLUE)
    axes.set(yticks=range(len(tokens)), xlabel=label)
    axes.set_yticklabels(tokens)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return figure


def averages(lengths: np.ndarray, weights: Mapping[str, np.ndarray]) -> Figure:
    """How much one token of each row counts under each average, relative to the token mean: (rows,) per name."""
    figure, axes = plt.subplots(figsize=(6, 4.8))
    for (name, values), colour, marker in zip(weights.items(), (BLUE, ORANGE, RED), "os^", strict=True):
        axes.plot(range(len(lengths)), values, marker=marker, color=colour, label=name)
    axes.set(ylabel="weight of one token\n(token mean = 1, log scale)", yscale="log")
    axes.set(title="Whose tokens count how much?")
    axes.set(xticks=range(len(lengths)), xlabel="supervised tokens in the row")
    axes.set_xticklabels([str(length) for length in lengths])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    labelled = (0.2, 0.3, 0.5, 0.7, 2, 3, 5)
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if round(value, 6) in labelled else "")
    figure.legend(loc="outside lower center", fontsize=11)
    return figure


def label_bias(strengths: np.ndarray, chances: Mapping[str, np.ndarray]) -> Figure:
    """Probability of the right tags over the strength of the evidence, one curve per model."""
    figure, axes = plt.subplots(figsize=(6, 3.8))
    for (name, values), colour, line in zip(chances.items(), (RED, BLUE), ("-", "--"), strict=True):
        axes.plot(strengths, values, line, color=colour, label=name)
    axes.set(ylim=(0, 1.02), xlabel="score that the second word gives to the right tag", ylabel="probability")
    axes.set(title="Does the second word's evidence count?")
    axes.legend()
    return figure


def chain_gain(signals: Sequence[float], scores: Mapping[str, np.ndarray]) -> Figure:
    """Accuracy of several taggers (signals, seeds) over the evidence of a word by itself; bands are worst to best."""
    figure, axes = plt.subplots(figsize=(6, 4.2))
    for (name, values), colour, marker in zip(scores.items(), (ORANGE, BLUE, BLACK), "os^", strict=True):
        axes.plot(signals, values.mean(1), marker=marker, color=colour, label=name)
        axes.fill_between(signals, values.min(1), values.max(1), color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="strength of a word's own evidence\n(standard deviations of the noise)", ylabel="accuracy of tags")
    axes.set(title="When does the chain help?")
    axes.legend()
    return figure


def _shades(axes: Axes, values: np.ndarray, most: float) -> None:
    """A grid of cells in the blue of the page, each as dense as its value, `most` at 1; the ground shows through."""
    for (row, column), value in np.ndenumerate(values):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(plt.Rectangle(corner, 1, 1, facecolor=BLUE, alpha=most * float(value), linewidth=0))
    axes.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(values.shape[0] - 0.5, -0.5), aspect="equal")
    axes.grid(False)
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color=GREY, linewidth=0.5, alpha=0.5)
    axes.tick_params(which="minor", length=0)
