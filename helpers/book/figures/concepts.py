"""The plots of the chapters on background and concepts: data in, a matplotlib figure out."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from helpers.book.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED

SIDES = tuple(
    (x, y, across, up)
    for y, up in ((3, "bottom"), (-3, "top"), (12, "bottom"), (-12, "top"))
    for x, across in ((5, "left"), (-5, "right"))
)
GROUPS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (RED, "D"), (PURPLE, "v"), (BLACK, "P"))


def two_stages() -> Figure:
    """Pretraining once on much text without labels, then fine-tuning for each task on few labelled rows."""
    figure, axes = plt.subplots(figsize=(6, 4.2))
    _box(axes, (0, 2.2), GREY, "much text, no labels")
    _box(axes, (0, 0), GREY, "a few hundred\nlabelled rows")
    _box(axes, (3.2, 2.2), BLUE, "pretraining\nonce, months")
    _box(axes, (3.2, 0), ORANGE, "fine-tuning\neach task, minutes")
    _box(axes, (6.4, 2.2), BLUE, "pretrained\nmodel")
    _box(axes, (6.4, 0), ORANGE, "model for\nyour task")
    for start, end in (
        ((2.6, 2.8), (3.2, 2.8)), ((5.8, 2.8), (6.4, 2.8)), ((2.6, 0.6), (3.2, 0.6)), ((5.8, 0.6), (6.4, 0.6)),
        ((6.9, 2.2), (5.3, 1.2)),
    ):  # fmt: skip
        axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": BLACK})
    axes.set(xlim=(-0.1, 9.1), ylim=(-0.2, 3.6))
    axes.axis("off")
    return figure


def word_map(groups: Mapping[str, Sequence[str]], points: Mapping[str, np.ndarray]) -> Figure:
    """Words as points in a plane, (words, 2) per group, each group in its own colour and marker."""
    written = []
    figure, axes = plt.subplots(figsize=(6.4, 5.2))
    for (name, words), (colour, marker) in zip(groups.items(), GROUPS, strict=False):
        axes.scatter(*points[name].T, color=colour, marker=marker, label=name)
        for word, point in zip(words, points[name], strict=True):
            written.append(axes.annotate(word, point, (0, 0), textcoords="offset points", color=colour, fontsize=10))
    axes.set(xlabel="strongest direction", ylabel="second direction", title="Do like words lie together?")
    axes.margins(0.16)
    axes.legend(ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    _write_apart(figure, written)
    return figure


def pretraining_curve(history: pd.DataFrame, vocabulary: int, words_alone: float) -> Figure:
    """Loss over tokens read, beside that of a uniform prediction and that of the tokens' frequencies.

    Args:
        history: columns tokens, loss and held_out, as `pretraining.pretrain` returns them.
        words_alone: nats per token of a model that predicts each token's frequency.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    tokens = history["tokens"] / 1000
    axes.plot(tokens, history["loss"], color=BLUE, alpha=0.35, linewidth=1, label="training, each step")
    scored = history.dropna(subset=["held_out"])
    axes.plot(scored["tokens"] / 1000, scored["held_out"], "o-", color=BLUE, label="texts not trained on")
    levels = {"knows nothing: log V": np.log(vocabulary), "knows how frequent tokens are": words_alone}
    for (name, level), line in zip(levels.items(), ("--", ":"), strict=True):
        axes.axhline(level, color=BLACK, linestyle=line, linewidth=1, label=name)
    axes.set(
        xlabel="thousand tokens read", ylabel="loss (nats a token)", title="What does pretraining learn, and when?"
    )
    axes.legend(fontsize=10, loc="center right", bbox_to_anchor=(1, 0.68))
    return figure


def weight_change(change: pd.Series) -> Figure:
    """How far the weights of each part moved, relative to their size; index the parts in the order of the network."""
    figure, axes = plt.subplots(figsize=(6.4, 0.42 * len(change) + 1.4))
    axes.barh(change.index, 100 * change, color=BLUE)
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
    panels[0].legend()
    return figure


def _write_apart(figure: Figure, words: Sequence[Annotation]) -> None:
    """Move each word to the first side of its point where it covers no point and no word that is written already."""
    figure.draw_without_rendering()  # positions are known only after the layout
    points = [word.axes.transData.transform(word.xy) for word in words]  # in pixels
    taken = [Bbox([point - 4, point + 4]) for point in points]
    for word in words:
        for x, y, across, up in SIDES:
            word.set(position=(x, y), ha=across, va=up)
            box = word.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)


def _box(axes: Axes, corner: tuple[float, float], colour: str, text: str) -> None:
    axes.add_patch(FancyBboxPatch(corner, 2.6, 1.2, boxstyle="round,pad=0.05", facecolor=colour, alpha=0.15))
    axes.add_patch(FancyBboxPatch(corner, 2.6, 1.2, boxstyle="round,pad=0.05", facecolor="none", edgecolor=colour))
    axes.text(corner[0] + 1.3, corner[1] + 0.6, text, ha="center", va="center", fontsize=11)
