"""Metrics as `evaluate.Metric` classes that live in this package, so that no script is fetched from the Hub.

They work as those of `evaluate.load` do: `compute`, `add_batch`, and `evaluate.combine`.
"""

import datasets
import evaluate
import numpy as np
from sklearn import metrics as sklearn_metrics

from helpers.errors import InputError

_LABELS = {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
_PROBABILITIES = {
    "predictions": datasets.Sequence(datasets.Value("float64")),
    "references": datasets.Value("int64"),
}
_INPUTS = {
    "int64": "predictions, references: class ids, shape (N,)",
    "float64": "predictions: probabilities, shape (N, C); references: class ids, shape (N,)",
}


class _Metric(evaluate.Metric):
    """An `evaluate.Metric` described by its docstring."""

    columns = _LABELS
    citation = ""

    def __init__(self):
        super().__init__(keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        kind = "int64" if self.columns is _LABELS else "float64"
        features = datasets.Features(self.columns)
        return evaluate.MetricInfo(
            description=self.__doc__, citation=self.citation, inputs_description=_INPUTS[kind], features=features
        )


class Accuracy(_Metric):
    """Share of predictions that equal their reference."""

    def _compute(self, predictions, references):
        return {"accuracy": float(sklearn_metrics.accuracy_score(references, predictions))}


class MacroF1(_Metric):
    """Mean over the classes of 2 TP / (2 TP + FP + FN); a class that occurs nowhere is left out."""

    def _compute(self, predictions, references):
        return {"macro_f1": float(sklearn_metrics.f1_score(references, predictions, average="macro", zero_division=0))}


class LogLoss(_Metric):
    """Mean of -log p(reference), in nats; a probability below 1e-12 counts as 1e-12."""

    columns = _PROBABILITIES

    def _compute(self, predictions, references):
        predictions, references = np.asarray(predictions), np.asarray(references)
        likelihood = predictions[np.arange(len(references)), references]
        return {"log_loss": float(-np.log(np.clip(likelihood, 1e-12, None)).mean())}


class CalibrationError(_Metric):
    """Expected calibration error: the mean distance of confidence and accuracy over ten bins of equal width.

    The confidence is the largest probability of a row; each bin counts by its rows.
    """

    columns = _PROBABILITIES
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


METRICS = {
    "accuracy": Accuracy,
    "macro_f1": MacroF1,
    "log_loss": LogLoss,
    "calibration_error": CalibrationError,
}


def load(name: str) -> evaluate.Metric:
    """The metric called `name`, as `evaluate.load` would return it; InputError lists the names there are."""
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}'; choose one of {', '.join(METRICS)}")
    return METRICS[name]()
