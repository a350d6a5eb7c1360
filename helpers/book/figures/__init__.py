"""Every plot of the book: data in, a matplotlib figure out; a drawing shows only the numbers that it gets."""

from helpers.book.figures.bias import sides
from helpers.book.figures.choices import forecasts, probes
from helpers.book.figures.concepts import before_and_after, labels_saved, pretraining_curve, weight_change, word_map
from helpers.book.figures.efficiency import costs
from helpers.book.figures.filters import operating_curve, over_misspelling
from helpers.book.figures.general import (
    bars,
    differences,
    epoch_losses,
    learning_curve,
    lengths,
    losses,
    reliability_curve,
    scores,
    training_curve,
)
from helpers.book.figures.judging import compared, panel_power
from helpers.book.figures.maths import (
    attention_map,
    averages,
    by_layer,
    chain_gain,
    entropy_and_kl,
    head_table,
    label_bias,
    likelihood,
    memory,
    parts_of_layers,
    quadratic_share,
    token_bars,
)
from helpers.book.figures.questions import silence
from helpers.book.figures.safety import exposure, frontier
from helpers.book.figures.settings import movement, optimism
from helpers.book.figures.style import BLACK, BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW, style
from helpers.book.figures.tagging import gains, span_scores
from helpers.book.figures.trainers import agreement, overlaid
from helpers.book.figures.writing import size_curve
from helpers.evaluation.pictures import confusion_matrix

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "YELLOW",
    "agreement",
    "attention_map",
    "averages",
    "bars",
    "before_and_after",
    "by_layer",
    "chain_gain",
    "compared",
    "confusion_matrix",
    "costs",
    "differences",
    "entropy_and_kl",
    "epoch_losses",
    "exposure",
    "forecasts",
    "frontier",
    "gains",
    "head_table",
    "label_bias",
    "labels_saved",
    "learning_curve",
    "lengths",
    "likelihood",
    "losses",
    "memory",
    "movement",
    "operating_curve",
    "optimism",
    "over_misspelling",
    "overlaid",
    "panel_power",
    "parts_of_layers",
    "pretraining_curve",
    "probes",
    "quadratic_share",
    "reliability_curve",
    "scores",
    "sides",
    "silence",
    "size_curve",
    "span_scores",
    "style",
    "token_bars",
    "training_curve",
    "weight_change",
    "word_map",
]
