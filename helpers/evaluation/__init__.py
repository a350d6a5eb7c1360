"""Scores with their uncertainty: intervals, paired differences, ladders, thresholds, and rows sorted by loss."""

from helpers.evaluation.intervals import Difference, Groups, Interval, Score, holm, interval, paired
from helpers.evaluation.ladder import confusion, gain_heading, hardest, ladder, table

__all__ = [
    "Difference",
    "Groups",
    "Interval",
    "Score",
    "confusion",
    "gain_heading",
    "hardest",
    "holm",
    "interval",
    "ladder",
    "paired",
    "table",
]
