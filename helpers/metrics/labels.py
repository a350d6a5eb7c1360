"""Metrics of predicted labels and of their probabilities."""

import numpy as np
from sklearn import metrics as sklearn_metrics

from helpers.metrics.base import PROBABILITIES, Metric


class Accuracy(Metric):
    """Share of predictions that equal their reference."""

    def _compute(self, predictions, references):
        return {"accuracy": float(sklearn_metrics.accuracy_score(references, predictions))}


class MacroF1(Metric):
    """Mean over the classes of 2 TP / (2 TP + FP + FN); a class that occurs nowhere is left out."""

    def _compute(self, predictions, references):
        return {"macro_f1": float(sklearn_metrics.f1_score(references, predictions, average="macro", zero_division=0))}


class LogLoss(Metric):
    """Mean of -log p(reference), in nats; a probability below 1e-12 counts as 1e-12."""

    columns = PROBABILITIES

    def _compute(self, predictions, references):
        predictions, references = np.asarray(predictions), np.asarray(references)
        likelihood = predictions[np.arange(len(references)), references]
        return {"log_loss": float(-np.log(np.clip(likelihood, 1e-12, None)).mean())}


class CalibrationError(Metric):
    """Expected calibration error: the mean distance of confidence and accuracy over ten bins of equal width.

    The confidence is the largest probability of a row; each bin counts by its rows.
    """

    columns = PROBABILITIES
    citation = "Guo et al. 2017, On Calibration of Modern Neural Networks"

    def _compute(self, predictions, references):
        table = reliability(np.asarray(predictions), np.asarray(references))
        gap = np.abs(table["confidence"] - table["accuracy"])
        return {"calibration_error": float(np.average(gap, weights=table["rows"]))}


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> dict[str, np.ndarray]:
    """The reliability curve: mean confidence, accuracy and number of rows in each bin that holds any.

    Args:
        probabilities: shape (N, C).
        labels: class ids, shape (N,).
        bins: of equal width over confidences from 0 to 1; the upper edge belongs to a bin.
    """
    confidence = probabilities.max(-1)  # (N,)
    right = probabilities.argmax(-1) == labels  # (N,)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    used = np.unique(index)
    return {
        "confidence": np.array([confidence[index == i].mean() for i in used]),
        "accuracy": np.array([right[index == i].mean() for i in used]),
        "rows": np.array([(index == i).sum() for i in used]),
    }
