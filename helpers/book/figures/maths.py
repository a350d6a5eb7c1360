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
    """Which query (row) may look at which key (column): one boolean grid (T, T) per name."""
    figure, panels = plt.subplots(2, 2, figsize=(6, 6.4))
    for axes, (name, grid) in zip(panels.flat, grids.items(), strict=True):
        axes.imshow(grid, cmap=SHARES, vmin=0, vmax=1.3)
        axes.set(title=name, xticks=range(len(words)), yticks=range(len(words)))
        axes.set_xticklabels(words, rotation=90)
        axes.set_yticklabels(words)
        _cells(axes, grid.shape)
    figure.supxlabel("key")
    figure.supylabel("query")
    return figure


def head_blocks(heads: int) -> Figure:
    """Multi-head attention as a block matrix: the heads side by side times their slices of the output matrix."""
    figure, axes = plt.subplots(figsize=(6, 4.6))
    for h in range(heads):
        colour = HEADS[h % len(HEADS)]
        _box(axes, (h * 1.2, 2.6), 1.2, 2.4, colour, f"$A_{h + 1}V_{h + 1}$")
        _box(axes, (heads * 1.2 + 1, 4.55 - 0.9 * h), 2.6, 0.9, colour, f"$W^O_{h + 1}$")
        _box(axes, (0.8 + h * 2.7, 0), 2.1, 1.7, colour, f"$A_{h + 1}V_{h + 1}W^O_{h + 1}$")
        axes.text(0.5 + h * 2.7, 0.85, "+" if h else "=", ha="center", va="center", fontsize=17)
    axes.text(heads * 1.2 + 0.5, 3.8, "·", ha="center", va="center", fontsize=22)
    axes.axis("off")
    axes.set_aspect("equal")
    axes.autoscale_view()
    return figure


def cost(lengths: np.ndarray, seconds: Mapping[str, np.ndarray], megabytes: Mapping[str, np.ndarray]) -> Figure:
    """Time and peak memory (L,) of several kernels over L sequence lengths, with slopes T and T² to compare."""
    figure, panels = plt.subplots(2, 1, figsize=(6, 6.8), sharex=True)
    titles = {"milliseconds": seconds, "peak megabytes": megabytes}
    for axes, (unit, rows) in zip(panels, titles.items(), strict=True):
        for (name, values), marker, colour in zip(rows.items(), "os^", (RED, BLUE, GREEN), strict=False):
            axes.plot(lengths, values, marker=marker, color=colour, label=name)
        last = next(iter(rows.values()))[-1]
        growth = lengths / lengths[-1]
        axes.plot(lengths, last * growth**2, color=BLACK, linewidth=1, linestyle="--", label="grows as $T^2$")
        axes.plot(lengths, last * growth, color=BLACK, linewidth=1, linestyle=":", label="grows as $T$")
        axes.set(xscale="log", yscale="log", ylabel=unit)
    panels[0].set(title="What does a longer text cost?")
    panels[0].legend(fontsize=10)
    panels[1].set(xlabel="tokens $T$")
    panels[1].set_xticks(lengths, [str(length) for length in lengths])
    panels[1].xaxis.set_minor_locator(NullLocator())
    return figure


def attention_map(tokens: Sequence[str], weights: np.ndarray, title: str) -> Figure:
    """The weights (T, T) of one head: row = the token that looks, column = the token that is looked at."""
    figure, axes = plt.subplots(figsize=(6, 6))
    image = axes.imshow(weights, cmap=SHARES, vmin=0, vmax=1)
    axes.set(xticks=range(len(tokens)), yticks=range(len(tokens)), title=title)
    axes.set_xticklabels(tokens, rotation=90)
    axes.set_yticklabels(tokens)
    axes.set(xlabel="takes from", ylabel="token")
    _cells(axes, weights.shape)
    figure.colorbar(image, ax=axes, label="weight", shrink=0.7)
    return figure


def head_table(values: np.ndarray, title: str, label: str) -> Figure:
    """One number for each layer and head (layers, H), from 0 to 1, as shades with the percent written in."""
    figure, axes = plt.subplots(figsize=(7, 3.9))
    axes.imshow(values, cmap=SHARES, vmin=0, vmax=1, aspect="auto")
    for (layer, head), value in np.ndenumerate(values):
        colour = "white" if value > 0.6 else BLACK
        axes.text(head, layer, f"{value:.0%}".rstrip("%"), ha="center", va="center", color=colour)
    axes.set(title=title, xlabel=f"head (cells: {label}, %)", ylabel="layer")
    axes.set(xticks=range(values.shape[1]), yticks=range(values.shape[0]))
    _cells(axes, values.shape)
    return figure


def by_layer(rows: np.ndarray, title: str, label: str) -> Figure:
    """Mean and interval for each layer: columns mean, low, high (layers, 3); zero is drawn."""
    figure, axes = plt.subplots(figsize=(6, 3.8))
    mean, low, high = rows.T
    axes.axhline(0, color=BLACK, linewidth=1)
    axes.errorbar(range(len(rows)), mean, yerr=[mean - low, high - mean], fmt="o", color=BLUE, capsize=5)
    axes.set(title=title, xlabel="layer", ylabel=label, ylim=(-1, 1))
    axes.xaxis.set_major_locator(MultipleLocator(1))
    return figure


def likelihood(chances: np.ndarray, losses: np.ndarray) -> Figure:
    """Negative log-likelihood over the parameter of a coin, with its lowest point marked."""
    figure, axes = plt.subplots(figsize=(6, 3.6))
    best = losses.argmin()
    axes.plot(chances, losses, color=BLUE)
    axes.plot(chances[best], losses[best], "o", color=RED, markersize=9)
    axes.annotate(
        f"lowest at {chances[best]:.2f}", (chances[best], losses[best]), xytext=(0, 14), textcoords="offset points",
        color=RED, ha="center",
    )  # fmt: skip
    axes.set(xlabel="chance of heads", ylabel="negative log-likelihood (nats)", title="Which coin explains the tosses?")
    return figure


def entropy_and_kl(shares: np.ndarray, entropy: float, costs: np.ndarray, true: float) -> Figure:
    """Cross-entropy over the predicted share as a constant floor, the entropy, plus the Kullback-Leibler cost."""
    figure, axes = plt.subplots(figsize=(6, 3.8))
    axes.fill_between(shares, 0, entropy, color=ORANGE, alpha=0.5, label="entropy: chance, stays", linewidth=0)
    axes.fill_between(shares, entropy, entropy + costs, color=SKY, alpha=0.6, label="KL: can be learned", linewidth=0)
    axes.plot(shares, entropy + costs, color=BLUE, label="cross-entropy")
    axes.axvline(true, color=BLACK, linestyle="--", linewidth=1)
    axes.annotate("truth", (true, 0), xytext=(5, 6), textcoords="offset points")
    axes.set(xlabel="predicted chance", ylabel="nats", title="How low can the loss get?")
    axes.set_ylim(0, 1.5 * (entropy + costs.max()))
    axes.legend(loc="upper center")
    return figure


def gradient_bars(classes: Sequence[str], probs: np.ndarray, truth: np.ndarray) -> Figure:
    """Probabilities (C,), the one-hot truth (C,) and their difference, which is the gradient."""
    figure, axes = plt.subplots(figsize=(6, 3.8))
    at = np.arange(len(classes))
    for shift, (name, values, colour) in enumerate(
        [("p (predicted)", probs, BLUE), ("y (truth)", truth, ORANGE), ("p - y (gradient)", probs - truth, RED)]
    ):
        axes.bar(at + (shift - 1) * 0.27, values, width=0.25, color=colour, label=name)
    axes.axhline(0, color=BLACK, linewidth=1)
    axes.set(xticks=at, ylabel="probability", title="Which scores rise, which fall?", ylim=(-1.05, 1.4))
    axes.set_xticklabels(classes)
    axes.legend(ncol=3, fontsize=10, loc="upper center", columnspacing=1)
    return figure


def token_bars(tokens: Sequence[str], values: np.ndarray, title: str, label: str) -> Figure:
    """One bar per token (T,), in reading order from top to bottom."""
    figure, axes = plt.subplots(figsize=(6, 0.8 + 0.32 * len(tokens)))
    axes.barh(range(len(tokens)), values, color=BLUE)
    axes.set(yticks=range(len(tokens)), xlabel=label, title=title)
    axes.set_yticklabels(tokens)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return figure


def averages(lengths: np.ndarray, weights: Mapping[str, np.ndarray]) -> Figure:
    """How much one token of each row counts under each average, relative to the token mean: (rows,) per name."""
    figure, axes = plt.subplots(figsize=(6, 4))
    for (name, values), colour, marker in zip(weights.items(), (BLUE, ORANGE, RED), "os^", strict=True):
        axes.plot(range(len(lengths)), values, marker=marker, color=colour, label=name)
    axes.set(ylabel="weight of one token\n(token mean = 1)", title="Whose tokens count how much?", yscale="log")
    axes.set(xticks=range(len(lengths)), xlabel="supervised tokens in the row")
    axes.set_xticklabels([str(length) for length in lengths])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    labelled = (0.2, 0.3, 0.5, 0.7, 2, 3, 5)
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if round(value, 6) in labelled else "")
    axes.legend()
    return figure


def smoothing(shares: np.ndarray, scores: Mapping[str, np.ndarray]) -> Figure:
    """Scores (shares, seeds), one panel each: every seed as a point, their mean as a line."""
    figure, panels = plt.subplots(len(scores), 1, figsize=(6, 2.5 * len(scores)), sharex=True)
    for axes, (name, values) in zip(panels, scores.items(), strict=True):
        axes.plot(np.repeat(shares, values.shape[1]), values.ravel(), "o", color=BLUE, alpha=0.35, markersize=5)
        axes.plot(shares, values.mean(1), color=BLUE)
        axes.set(ylabel=name)
    panels[0].set(title="What does label smoothing change?")
    panels[-1].set(xlabel="smoothing ε")
    return figure


def chains() -> Figure:
    """What depends on what: tags y and words x without links, with arrows (MEMM) and with links (CRF)."""
    figure, panels = plt.subplots(3, 1, figsize=(6, 6))
    names = ["each tag alone", "MEMM: each step is a softmax of its own", "CRF: one softmax over whole sequences"]
    for axes, name in zip(panels, names, strict=True):
        for t in range(4):
            _node(axes, (t, 1), f"$y_{t + 1}$", BLUE)
            _node(axes, (t, 0), f"$x_{t + 1}$", GREY)
            axes.annotate("", (t, 0.72), (t, 0.28), arrowprops={"arrowstyle": "-|>" if axes is not panels[2] else "-"})
            if t and axes is not panels[0]:
                style = "-|>" if axes is panels[1] else "-"
                axes.annotate("", (t - 0.17, 1), (t - 0.83, 1), arrowprops={"arrowstyle": style})
        axes.set(title=name, xlim=(-0.6, 3.6), ylim=(-0.4, 1.4))
        axes.axis("off")
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


def trellis(
    tokens: Sequence[str],
    tags: Sequence[str],
    values: np.ndarray,
    title: str,
    origins: np.ndarray | None = None,
    path: Sequence[int] = (),
) -> Figure:
    """Tags over tokens, a value in each node (T, C); the best origin of each (T-1, C) and the best path if given."""
    figure, axes = plt.subplots(figsize=(6, 1.4 + 1.1 * len(tags)))
    for t in range(1, len(tokens)):
        for i, j in np.ndindex(len(tags), len(tags)):
            best = origins is not None and origins[t - 1, j] == i
            axes.plot([t - 1, t], [i, j], color=BLACK if best else GREY, linewidth=2.5 if best else 0.8, zorder=0)
    if len(path):
        axes.plot(range(len(path)), path, color=ORANGE, linewidth=9, alpha=0.6, zorder=0.5, solid_capstyle="round")
    for (t, tag), value in np.ndenumerate(values):
        _node(axes, (t, tag), f"{value:.2f}", ORANGE if len(path) and path[t] == tag else BLUE)
    axes.set(title=title, xticks=range(len(tokens)), yticks=range(len(tags)))
    axes.set_xticklabels(tokens)
    axes.set_yticklabels(tags)
    axes.set(xlim=(-0.5, len(tokens) - 0.5), ylim=(len(tags) - 0.5, -0.5))
    axes.grid(False)
    return figure


def sequence_cost(times: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Figure:
    """Milliseconds over the length of the sentence: lengths and times for each method."""
    figure, axes = plt.subplots(figsize=(6, 4))
    for (name, (lengths, values)), colour, marker in zip(times.items(), (RED, BLUE), "os", strict=True):
        axes.plot(lengths, values, marker=marker, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="tokens T", ylabel="milliseconds")
    axes.set(title="What does the sum over all sequences cost?")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
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


def _cells(axes: Axes, shape: tuple[int, int]) -> None:
    """Lines between the cells of a grid instead of lines through them."""
    axes.grid(False)
    axes.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color=GREY, linewidth=0.5, alpha=0.5)
    axes.tick_params(which="minor", length=0)


def _box(axes: Axes, corner: tuple[float, float], width: float, height: float, colour: str, text: str, size=12):
    axes.add_patch(plt.Rectangle(corner, width, height, facecolor=colour, alpha=0.35, edgecolor=BLACK))
    axes.text(corner[0] + width / 2, corner[1] + height / 2, text, ha="center", va="center", fontsize=size)


def _node(axes: Axes, centre: tuple[float, float], text: str, colour: str) -> None:
    """A round label that keeps its shape whatever the scale of the axes."""
    shape = {"boxstyle": "circle,pad=0.3", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
    axes.text(*centre, text, ha="center", va="center", bbox=shape)
