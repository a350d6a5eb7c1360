"""Scores with their uncertainty: intervals over test rows and seeds, paired differences, and rows sorted by loss.

Every interval is a percentile bootstrap (Efron and Tibshirani 1993): the rows of the test set are drawn again with
replacement many times, and the interval holds the middle 95 % of the means.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.errors import InputError

Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval, and the number of test rows behind it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def verdict(
        self, better: str = "better than", worse: str = "worse than", unclear: str = "not distinguishable from"
    ) -> str:
        """What the interval of a difference says in words: `better` if it lies above zero, `worse` if below."""
        return better if self.low > 0 else worse if self.high < 0 else unclear


def interval(values: np.ndarray, *, score: Score | None = None, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean of one value a test row, or a score of the rows' counts, with its interval.

    Args:
        values: shape (N,), or (S, N) for S seeds on the same rows; then seeds are drawn again as well as rows, so
            the interval covers both sources of chance. With `score`, each value is a vector of K counts: shape
            (N, K) or (S, N, K).
        score: from mean counts of a set of rows, shape (..., K), to the score of that set, shape (...); for scores
            such as F1 or BLEU that are no mean over rows. The score of several seeds is the mean of theirs.

    Raises InputError if there are no rows.
    """
    counts = _counts(values, score)  # (S, N, K)
    found = _score_of(counts.mean(1), score)
    low, high = np.quantile(_resampled([counts], score, resamples, seed)[0], [0.025, 0.975])
    return Interval(found, float(low), float(high), counts.shape[1])


def paired(
    first: np.ndarray,
    second: np.ndarray,
    *,
    score: Score | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """`first` minus `second` on the same test rows, with its interval: above zero means that `first` is better.

    Args:
        first, second: values a test row as `interval` takes them. Seeds are compared pairwise; a system without seeds
            is compared with each seed of the other.

    Raises InputError if the rows differ in number.
    """
    first, second = _counts(first, score), _counts(second, score)  # (S, N, K)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"a paired comparison needs the same test rows, but the systems have {first.shape[1]} and "
            f"{second.shape[1]}; score both on one test set"
        )
    first, second = np.broadcast_arrays(first, second)
    ours, theirs = _resampled([first, second], score, resamples, seed)
    low, high = np.quantile(ours - theirs, [0.025, 0.975])
    gain = _score_of(first.mean(1), score) - _score_of(second.mean(1), score)
    return Interval(gain, float(low), float(high), first.shape[1])


def _counts(values: np.ndarray, score: Score | None) -> np.ndarray:
    """Values as counts of shape (S, N, K); plain values are their own count, K = 1."""
    values = np.asarray(values, dtype=np.float64)
    counts = values[..., None] if score is None else values
    counts = counts if counts.ndim == 3 else counts[None]  # (S, N, K)
    if counts.shape[1] == 0:
        raise InputError("an interval needs at least one test row and there are none")
    return counts


def _score_of(means: np.ndarray, score: Score | None) -> float:
    """The score of mean counts (S, K), averaged over the seeds."""
    return float(np.mean(means if score is None else score(means)))


def _resampled(systems: list[np.ndarray], score: Score | None, resamples: int, seed: int) -> list[np.ndarray]:
    """The systems' scores, each (resamples,), on the same draws of seeds and rows; systems have shape (S, N, K)."""
    random = np.random.default_rng(seed)
    seeds, rows, _ = systems[0].shape
    results = [np.empty(resamples) for _ in systems]
    for i in range(resamples):
        drawn = random.integers(seeds, size=seeds)
        times = np.bincount(random.integers(rows, size=rows), minlength=rows) / rows  # how often each row is drawn
        for counts, result in zip(systems, results, strict=True):
            means = times @ counts  # (S, K)
            result[i] = _score_of(means[drawn], score)
    return results


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
        task: or a metric of texts, such as `metrics.load("chrf")`; predictions and references are then texts.
        systems: predictions on the same test rows, as the task's `predict` returns them.
        references: what the task's `references` returns for those rows.

    A task whose score is no mean over rows has `per_row` return counts (N, K), and `from_counts` for the score.
    """
    score = getattr(task, "from_counts", None)
    quality = {name: task.per_row(predictions, references) for name, predictions in systems.items()}
    best = list(quality.values())[-1]
    rows = []
    for name, values in quality.items():
        found, gain = interval(values, score=score), paired(best, values, score=score)
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
