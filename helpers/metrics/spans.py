"""Metrics of spans that BIO tags mark."""

from collections.abc import Sequence

import numpy as np
from seqeval.metrics import sequence_labeling as seqeval

from helpers.data.bio import spans
from helpers.metrics.base import TAGS, Metric


class SpanF1(Metric):
    """F1, precision and recall of spans, written as BIO tags, exact in both ends and in kind; all spans count alike.

    As in conlleval and seqeval's default, an `I-x` that continues nothing begins a span.
    """

    columns = TAGS
    citation = "Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task"

    def _compute(self, predictions, references):
        precision, recall, f1, _ = seqeval.precision_recall_fscore_support(
            references, predictions, average="micro", zero_division=0
        )
        return {"span_f1": float(f1), "span_precision": float(precision), "span_recall": float(recall)}


def span_counts(predicted: Sequence[str], reference: Sequence[str]) -> tuple[int, int, int]:
    """Spans of one row that are right, predicted and true; from their sums over rows `f1_of` makes the F1."""
    predicted_spans, true_spans = spans(predicted), spans(reference)
    return len(predicted_spans & true_spans), len(predicted_spans), len(true_spans)


def f1_of(counts: np.ndarray) -> np.ndarray:
    """F1 from counts of right, predicted and true, shape (..., 3) to (...); 0 where nothing is predicted or true."""
    right, predicted, true = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return 2 * right / np.maximum(predicted + true, 1e-12)
