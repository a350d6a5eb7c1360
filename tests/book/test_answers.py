"""What recorded systems answered: the spans of the ledger in the words of their contexts, and their scores."""

import numpy as np
import pandas as pd
from datasets import Dataset

from experiments import recording
from helpers.book import answers
from helpers.book.ledger import Results
from helpers.tasks.extraction.spans import Span

ROWS = Dataset.from_list(
    [
        {
            "context": "Ada wrote the first program.",
            "answers": {"text": ["Ada", "Ada Lovelace"], "answer_start": [0, 0]},
        },
        {"context": "Nobody knows the year.", "answers": {"text": [], "answer_start": []}},
    ]
)
RUNS = [
    [Span(0, 3, "Ada", 2.5), Span(17, 21, "year", -1.0)],
    [Span(4, 9, "wrote", 0.25), Span(0, 6, "Nobody", 1.0)],
]


def recorded() -> Results:
    return Results(
        pd.DataFrame([recording.packed({"counts": recording.span_counts(run), "n": len(run)}) for run in RUNS])
    )


def test_recorded_spans_come_back_in_the_words_of_their_contexts():
    assert answers.spans(recorded(), ROWS) == RUNS


def test_each_run_has_a_score_for_each_row_and_none_where_there_is_no_answer():
    assert np.array_equal(answers.f1(RUNS, ROWS), [[1.0, 0.0], [0.0, 0.0]])
