"""Spans are counted as seqeval counts them."""

import numpy as np
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score

from helpers import metrics


def test_eq_span_f1_is_that_of_seqeval():
    random = np.random.default_rng(0)
    names = ["O", "B-x", "I-x", "B-y", "I-y"]
    found, true = ([list(random.choice(names, size=12)) for _ in range(300)] for _ in range(2))
    right, predicted, real = np.sum([metrics.span_counts(a, b) for a, b in zip(found, true, strict=True)], axis=0)
    assert right / predicted == pytest.approx(precision_score(true, found))
    assert right / real == pytest.approx(recall_score(true, found))
    assert metrics.f1_of([right, predicted, real]) == pytest.approx(f1_score(true, found))
    scores = metrics.load("span_f1").compute(predictions=found, references=true)
    assert scores["span_f1"] == pytest.approx(f1_score(true, found))
    assert metrics.f1_of([0, 0, 0]) == 0
