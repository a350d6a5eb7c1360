"""Colours and style of every plot of the book."""

import textwrap

import matplotlib.pyplot as plt
from cycler import cycler

# Okabe and Ito's palette, which readers with any of the common colour deficiencies can tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
GREY = "#767676"
COLOURS = {
    "majority": GREY,
    "most frequent": GREY,
    "classical crf": ORANGE,
    "tf-idf": ORANGE,
    "frozen": SKY,
    "centroid": SKY,
    "naive bayes": BLACK,
    "spambayes": RED,
    "hardened": GREEN,
    "random init": PURPLE,
    "head only": GREEN,
    "fine-tuned": BLUE,
    "decoder, LoRA": GREEN,
    "other": RED,
    "copy": GREY,
    "memory": ORANGE,
    "combined": GREEN,
    "zero-shot": PURPLE,
    "lead": SKY,
    "central": GREEN,
}


def style() -> None:
    """Set the book's matplotlib style: a white ground, so that a figure reads in dark mode too."""
    plt.rcParams.update(
        {
            "figure.figsize": (7, 4),
            "figure.dpi": 100,
            "savefig.dpi": 150,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 12,
            "axes.titlesize": 13,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK]),
        }
    )


def in_lines(names) -> list[str]:
    """Names beside an axis, long ones in several lines, so that a phone leaves half of its width to the plot."""
    return ["\n".join(textwrap.wrap(str(name), 20)) for name in names]


def row_height(names) -> float:
    """Inches that a row of a plot needs for its name."""
    return 0.22 + 0.18 * max(len(lines.split("\n")) for lines in in_lines(names))
