"""What the metrics of this package share: `evaluate.Metric` classes that need no script from the Hub."""

from collections.abc import Sequence

import datasets
import evaluate
import numpy as np

LABELS = {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
PROBABILITIES = {
    "predictions": datasets.Sequence(datasets.Value("float64")),
    "references": datasets.Value("int64"),
}
TAGS = {name: datasets.Sequence(datasets.Value("string")) for name in ("predictions", "references")}
TEXTS = {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
INPUTS = {
    "text": "predictions, references: texts, shape (N,)",
    "int64": "predictions, references: class ids, shape (N,)",
    "float64": "predictions: probabilities, shape (N, C); references: class ids, shape (N,)",
    "string": "predictions, references: BIO tags, shape (N, words of the row)",
}


class Metric(evaluate.Metric):
    """An `evaluate.Metric` described by its docstring."""

    columns = LABELS
    citation = ""

    def __init__(self):
        super().__init__(keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features(self.columns)
        kind = (
            "text"
            if self.columns is TEXTS
            else getattr(features["predictions"], "feature", features["predictions"]).dtype
        )
        return evaluate.MetricInfo(
            description=self.__doc__, citation=self.citation, inputs_description=INPUTS[kind], features=features
        )


class TextMetric(Metric):
    """A score that is the mean of one value a pair of texts."""

    columns = TEXTS
    selection_metric = ""  # the score's name, as a task has it
    from_counts = None  # the score is the mean of the rows' values
    highest = 1.0  # what equal texts score

    def value(self, prediction: str, reference: str) -> float:
        raise NotImplementedError

    def per_row(self, predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """The value of each pair of texts, shape (N,), whose mean is the score."""
        return np.array([self.value(*pair) for pair in zip(predictions, references, strict=True)], dtype=float)

    def _compute(self, predictions, references):
        return {self.selection_metric: float(self.per_row(predictions, references).mean())}


class CountMetric(TextMetric):
    """A score that depends on the mean counts of the rows."""

    def per_row(self, predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """The counts of each pair of texts, shape (N, K), whole numbers."""
        raise NotImplementedError

    def from_counts(self, means: np.ndarray) -> np.ndarray:
        """The score of sets of rows from their mean counts (..., K), shape (...)."""
        raise NotImplementedError

    def _compute(self, predictions, references):
        return {self.selection_metric: float(self.from_counts(self.per_row(predictions, references).mean(0)))}
