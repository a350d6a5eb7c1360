"""The plots of the chapters on background and concepts: data in, a matplotlib figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from helpers.book.figures.page import NARROW
from helpers.book.figures.style import BLACK, BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, SKY

SIDES = tuple(
    (x, y, across, up)
    for y, up in ((3, "bottom"), (-3, "top"), (12, "bottom"), (-12, "top"))
    for x, across in ((5, "left"), (-5, "right"))
)
GROUPS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (RED, "D"), (PURPLE, "v"), (BLACK, "P"))


def labels_saved(results: pd.DataFrame, rows: int, needed: float) -> Figure:
    """Fine-tuned and counted words over the labels, and an arrow from the one to the other at equal accuracy.

    Args:
        results: columns system, train_rows and accuracy, one row per run.
        rows: labels of the fine-tuned system where the arrow begins.
        needed: labels with which counted words are as good; the arrow ends there.
    """
    figure, axes = plt.subplots(figsize=(7, 4.2))
    _named_line(axes, results, "tf-idf", "counted words (TF-IDF)", 0, xytext=(8, -12))
    level = _named_line(axes, results, "fine-tuned", "fine-tuned BERT", -1, xytext=(-12, 9), ha="right")[rows]
    ends = {"arrowstyle": "-|>", "color": BLACK, "shrinkA": 8, "shrinkB": 0}
    axes.annotate("", (needed, level), (rows, level), arrowprops=ends)
    below = {"xytext": (8, -6), "textcoords": "offset points", "va": "top", "fontsize": 10}
    axes.annotate(f"{needed / rows:.0f} times the labels", (rows, level), **below)
    sizes = sorted(results["train_rows"].unique())
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="labelled training rows", ylabel="accuracy", title="How many labels does pretraining save?")
    axes.margins(y=0.12)
    return figure


def _named_line(axes: Axes, results: pd.DataFrame, system: str, name: str, at: int, **place) -> pd.Series:
    """Draw the mean of a system over its training rows, the band of its runs, and its name at a point of the line.

    Returns the means by rows.
    """
    runs = results[results["system"] == system]
    by_size = runs.groupby("train_rows")["accuracy"].agg(["mean", "min", "max", "size"])
    axes.plot(by_size.index, by_size["mean"], marker="o", color=COLOURS[system])
    several = by_size[by_size["size"] > 1]  # one run has no band
    axes.fill_between(several.index, several["min"], several["max"], color=COLOURS[system], alpha=0.2, linewidth=0)
    point = (by_size.index[at], by_size["mean"].iloc[at])
    axes.annotate(name, point, textcoords="offset points", color=COLOURS[system], weight="bold", **place)
    return by_size["mean"]


def word_map(groups: Mapping[str, Sequence[str]], points: Mapping[str, np.ndarray]) -> Figure:
    """Words as points in a plane, (words, 2) per group, each group in its own colour and marker."""
    written = []
    figure, axes = plt.subplots(figsize=(6.4, 5.2))
    for (name, words), (colour, marker) in zip(groups.items(), GROUPS, strict=False):
        axes.scatter(*points[name].T, color=colour, marker=marker, label=name)
        for word, point in zip(words, points[name], strict=True):
            written.append(axes.annotate(word, point, (0, 0), textcoords="offset points", color=colour, fontsize=9.5))
            written[-1].set_in_layout(False)
    axes.set(xlabel="strongest direction", ylabel="second direction", title="Do like words lie together?")
    axes.margins(x=0.22, y=0.16)
    axes.legend(ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    _write_apart(figure, written)
    return figure


def pretraining_curve(history: pd.DataFrame, vocabulary: int, words_alone: float) -> Figure:
    """Loss over tokens read, beside that of a uniform prediction and that of the tokens' frequencies.

    Args:
        history: columns tokens, loss and held_out, as `pretraining.pretrain` returns them.
        words_alone: nats per token of a model that predicts each token's frequency.
    """
    figure, axes = plt.subplots(figsize=(6.4, 5))
    tokens = history["tokens"] / 1000
    axes.plot(tokens, history["loss"], color=SKY, linewidth=1.3, label="training, each step")
    scored = history.dropna(subset=["held_out"])
    axes.plot(scored["tokens"] / 1000, scored["held_out"], "o-", color=BLUE, label="texts not trained on")
    levels = {f"knows nothing: log {vocabulary:,}": np.log(vocabulary), "knows how frequent tokens are": words_alone}
    for (name, level), line in zip(levels.items(), ("--", ":"), strict=True):
        axes.axhline(level, color=BLACK, linestyle=line, linewidth=1, label=name)
    axes.set(
        xlabel="thousand tokens read", ylabel="loss (nats a token)", title="What does pretraining learn, and when?"
    )
    axes.legend(fontsize=10, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    return figure


def weight_change(change: pd.Series) -> Figure:
    """How far the weights of each part moved, relative to their size; index the parts in the order of the network."""
    figure, axes = plt.subplots(figsize=(6.4, 0.3 * len(change) + 1))
    axes.bar_label(axes.barh(change.index, 100 * change, color=BLUE), fmt="%.1f", padding=3)
    axes.margins(x=0.14)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="change in % of the weights' own size", title="Which parts does fine-tuning move?")
    return figure


def before_and_after(clouds: Mapping[str, np.ndarray], labels: np.ndarray, names: Sequence[str]) -> Figure:
    """Texts as points, (N, 2) before and after, coloured by label (N,)."""
    figure, panels = plt.subplots(len(clouds), 1, figsize=(6, 3.4 * len(clouds)))
    for axes, (title, points) in zip(panels, clouds.items(), strict=True):
        for label, (name, (colour, marker)) in enumerate(zip(names, (GROUPS[3], GROUPS[0]), strict=False)):
            own = labels == label
            axes.scatter(*points[own].T, color=colour, marker=marker, s=16, alpha=0.6, linewidth=0, label=name)
        axes.set(title=title, xlabel="strongest direction", ylabel="second direction")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncol=2, markerscale=1.6)
    return figure


def _write_apart(figure: Figure, words: Sequence[Annotation]) -> None:
    """Move each word to the first side of its point where it covers no point and no other word, on page and phone."""
    size, frame = figure.get_size_inches(), words[0].axes.bbox
    pages = []  # of each width: the points in pixels, what is taken already, and the ends of the axes
    for width in (NARROW, size[0]):
        figure.set_size_inches(width, size[1])
        figure.draw_without_rendering()  # positions are known only after the layout
        points = [word.axes.transData.transform(word.xy) for word in words]
        pages.append((points, [Bbox([point - 4, point + 4]) for point in points], (frame.x0, frame.x1)))
    for number, word in enumerate(words):
        for x, y, across, up in SIDES:
            word.set(position=(x, y), ha=across, va=up)
            around = word.get_window_extent().translated(*-points[number])
            boxes = [around.translated(*own[number]) for own, _, _ in pages]
            if all(map(_is_free, boxes, pages)):
                break
        for box, (_, taken, _) in zip(boxes, pages, strict=True):
            taken.append(box)


def _is_free(box: Bbox, page: tuple) -> bool:
    _, taken, (left, right) = page
    return left <= box.x0 and box.x1 <= right and not any(box.overlaps(other) for other in taken)
