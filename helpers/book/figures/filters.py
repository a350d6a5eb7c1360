"""Plots of a filter: what it catches for the good mail that it loses, and how it fares when its enemy adapts."""

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from helpers.book.figures.style import COLOURS, GREEN, PURPLE

_COLOURS = COLOURS | {"spambayes": GREEN, "frozen": PURPLE}  # apart from TF-IDF and fine-tuned on one plot


def operating_curve(scores: Mapping[str, np.ndarray], positive: np.ndarray, *, most: float = 0.1) -> Figure:
    """The share of positives that each system catches over the share of negatives that it flags, on a log scale.

    Args:
        scores: by system, shape (N,); higher means more likely positive.
        positive: whether each row is, shape (N,).
        most: the largest share of flagged negatives that is shown; the smallest is one row.
    """
    figure, axes = plt.subplots()
    least = 1 / (~positive).sum()
    for system, score in scores.items():
        false, true, _ = roc_curve(positive, score, drop_intermediate=False)
        colour = _COLOURS.get(system.lower(), COLOURS["other"])
        axes.step(np.maximum(false, least / 2), true, where="post", color=colour, label=system)
    axes.set_xscale("log")
    ticks = [tick for tick in (0.001, 0.003, 0.01, 0.03, 0.1) if least <= tick <= most]
    axes.set_xticks(ticks, [f"{tick:.1%}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlim=(least / 2, most), ylim=(0, 1.02), xlabel="good mail that is lost", ylabel="spam that is caught")
    axes.set_title("What does a caught mail cost in good ones?")
    axes.legend(loc="lower right")
    return figure


def over_misspelling(table: pd.DataFrame) -> Figure:
    """The share of spam caught over the share of misspelled words, with intervals.

    Args:
        table: columns system, misspelled, value, low, high. What stands behind a comma in the name of a system, as in
            "TF-IDF, 400 mails", says how else it was fed: it has the colour of the system and a dashed line.
    """
    figure, axes = plt.subplots(figsize=(7, 4.6))
    by_system = table.groupby("system", sort=False)
    for number, ((system, rows), marker) in enumerate(zip(by_system, cycle("osD^vP"), strict=False)):
        name, _, fed = system.partition(", ")
        colour = _COLOURS.get(name.lower(), COLOURS["other"])
        errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        beside = rows["misspelled"] + 0.004 * number  # so that intervals do not hide each other
        style = {"marker": marker, "linestyle": "--" if fed else "-", "color": colour}
        axes.errorbar(beside, rows["value"], yerr=errors, capsize=3, label=system, **style)
    shares = sorted(table["misspelled"].unique())
    axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
    axes.set(ylim=(0, 1.02), xlabel="misspelled words in spam", ylabel="spam that is caught")
    axes.set_title("What if senders misspell?")
    axes.legend(loc="lower left", fontsize=10)
    return figure
