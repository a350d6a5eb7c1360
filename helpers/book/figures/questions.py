"""The plot of the chapter on questions: what silence costs at every threshold on the margin."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from helpers.book.figures.style import BLUE, GREY, RED


def silence(margins: np.ndarray, answerable: np.ndarray, chosen: float) -> Figure:
    """Silence where there is no answer over silence where there is one, as the threshold rises.

    A question gets no answer if its margin is not above the threshold. On the diagonal the margin knows nothing.

    Args:
        margins: of the best span of each question, shape (N,).
        answerable: whether it has an answer, shape (N,), booleans.
        chosen: a threshold; -inf answers every question.
    """
    some, none = np.sort(margins[answerable]), np.sort(margins[~answerable])

    def silent(kind: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        return np.searchsorted(kind, thresholds, side="right") / len(kind)

    thresholds = np.concatenate([[-np.inf], np.unique(margins)])
    figure, axes = plt.subplots(figsize=(5.6, 4.6))
    axes.plot(silent(some, thresholds), silent(none, thresholds), color=BLUE)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    axes.text(0.62, 0.5, "a margin that\nknows nothing", color=GREY, va="top")
    x, y = (silent(kind, np.array([chosen]))[0] for kind in (some, none))
    axes.plot(x, y, "o", color=RED)
    axes.annotate("chosen on validation", (x, y), (x + 0.12, y - 0.02), color=RED, va="center")
    axes.set(
        xlim=(-0.02, 1), ylim=(-0.02, 1), xlabel="silent where there is an answer", title="What does silence cost?"
    )
    axes.set_ylabel("silent where there is none")
    return figure
