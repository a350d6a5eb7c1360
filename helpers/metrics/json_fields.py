"""Answers that shall be strict JSON: are they, and how many fields are right?"""

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
    """What the scores are made of, a row an answer, shape (N, 4): right, said and true fields, and 1 if it is valid.

    Null is a value like others; an answer that is not valid says nothing.
    """
    rows = []
    for answer, reference in zip(answers, references, strict=True):
        predicted, true = read(answer, fields), read(reference, fields)
        right = sum(predicted[field] == true[field] for field in fields) if predicted else 0
        rows.append((right, len(predicted or ()), len(true), predicted is not None))
    return np.array(rows, dtype=float).reshape(-1, 4)


def f1(counts: np.ndarray) -> np.ndarray:
    """2 right / (said + true) from counts (..., 4), shape (...)."""
    return 2 * counts[..., 0] / (counts[..., 1] + counts[..., 2])


def validity(counts: np.ndarray) -> np.ndarray:
    """Share of valid answers from counts (..., 4) that are means over rows, shape (...)."""
    return counts[..., 3]
