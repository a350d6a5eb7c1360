"""Answers that must be strict JSON: whether they are, and how many of their fields are right."""

import json
from collections.abc import Sequence

import numpy as np


def read(answer: str, fields: Sequence[str]) -> dict | None:
    """The object that an answer holds, if it is strict JSON with exactly these fields, texts or null; else None."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        return None
    good = isinstance(parsed, dict) and sorted(parsed) == sorted(fields)
    return parsed if good and all(value is None or isinstance(value, str) for value in parsed.values()) else None


def counts(answers: Sequence[str], references: Sequence[str], fields: Sequence[str]) -> np.ndarray:
    """The counts behind the scores, one row per answer, shape (N, 4): right, predicted and true fields, and 1 if valid.

    Null is a value like any other; an answer that is not valid predicts no field.
    """
    rows = []
    for answer, reference in zip(answers, references, strict=True):
        predicted, true = read(answer, fields), read(reference, fields)
        right = sum(predicted[field] == true[field] for field in fields) if predicted else 0
        rows.append((right, len(predicted or ()), len(true), predicted is not None))
    return np.array(rows, dtype=float).reshape(-1, 4)


def f1(counts: np.ndarray) -> np.ndarray:
    """2 right / (predicted + true) from counts (..., 4), shape (...)."""
    return 2 * counts[..., 0] / (counts[..., 1] + counts[..., 2])


def validity(counts: np.ndarray) -> np.ndarray:
    """Share of valid answers from counts (..., 4) that are means over rows, shape (...)."""
    return counts[..., 3]
