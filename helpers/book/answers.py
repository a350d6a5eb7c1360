"""What recorded systems answered to the test questions on passages, and the score of each answer."""

import numpy as np
from datasets import Dataset

from helpers.book.ledger import Results
from helpers.tasks.extraction.spans import Span
from helpers.tasks.extraction.task import Extraction


def spans(results: Results, rows: Dataset) -> list[list[Span]]:
    """The span that each result gave to each test row, in the words of the row's context."""
    return [
        [
            Span(start, end, context[start:end], margin)
            for start, end, margin, context in zip(*(part.tolist() for part in run), rows["context"], strict=True)
        ]
        for run in zip(*results.spans(), strict=True)
    ]


def f1(runs: list[list[Span]], rows: Dataset) -> np.ndarray:
    """Token F1 of each answer, (S, N), every question answered; one without an answer gives 0."""
    references = [answers["text"] for answers in rows["answers"]]
    return np.array([Extraction().per_row(run, references) for run in runs])
