"""The plots of the chapters on mathematics: data in, a matplotlib figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator

from helpers.figures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

GREY = "#767676"
HEADS = [BLUE, ORANGE, GREEN, PURPLE, RED, SKY]
SHARES = LinearSegmentedColormap.from_list("shares", ["white", BLUE])


def attention_as_average(words: Sequence[str], weights: np.ndarray, values: np.ndarray, output: np.ndarray) -> Figure:
    """One query's weights (S,) as bars; the values (S, 2) and their average (2,) as points in the plane."""
    figure, (bars, plane) = plt.subplots(1, 2, figsize=(7, 3.4))
    bars.barh(words, weights, color=BLUE)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1), xlabel="weight", title="how much of each value ...")
    plane.scatter(*values.T, s=30 + 400 * weights, color=BLUE)
    for word, (x, y) in zip(words, values, strict=True):
        plane.annotate(word, (x, y), xytext=(9, 7), textcoords="offset points")
        plane.plot([x, output[0]], [y, output[1]], color=GREY, linewidth=1, linestyle=":", zorder=0)
    plane.scatter(*output, marker="*", s=220, color=RED, zorder=3)
    plane.annotate("output", output, xytext=(8, -16), textcoords="offset points", color=RED)
    plane.margins(0.25)
    plane.set(xlabel="first coordinate", ylabel="second", title="... makes their average")
    return figure


def scaling(widths: np.ndarray, variances: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> Figure:
    """Variance of the scores (W,) and quantiles 5, 50, 95 % of the softmax's slope (W, 3) over W head widths."""
    figure, (left, right) = plt.subplots(2, 1, figsize=(6, 6.4), sharex=True)
    colours = dict(zip(variances, [RED, BLUE], strict=True))
    for name, values in variances.items():
        left.plot(widths, values, "o-", color=colours[name], label=name)
    left.plot(widths, widths, color=BLACK, linewidth=1, linestyle="--", label="variance = $d_k$")
    left.set(xscale="log", yscale="log", ylabel="variance of a score", title="How large do scores get?")
    for name, (low, middle, high) in ((name, rows.T) for name, rows in gradients.items()):
        right.plot(widths, middle, "o-", color=colours[name], label=name)
        right.fill_between(widths, low, high, color=colours[name], alpha=0.2, linewidth=0)
    right.set(xlabel="head width $d_k$", ylabel="slope of the softmax", title="How much can still be learned?")
    right.set_xticks(widths, [str(width) for width in widths])
    right.xaxis.set_minor_locator(NullLocator())
    left.legend()
    return figure


def masks(words: Sequence[str], grids: Mapping[str, np.ndarray]) -> Figure:
    """Which query (row) may look at which key (column): one boolean grid (T, T) a name."""
    figure, places = plt.subplots(2, 2, figsize=(6, 6.4))
    for place, (name, grid) in zip(places.flat, grids.items(), strict=True):
        place.imshow(grid, cmap=SHARES, vmin=0, vmax=1.3)
        place.set(title=name, xticks=range(len(words)), yticks=range(len(words)))
        place.set_xticklabels(words, rotation=90)
        place.set_yticklabels(words)
        _cells(place, grid.shape)
    figure.supxlabel("key")
    figure.supylabel("query")
    return figure


def head_blocks(heads: int) -> Figure:
    """Multi-head attention as a block matrix: the heads side by side times their slices of the output matrix."""
    figure, place = plt.subplots(figsize=(6, 4.6))
    for h in range(heads):
        colour = HEADS[h % len(HEADS)]
        _box(place, (h * 1.2, 2.6), 1.2, 2.4, colour, f"$A_{h + 1}V_{h + 1}$")
        _box(place, (heads * 1.2 + 1, 4.55 - 0.9 * h), 2.6, 0.9, colour, f"$W^O_{h + 1}$")
        _box(place, (0.8 + h * 2.7, 0), 2.1, 1.7, colour, f"$A_{h + 1}V_{h + 1}W^O_{h + 1}$")
        place.text(0.5 + h * 2.7, 0.85, "+" if h else "=", ha="center", va="center", fontsize=17)
    place.text(heads * 1.2 + 0.5, 3.8, "·", ha="center", va="center", fontsize=22)
    place.axis("off")
    place.set_aspect("equal")
    place.autoscale_view()
    return figure


def cost(lengths: np.ndarray, seconds: Mapping[str, np.ndarray], megabytes: Mapping[str, np.ndarray]) -> Figure:
    """Time and peak memory (L,) of several kernels over L sequence lengths, with slopes T and T² to compare."""
    figure, places = plt.subplots(2, 1, figsize=(6, 6.8), sharex=True)
    titles = {"milliseconds": seconds, "peak megabytes": megabytes}
    for place, (unit, rows) in zip(places, titles.items(), strict=True):
        for (name, values), marker, colour in zip(rows.items(), "os^", (RED, BLUE, GREEN), strict=False):
            place.plot(lengths, values, marker=marker, color=colour, label=name)
        last = next(iter(rows.values()))[-1]
        growth = lengths / lengths[-1]
        place.plot(lengths, last * growth**2, color=BLACK, linewidth=1, linestyle="--", label="grows as $T^2$")
        place.plot(lengths, last * growth, color=BLACK, linewidth=1, linestyle=":", label="grows as $T$")
        place.set(xscale="log", yscale="log", ylabel=unit)
    places[0].set(title="What does a longer text cost?")
    places[0].legend(fontsize=10)
    places[1].set(xlabel="tokens $T$")
    places[1].set_xticks(lengths, [str(length) for length in lengths])
    places[1].xaxis.set_minor_locator(NullLocator())
    return figure


def attention_map(tokens: Sequence[str], weights: np.ndarray, title: str) -> Figure:
    """The weights (T, T) of one head: row = the token that looks, column = the token that is looked at."""
    figure, place = plt.subplots(figsize=(6, 6))
    shown = place.imshow(weights, cmap=SHARES, vmin=0, vmax=1)
    place.set(xticks=range(len(tokens)), yticks=range(len(tokens)), title=title)
    place.set_xticklabels(tokens, rotation=90)
    place.set_yticklabels(tokens)
    place.set(xlabel="takes from", ylabel="token")
    _cells(place, weights.shape)
    figure.colorbar(shown, ax=place, label="weight", shrink=0.7)
    return figure


def head_table(values: np.ndarray, title: str, label: str) -> Figure:
    """One number for each layer and head (layers, H), from 0 to 1, as shades with the percent written in."""
    figure, place = plt.subplots(figsize=(7, 3.9))
    place.imshow(values, cmap=SHARES, vmin=0, vmax=1, aspect="auto")
    for (layer, head), value in np.ndenumerate(values):
        colour = "white" if value > 0.6 else BLACK
        place.text(head, layer, f"{value:.0%}".rstrip("%"), ha="center", va="center", color=colour)
    place.set(title=title, xlabel=f"head (cells: {label}, %)", ylabel="layer")
    place.set(xticks=range(values.shape[1]), yticks=range(values.shape[0]))
    _cells(place, values.shape)
    return figure


def by_layer(rows: np.ndarray, title: str, label: str) -> Figure:
    """Mean and interval for each layer: columns mean, low, high (layers, 3); zero is drawn."""
    figure, place = plt.subplots(figsize=(6, 3.8))
    mean, low, high = rows.T
    place.axhline(0, color=BLACK, linewidth=1)
    place.errorbar(range(len(rows)), mean, yerr=[mean - low, high - mean], fmt="o", color=BLUE, capsize=5)
    place.set(title=title, xlabel="layer", ylabel=label, ylim=(-1, 1))
    place.xaxis.set_major_locator(MultipleLocator(1))
    return figure


def _cells(place: Axes, shape: tuple[int, int]) -> None:
    """Lines between the cells of a grid instead of lines through them."""
    place.grid(False)
    place.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
    place.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
    place.grid(True, which="minor", color=GREY, linewidth=0.5, alpha=0.5)
    place.tick_params(which="minor", length=0)


def _box(place: Axes, corner: tuple[float, float], width: float, height: float, colour: str, text: str, size=12):
    place.add_patch(plt.Rectangle(corner, width, height, facecolor=colour, alpha=0.35, edgecolor=BLACK))
    place.text(corner[0] + width / 2, corner[1] + height / 2, text, ha="center", va="center", fontsize=size)
