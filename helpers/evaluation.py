"""Scores with their uncertainty: intervals over test rows and seeds, paired differences, and rows sorted by loss.

Every interval is a percentile bootstrap (Efron and Tibshirani 1993): the rows of the test set are drawn again with
replacement many times, and the interval holds the middle 95 % of the means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.errors import InputError


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval, and the number of test rows behind it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(values: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean of one value a test row, with its interval.

    Args:
        values: shape (N,), or (S, N) for S seeds on the same rows; then seeds are drawn again as well as rows, so
            the interval covers both sources of chance.

    Raises InputError if there are no rows.
    """
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))  # (S, N)
    seeds, rows = values.shape
    if rows == 0:
        raise InputError("an interval needs at least one test row and there are none")
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    for i in range(resamples):
        drawn = values[random.integers(seeds, size=seeds)].mean(0)  # (N,)
        means[i] = drawn[random.integers(rows, size=rows)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high), rows)


def paired(first: np.ndarray, second: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean of `first - second` over the same test rows, with its interval: above zero means that `first` is better.

    Args:
        first, second: one value a test row, shape (N,), or (S, N) for S seeds. A system without seeds is compared
            with each seed of the other.

    Raises InputError if the rows differ in number.
    """
    first, second = np.atleast_2d(first).astype(float), np.atleast_2d(second).astype(float)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"a paired comparison needs the same test rows, but the systems have {first.shape[1]} and "
            f"{second.shape[1]}; score both on one test set"
        )
    return interval(first - second, resamples=resamples, seed=seed)


def over_seeds(values: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation, smallest and largest of one score a seed, shape (S,), and S itself."""
    values = np.asarray(values, dtype=float)
    spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {
        "mean": float(values.mean()),
        "std": spread,
        "min": float(values.min()),
        "max": float(values.max()),
        "seeds": len(values),
    }


def ladder(task, systems: Mapping[str, np.ndarray], references: np.ndarray) -> pd.DataFrame:
    """One row a system, in the order given: its score with interval and n, and what the last system gains over it.

    Args:
        systems: predictions on the same test rows, as the task's `predict` returns them.
        references: what the task's `references` returns for those rows.
    """
    quality = {name: task.per_row(predictions, references) for name, predictions in systems.items()}
    best = list(quality.values())[-1]
    rows = []
    for name, values in quality.items():
        found, gain = interval(values), paired(best, values)
        row = {"system": name, task.selection: found.value, "low": found.low, "high": found.high, "n": found.n}
        rows.append(row | {"last minus this": gain.value, "gain low": gain.low, "gain high": gain.high})
    return pd.DataFrame(rows).set_index("system")


def hardest(data: Dataset, probabilities: np.ndarray, k: int = 10) -> pd.DataFrame:
    """The `k` rows with the highest loss: text, label, the predicted label, p(label), and the loss in nats.

    Wrong labels and texts that say too little gather here; reading them is the cheapest error analysis.

    Args:
        data: rows with `text` and `label`, N of them.
        probabilities: shape (N, C).
    """
    names, labels = data.features["label"].names, np.array(data["label"])
    likelihood = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None)
    order = np.argsort(likelihood)[:k]
    predicted = probabilities.argmax(-1)
    return pd.DataFrame(
        {
            "text": [data[int(i)]["text"] for i in order],
            "label": [names[labels[i]] for i in order],
            "predicted": [names[predicted[i]] for i in order],
            "p(label)": likelihood[order],
            "loss": -np.log(likelihood[order]),
        },
        index=pd.Index(order, name="row"),
    )


def confusion(references: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...]) -> pd.DataFrame:
    """Counts with true labels as rows and predicted labels as columns, shape (C, C)."""
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (references, predicted), 1)
    return pd.DataFrame(counts, index=pd.Index(labels, name="label"), columns=pd.Index(labels, name="predicted"))
