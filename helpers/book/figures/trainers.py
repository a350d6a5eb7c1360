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
        axes.set(xlabel="training rows read", ylabel="loss in nats", ylim=(0, None))
        axes.legend()
    return figure
