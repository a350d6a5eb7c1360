"""Scores with their uncertainty: intervals, paired differences, ladders, thresholds, and rows sorted by loss."""

from helpers.evaluation.intervals import Groups, Interval, Score, interval, paired
from helpers.evaluation.ladder import confusion, hardest, ladder, table

__all__ = ["Groups", "Interval", "Score", "confusion", "hardest", "interval", "ladder", "paired", "table"]
