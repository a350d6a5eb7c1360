"""Plots of the chapter on sequence labelling."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.book.figures.style import BLACK, BLUE, GREY, ORANGE, RED


def pieces(words: Sequence[str], tags: Sequence[str], tokens: Sequence[str], word_ids: Sequence[int | None]) -> Figure:
    """Words with their tags above, and the pieces they become below; a line marks each word's first piece.

    Args:
        words, tags: shape (W,).
        tokens: the pieces, special tokens included, shape (T,).
        word_ids: the word of each piece, None for special tokens, shape (T,).
    """
    figure, axes = plt.subplots(figsize=(6.4, 2.9))
    firsts = [list(word_ids).index(word) for word in range(len(words))]
    for number, (word, tag, first) in enumerate(zip(words, tags, firsts, strict=True)):
        colour = BLACK if tag == "O" else BLUE
        middle = first + (sum(owner == number for owner in word_ids) - 1) / 2
        axes.text(middle, 2.45, tag, ha="center", va="center", color=colour, weight="bold", fontsize=10)
        axes.text(middle, 2.0, word, ha="center", va="center", color=colour)
        axes.plot([first, middle], [1.25, 1.75], color=colour, linewidth=1.5)
    for at, (token, word) in enumerate(zip(tokens, word_ids, strict=True)):
        is_first = at in firsts
        box = {"boxstyle": "round,pad=0.3", "facecolor": "#dcebf7" if is_first else "#eeeeee", "edgecolor": "none"}
        axes.text(at, 1.0, token, ha="center", va="center", rotation=90, bbox=box, color=BLACK)
        if word is None:
            axes.text(at, 0.2, "special", ha="center", va="center", fontsize=8, color=GREY)
    axes.set(xlim=(-0.6, len(tokens) - 0.4), ylim=(0, 2.7), title="Which piece speaks for which word?")
    axes.axis("off")
    return figure


def gains(names: Sequence[str], means: np.ndarray, intervals: np.ndarray, title: str, label: str) -> Figure:
    """Paired differences, a dot with its 95 % interval each, and a line at zero.

    Args:
        names: shape (R,).
        means: shape (R,); intervals: low and high ends, shape (R, 2).
    """
    figure, axes = plt.subplots(figsize=(6.4, 0.55 * len(names) + 1.5))
    at = np.arange(len(names))[::-1]
    axes.axvline(0, color=BLACK, linewidth=1)
    for row, mean, (low, high) in zip(at, means, intervals, strict=True):
        colour = BLUE if low > 0 else RED if high < 0 else ORANGE
        axes.plot([low, high], [row, row], color=colour)
        axes.plot(mean, row, "o", color=colour, markersize=8)
    axes.set(yticks=at, xlabel=label, title=title, ylim=(-0.6, len(names) - 0.4))
    axes.set_yticklabels(names)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure


def transitions(scores: np.ndarray, tags: Sequence[str]) -> Figure:
    """Transition scores as a table of colours, from row to column; shape (C, C)."""
    figure, axes = plt.subplots(figsize=(5, 4.2))
    most = np.abs(scores).max()
    axes.imshow(scores, cmap="RdBu", vmin=-most, vmax=most)
    for (row, column), score in np.ndenumerate(scores):
        strong = abs(score) > 0.6 * most
        axes.text(column, row, f"{score:+.2f}", ha="center", va="center", color="white" if strong else BLACK)
    ticks = range(len(tags))
    axes.set(xticks=ticks, yticks=ticks, xlabel="to", ylabel="from", title="Which tag likes to follow which?")
    axes.set_xticklabels(tags)
    axes.set_yticklabels(tags)
    axes.grid(False)
    return figure
