"""Where a model fails: its scores by class, which class it takes for which, and what it made of each row.

A task that is not among these is described by the score of each row alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import pandas as pd

from helpers.data.bio import spans
from helpers.evaluation import confusion
from helpers.evaluation.classes import NOTHING, by_class, counts_of, matrix, quantiles, span_pairs
from helpers.metrics.labels import reliability
from helpers.tasks.base import Task
from helpers.tasks.classification.task import Classification
from helpers.tasks.extraction.task import Extraction
from helpers.tasks.multilabel.task import MultiLabel
from helpers.tasks.tagging.task import Tagging
from helpers.tasks.writing import WrittenTexts

FLOOR = 1e-12  # a probability below counts as this


@dataclass(frozen=True)
class Analysis:
    """Predictions on labelled rows, compared with what is right.

    Attributes:
        rows: of each row gold, prediction, probability (of the prediction, None if the task gives none) and loss, by
            which the hardest are found: -log p of the labels in nats where there are probabilities, else what the row
            lacks of a full score, or how many of its spans or words are wrong.
        classes: one row a class with precision, recall, F1 and n; for texts the quantiles of their scores.
        confusion: counts, true classes as rows.
        confidence: the reliability curve of `helpers.metrics.labels`.
        private: whether gold and prediction are texts of the user's.
    """

    rows: list[dict]
    classes: pd.DataFrame | None = None
    confusion: pd.DataFrame | None = None
    confidence: Mapping[str, np.ndarray] | None = None
    private: bool = False


@singledispatch
def analyse(task: Task, predictions: Sequence, references: Sequence) -> Analysis:
    """The analysis of predictions on labelled rows.

    Args:
        task: one whose predictions are reported (`Task.reported_task`).
        predictions, references: as the task's `predict` and `references` return them, N each.
    """
    values = task.per_row(predictions, references)
    losses = 1 - values if values.ndim == 1 else [None] * len(values)
    return Analysis([_row(None, None, None, loss) for loss in losses])


@analyse.register
def _(task: Classification, predictions: np.ndarray, references: np.ndarray) -> Analysis:
    predicted, names = predictions.argmax(-1), task.labels
    losses = -np.log(np.clip(predictions[np.arange(len(references)), references], FLOOR, None))
    rows = zip(references, predicted, predictions.max(-1), losses, strict=True)
    counts = confusion(references, predicted, names)
    sums = zip(np.diag(counts), counts.sum(axis=0), counts.sum(axis=1), strict=True)
    return Analysis(
        rows=[_row(names[gold], names[found], float(p), float(loss)) for gold, found, p, loss in rows],
        classes=by_class(dict(zip(names, sums, strict=True))),
        confusion=counts,
        confidence=reliability(predictions, references),
    )


@analyse.register
def _(task: MultiLabel, predictions: np.ndarray, references: np.ndarray) -> Analysis:
    decided = task.decisions(predictions)
    losses = -np.log(np.clip(np.where(references, predictions, 1 - predictions), FLOOR, None)).sum(1)
    least = np.where(decided, predictions, 1 - predictions).min(1)  # of the label that is least sure
    right, missed, invented = decided & references, ~decided & references, decided & ~references
    sums = (right.sum(0), decided.sum(0), references.sum(0))
    cells = {"right": right, "missed": missed, "invented": invented, "rightly absent": ~decided & ~references}
    return Analysis(
        rows=[
            _row(_chosen(task.labels, gold), _chosen(task.labels, found), float(p), float(loss))
            for gold, found, p, loss in zip(references, decided, least, losses, strict=True)
        ],
        classes=by_class(dict(zip(task.labels, zip(*sums, strict=True), strict=True))),
        confusion=pd.DataFrame(
            {name: cell.sum(0) for name, cell in cells.items()}, index=pd.Index(task.labels, name="label")
        ),
    )


def _chosen(labels: Sequence[str], given: np.ndarray) -> list[str]:
    return [label for label, yes in zip(labels, given, strict=True) if yes]


@analyse.register
def _(task: Tagging, predictions: list[np.ndarray], references: list[np.ndarray]) -> Analysis:
    named = [(task.names(gold), task.names(found)) for found, gold in zip(predictions, references, strict=True)]
    if task.spans:
        found = [span_pairs(spans(gold), spans(tags)) for gold, tags in named]
        kinds = sorted({tag[2:] for tag in task.tags if tag != "O"})
        names, classes = [*kinds, NOTHING], kinds
    else:
        found = [list(zip(gold, tags, strict=True)) for gold, tags in named]
        names = classes = list(task.tags)
    pairs = [pair for row in found for pair in row]
    wrong = [sum(gold != tag for gold, tag in row) for row in found]
    return Analysis(
        rows=[_row(gold, tags, None, count) for (gold, tags), count in zip(named, wrong, strict=True)],
        classes=by_class(counts_of(pairs, classes)),
        confusion=matrix(pairs, names),
    )


@analyse.register
def _(task: Extraction, predictions: Sequence, references: Sequence[list[str]]) -> Analysis:
    texts = [task.answer_text(span) for span in predictions]
    names = ("answerable", "not answerable")
    pairs = [(names[not any(gold)], names[not text]) for gold, text in zip(references, texts, strict=True)]
    losses = 1 - task.per_row(predictions, references)
    rows = zip(references, texts, losses, strict=True)
    return Analysis(
        rows=[_row(list(gold), text, None, float(loss)) for gold, text, loss in rows],
        classes=by_class(counts_of(pairs, names)),
        confusion=matrix(pairs, names),
        private=True,
    )


@analyse.register
def _(task: WrittenTexts, predictions: Sequence[str], references: Sequence[str]) -> Analysis:
    scores = np.asarray(task.from_counts(task.per_row(predictions, references)))
    rows = zip(references, predictions, scores, strict=True)
    return Analysis(
        rows=[_row(gold, text, None, float(1 - score / task.highest)) for gold, text, score in rows],
        classes=quantiles(scores, task.selection_metric),
        private=True,
    )


def _row(gold, prediction, probability: float | None, loss: float | None) -> dict:
    return {"gold": gold, "prediction": prediction, "probability": probability, "loss": loss}
