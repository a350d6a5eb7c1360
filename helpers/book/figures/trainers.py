"""Losses of trainers that are to take the same steps."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.book.figures.style import BLACK, BLUE, GREY, ORANGE

Losses = Mapping[str, tuple[Sequence[int], Sequence[float]]]
_LINES = (  # each thinner than the one below it, so that all show where they agree
    {"color": BLUE, "linewidth": 8, "alpha": 0.35},
    {"color": ORANGE, "linewidth": 3.5},
    {"color": BLACK, "linewidth": 1.2},
    {"color": GREY, "linewidth": 1.5, "linestyle": "--"},
)


def overlaid(panels: Mapping[str, Losses]) -> Figure:
    """Losses over the training rows read, one panel below the other; lines that agree lie on each other.

    Args:
        panels: by title, of at most four runs by name the rows read (S,) and the losses (S,).
    """
    figure, every = plt.subplots(len(panels), 1, figsize=(7, 2.9 * len(panels)), squeeze=False, layout="constrained")
    for axes, (title, runs) in zip(every[:, 0], panels.items(), strict=True):
        for (name, (rows, losses)), style in zip(runs.items(), _LINES, strict=False):
            axes.plot(rows, losses, label=name, **style)
        axes.set_title(title, loc="left")
        room = 2.1 * max(max(losses) for _, losses in runs.values())  # for the legend above what falls
        axes.set(xlabel="training rows read", ylabel="loss in nats", ylim=(0, room))
        axes.legend(loc="upper right")
    return figure


def agreement(sizes: Sequence[float], differences: Sequence[float], bound: float) -> Figure:
    """By how much two programs differ in each of several tensors, over the tensor's largest number, and a bound.

    What does not differ at all is drawn at the lowest difference.
    """
    figure, axes = plt.subplots(figsize=(7, 3.6))
    least = min((each for each in differences if each > 0), default=bound)
    axes.scatter(sizes, [max(each, least) for each in differences], color=BLUE, alpha=0.6, s=22)
    axes.axhline(bound, color=GREY, linestyle="--", linewidth=1)
    axes.text(min(sizes), bound * 1.25, f"{bound:g}", color=GREY, va="bottom")
    axes.set(xscale="log", yscale="log", ylim=(least / 3, bound * 6))
    axes.set(xlabel="largest number of the tensor", ylabel="largest difference")
    return figure
