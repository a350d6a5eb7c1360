"""Losses of trainers that are to take the same steps."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers.book.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE

Losses = Mapping[str, tuple[Sequence[int], Sequence[float]]]
_LINES = {  # by trainer; the thinner lie above the wider, so that all show where they agree
    "plain": {"color": BLUE, "linewidth": 8, "alpha": 0.3},
    "Trainer": {"color": ORANGE, "linewidth": 3},
    "SFTTrainer": {"color": GREEN, "linewidth": 3},
    "helpers": {"color": BLACK, "linewidth": 1},
}


def overlaid(panels: Mapping[str, Losses]) -> Figure:
    """Losses over the training rows read, one panel below the other; lines that agree lie on each other.

    Args:
        panels: by title, of at most four runs by name the rows read (S,) and the losses (S,). A name begins with the
            trainer, whose colour the line has; what follows after a comma, as in "Trainer, by itself", makes it dashed.
    """
    figure, every = plt.subplots(len(panels), 1, figsize=(7, 3.3 * len(panels)), squeeze=False, layout="constrained")
    for axes, (title, runs) in zip(every[:, 0], panels.items(), strict=True):
        for name, (rows, losses) in runs.items():
            trainer, *own = name.split(", ")
            style = _LINES.get(trainer, {"color": GREY, "linewidth": 1.5})
            if own or trainer not in _LINES:
                style = style | {"linewidth": 1.5, "linestyle": "--", "alpha": 1}
            axes.plot(rows, losses, label=name, zorder=3 - style["linewidth"] / 10, **style)
        axes.set_title(title, loc="left")
        axes.set(xlabel="training rows read", ylabel="loss in nats")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.24), ncols=2, fontsize=11, columnspacing=1)
    return figure


def agreement(sizes: Sequence[float], differences: Sequence[float], bound: float) -> Figure:
    """By how much two programs differ in each of several tensors, over the tensor's largest entry, and a bound.

    What does not differ at all is drawn at the lowest difference.
    """
    figure, axes = plt.subplots(figsize=(7, 3.6))
    least = min((each for each in differences if each > 0), default=bound)
    axes.scatter(sizes, [max(each, least) for each in differences], color=BLUE, alpha=0.5, s=22)
    axes.axhline(bound, color=GREY, linestyle="--", linewidth=1)
    axes.set(xscale="log", yscale="log", ylim=(least / 1.5, max(bound, *differences) * 1.5))
    axes.set(xlabel="largest absolute value of the tensor", ylabel="largest difference")
    return figure
