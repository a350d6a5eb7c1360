"""The plots of the chapters on mathematics: data in, a matplotlib figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator

from helpers.book.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY

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


def likelihood(chances: np.ndarray, losses: np.ndarray) -> Figure:
    """Negative log-likelihood over the parameter of a coin, with its lowest point marked."""
    figure, place = plt.subplots(figsize=(6, 3.6))
    best = losses.argmin()
    place.plot(chances, losses, color=BLUE)
    place.plot(chances[best], losses[best], "o", color=RED, markersize=9)
    place.annotate(
        f"lowest at {chances[best]:.2f}", (chances[best], losses[best]), xytext=(0, 14), textcoords="offset points",
        color=RED, ha="center",
    )  # fmt: skip
    place.set(
        xlabel="chance of heads", ylabel="negative log-likelihood (nats)", title="Which coin explains the tosses?"
    )
    return figure


def entropy_and_kl(shares: np.ndarray, entropy: float, costs: np.ndarray, true: float) -> Figure:
    """Cross-entropy over the predicted share as a constant floor, the entropy, plus the Kullback-Leibler cost."""
    figure, place = plt.subplots(figsize=(6, 3.8))
    place.fill_between(shares, 0, entropy, color=ORANGE, alpha=0.5, label="entropy: chance, stays", linewidth=0)
    place.fill_between(shares, entropy, entropy + costs, color=SKY, alpha=0.6, label="KL: can be learned", linewidth=0)
    place.plot(shares, entropy + costs, color=BLUE, label="cross-entropy")
    place.axvline(true, color=BLACK, linestyle="--", linewidth=1)
    place.annotate("truth", (true, 0), xytext=(5, 6), textcoords="offset points")
    place.set(xlabel="predicted chance", ylabel="nats", title="How low can the loss get?")
    place.set_ylim(0, 1.5 * (entropy + costs.max()))
    place.legend(loc="upper center")
    return figure


def gradient_bars(classes: Sequence[str], probs: np.ndarray, truth: np.ndarray) -> Figure:
    """Probabilities (C,), the one-hot truth (C,) and their difference, which is the gradient."""
    figure, place = plt.subplots(figsize=(6, 3.8))
    at = np.arange(len(classes))
    for shift, (name, values, colour) in enumerate(
        [("p (predicted)", probs, BLUE), ("y (truth)", truth, ORANGE), ("p - y (gradient)", probs - truth, RED)]
    ):
        place.bar(at + (shift - 1) * 0.27, values, width=0.25, color=colour, label=name)
    place.axhline(0, color=BLACK, linewidth=1)
    place.set(xticks=at, ylabel="probability", title="Which scores rise, which fall?", ylim=(-1.05, 1.4))
    place.set_xticklabels(classes)
    place.legend(ncol=3, fontsize=10, loc="upper center", columnspacing=1)
    return figure


def token_bars(tokens: Sequence[str], values: np.ndarray, title: str, label: str) -> Figure:
    """One bar a token (T,), in reading order from top to bottom."""
    figure, place = plt.subplots(figsize=(6, 0.8 + 0.32 * len(tokens)))
    place.barh(range(len(tokens)), values, color=BLUE)
    place.set(yticks=range(len(tokens)), xlabel=label, title=title)
    place.set_yticklabels(tokens)
    place.invert_yaxis()
    place.grid(axis="y", visible=False)
    return figure


def averages(lengths: np.ndarray, weights: Mapping[str, np.ndarray]) -> Figure:
    """How much one token of each row counts under each way of averaging, relative to the token mean: (rows,) a name."""
    figure, place = plt.subplots(figsize=(6, 4))
    for (name, values), colour, marker in zip(weights.items(), (BLUE, ORANGE, RED), "os^", strict=True):
        place.plot(range(len(lengths)), values, marker=marker, color=colour, label=name)
    place.set(ylabel="weight of one token\n(token mean = 1)", title="Whose tokens count how much?", yscale="log")
    place.set(xticks=range(len(lengths)), xlabel="supervised tokens in the row")
    place.set_xticklabels([str(length) for length in lengths])
    place.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    labelled = (0.2, 0.3, 0.5, 0.7, 2, 3, 5)
    place.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if round(value, 6) in labelled else "")
    place.legend()
    return figure


def smoothing(shares: np.ndarray, scores: Mapping[str, np.ndarray]) -> Figure:
    """Scores (shares, seeds), one panel each: every seed as a point, their mean as a line."""
    figure, places = plt.subplots(len(scores), 1, figsize=(6, 2.5 * len(scores)), sharex=True)
    for place, (name, values) in zip(places, scores.items(), strict=True):
        place.plot(np.repeat(shares, values.shape[1]), values.ravel(), "o", color=BLUE, alpha=0.35, markersize=5)
        place.plot(shares, values.mean(1), color=BLUE)
        place.set(ylabel=name)
    places[0].set(title="What does label smoothing change?")
    places[-1].set(xlabel="smoothing ε")
    return figure


def chains() -> Figure:
    """What depends on what: tags y and words x without links, with arrows (MEMM) and with links (CRF)."""
    figure, places = plt.subplots(3, 1, figsize=(6, 6))
    names = ["each tag alone", "MEMM: each step is a softmax of its own", "CRF: one softmax over whole sequences"]
    for place, name in zip(places, names, strict=True):
        for t in range(4):
            _node(place, (t, 1), f"$y_{t + 1}$", BLUE)
            _node(place, (t, 0), f"$x_{t + 1}$", GREY)
            place.annotate(
                "", (t, 0.72), (t, 0.28), arrowprops={"arrowstyle": "-|>" if place is not places[2] else "-"}
            )
            if t and place is not places[0]:
                style = "-|>" if place is places[1] else "-"
                place.annotate("", (t - 0.17, 1), (t - 0.83, 1), arrowprops={"arrowstyle": style})
        place.set(title=name, xlim=(-0.6, 3.6), ylim=(-0.4, 1.4))
        place.axis("off")
    return figure


def label_bias(strengths: np.ndarray, chances: Mapping[str, np.ndarray]) -> Figure:
    """Probability of the right tags over the strength of the evidence, one curve a model."""
    figure, place = plt.subplots(figsize=(6, 3.8))
    for (name, values), colour, line in zip(chances.items(), (RED, BLUE), ("-", "--"), strict=True):
        place.plot(strengths, values, line, color=colour, label=name)
    place.set(ylim=(0, 1.02), xlabel="score that the second word gives to the right tag", ylabel="probability")
    place.set(title="Does the second word's evidence count?")
    place.legend()
    return figure


def trellis(
    tokens: Sequence[str],
    tags: Sequence[str],
    values: np.ndarray,
    title: str,
    origins: np.ndarray | None = None,
    path: Sequence[int] = (),
) -> Figure:
    """Tags over tokens, a value in each node (T, C); the best origin of each (T-1, C) and the best path if given."""
    figure, place = plt.subplots(figsize=(6, 1.4 + 1.1 * len(tags)))
    for t in range(1, len(tokens)):
        for i, j in np.ndindex(len(tags), len(tags)):
            best = origins is not None and origins[t - 1, j] == i
            place.plot([t - 1, t], [i, j], color=BLACK if best else GREY, linewidth=2.5 if best else 0.8, zorder=0)
    if len(path):
        place.plot(range(len(path)), path, color=ORANGE, linewidth=9, alpha=0.6, zorder=0.5, solid_capstyle="round")
    for (t, tag), value in np.ndenumerate(values):
        _node(place, (t, tag), f"{value:.2f}", ORANGE if len(path) and path[t] == tag else BLUE)
    place.set(title=title, xticks=range(len(tokens)), yticks=range(len(tags)))
    place.set_xticklabels(tokens)
    place.set_yticklabels(tags)
    place.set(xlim=(-0.5, len(tokens) - 0.5), ylim=(len(tags) - 0.5, -0.5))
    place.grid(False)
    return figure


def sequence_cost(times: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Figure:
    """Milliseconds over the length of the sentence: lengths and times for each method."""
    figure, place = plt.subplots(figsize=(6, 4))
    for (name, (lengths, values)), colour, marker in zip(times.items(), (RED, BLUE), "os", strict=True):
        place.plot(lengths, values, marker=marker, color=colour, label=name)
    place.set(xscale="log", yscale="log", xlabel="tokens T", ylabel="milliseconds")
    place.set(title="What does the sum over all sequences cost?")
    place.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    place.legend()
    return figure


def chain_gain(signals: Sequence[float], scores: Mapping[str, np.ndarray]) -> Figure:
    """Accuracy of several taggers (signals, seeds) over how much a word tells by itself; bands from worst to best."""
    figure, place = plt.subplots(figsize=(6, 4.2))
    for (name, values), colour, marker in zip(scores.items(), (ORANGE, BLUE, BLACK), "os^", strict=True):
        place.plot(signals, values.mean(1), marker=marker, color=colour, label=name)
        place.fill_between(signals, values.min(1), values.max(1), color=colour, alpha=0.2, linewidth=0)
    place.set(xlabel="strength of a word's own evidence\n(standard deviations of the noise)", ylabel="accuracy of tags")
    place.set(title="When does the chain help?")
    place.legend()
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


def _node(place: Axes, centre: tuple[float, float], text: str, colour: str) -> None:
    """A round label that keeps its shape whatever the scale of the axes."""
    shape = {"boxstyle": "circle,pad=0.3", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
    place.text(*centre, text, ha="center", va="center", bbox=shape)
