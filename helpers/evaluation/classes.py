"""Scores of each class, and which class is taken for which."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

Span = tuple[str, int, int]  # kind, first position, position after the last
NOTHING = "(none)"  # where one side has a span and the other none with the same ends


def by_class(counts: Mapping[str, tuple[float, float, float]]) -> pd.DataFrame:
    """Precision, recall, F1 and n of each class, one row each.

    Args:
        counts: by class, how often it is right, predicted and true. A share of nothing is 0; n is how often it is true.
    """
    right, predicted, true = np.array([*counts.values()], dtype=float).reshape(-1, 3).T
    scores = {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(true, 1),
        "f1": 2 * right / np.maximum(predicted + true, 1),
        "n": true.astype(int),
    }
    return pd.DataFrame(scores, index=pd.Index(list(counts), name="class"))


def counts_of(pairs: Iterable[tuple[str, str]], names: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """For `by_class`, from pairs of a true and a predicted class."""
    both = Counter(pairs)
    true, predicted = Counter(), Counter()
    for (gold, found), number in both.items():
        true[gold] += number
        predicted[found] += number
    return {name: (both[name, name], predicted[name], true[name]) for name in names}


def matrix(pairs: Iterable[tuple[str, str]], names: Iterable[str]) -> pd.DataFrame:
    """How often each true class (rows) is predicted as which (columns), shape (C, C)."""
    names, both = list(names), Counter(pairs)
    cells = [[both[gold, found] for found in names] for gold in names]
    return pd.DataFrame(cells, index=pd.Index(names, name="true"), columns=pd.Index(names, name="predicted"))


def span_pairs(true: set[Span], predicted: set[Span]) -> list[tuple[str, str]]:
    """The kinds of the spans of one row that have the same ends on both sides; `NOTHING` where one side has none."""
    gold, found = ({(start, end): kind for kind, start, end in spans} for spans in (true, predicted))
    return [(gold.get(ends, NOTHING), found.get(ends, NOTHING)) for ends in sorted(gold.keys() | found.keys())]


def quantiles(values: np.ndarray, name: str) -> pd.DataFrame:
    """What a tenth, a quarter, half, three quarters and nine tenths of the rows stay below."""
    shares = (0.1, 0.25, 0.5, 0.75, 0.9)
    index = pd.Index([f"{share:.0%} of the rows below" for share in shares], name="share")
    return pd.DataFrame({name: np.quantile(values, shares), "n": len(values)}, index=index)
