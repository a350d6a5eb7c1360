"""Metrics as `evaluate.Metric` classes that live in this package, so that no script is fetched from the Hub.

They work like those of `evaluate.load`: `compute`, `add_batch`, and `evaluate.combine`.

Metrics of texts have the methods `per_row` and, where the score is no mean over rows, `from_counts`, which
`evaluation.interval`, `paired` and `ladder` use like those of a task.
"""

from helpers.metrics.labels import Accuracy, CalibrationError, LogLoss, MacroF1, reliability
from helpers.metrics.registry import METRICS, load
from helpers.metrics.spans import SpanF1, f1_of, span_counts, spans
from helpers.metrics.texts import Bleu, Chrf, LengthRatio, Repetition, Rouge1, Rouge2, RougeL, Verbatim

__all__ = [
    "METRICS",
    "Accuracy",
    "Bleu",
    "CalibrationError",
    "Chrf",
    "LengthRatio",
    "LogLoss",
    "MacroF1",
    "Repetition",
    "Rouge1",
    "Rouge2",
    "RougeL",
    "SpanF1",
    "Verbatim",
    "f1_of",
    "load",
    "reliability",
    "span_counts",
    "spans",
]
