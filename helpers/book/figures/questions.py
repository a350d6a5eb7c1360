"""The plots of the chapter on questions: windows over a context, and what a threshold on the margin gives."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.book.figures.style import BLACK, BLUE, ORANGE, RED


def windows(spans: Sequence[tuple[int, int]], answer: tuple[int, int]) -> Figure:
    """Which characters [start, end) of a context each window reads, and where the answer stands."""
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.35 * len(spans)))
    for height, (start, end) in enumerate(spans, start=1):
        whole = start <= answer[0] and answer[1] <= end
        axes.barh(height, end - start, left=start, height=0.6, color=BLUE if whole else "#a8c6da")
    axes.axvspan(*answer, color=RED, alpha=0.8, linewidth=0)
    axes.set(xlabel="character of the context", ylabel="window", title="Which windows hold the answer whole?")
    axes.set_yticks(range(1, len(spans) + 1))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return figure


def answering(curve: pd.DataFrame, chosen: float) -> Figure:
    """Precision over recall, and F1 over the share of questions that are answered, with the chosen threshold.

    Args:
        curve: as `helpers.tasks.extraction.spans.answering_curve` returns it.
        chosen: a threshold; -inf answers every question.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.6))
    point = curve.iloc[int(np.argmin(np.abs(curve["answered"] - _share(curve, chosen))))]
    tail = curve[curve["answered"] >= 0.02]  # with fewer answers precision is noise
    left.plot(tail["recall"], tail["precision"], color=BLUE)
    left.plot(point["recall"], point["precision"], "o", color=RED, label="chosen on validation")
    left.set(xlabel="recall", ylabel="precision", title="Is it right when it answers?")
    left.legend(loc="upper right")
    right.plot(curve["answered"], curve["f1"], color=ORANGE)
    right.plot(point["answered"], point["f1"], "o", color=RED)
    right.axhline(curve["f1"].iloc[0], color=BLACK, linestyle="--", linewidth=1, label="never answers")
    right.set(xlabel="share of questions answered", ylabel="F1", title="How often should it answer?")
    right.legend(loc="center right")
    return figure


def _share(curve: pd.DataFrame, threshold: float) -> float:
    """The share of questions with a margin above the threshold."""
    return float(curve.loc[curve["threshold"] >= threshold, "answered"].max())
