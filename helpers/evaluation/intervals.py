"""Scores with their uncertainty: intervals over test rows and seeds, paired differences, and rows sorted by loss.

Every interval is a percentile bootstrap (Efron and Tibshirani 1993): the rows of the test set are drawn again with
replacement many times, and the interval holds the middle 95 % of the means.

Rows that belong together, such as the questions on one passage, hold less information than as many independent rows.
Where `groups` names what they belong to, whole groups are drawn instead (the cluster bootstrap: Field and Welsh 2007;
Cameron, Gelbach and Miller 2008), and the mean of a draw is the sum over its rows by their number. With fewer than some
30 groups the interval is still somewhat too narrow.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import InputError

Score = Callable[[np.ndarray], np.ndarray]
Groups = Sequence[Hashable] | None


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


def interval(
    values: np.ndarray,
    *,
    score: Score | None = None,
    groups: Groups = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean of one value per test row, or a score of the rows' counts, with its interval.

    Args:
        values: shape (N,), or (S, N) for S seeds on the same rows; then seeds are drawn again as well as rows, so
            the interval covers both sources of chance. With `score`, each value is a vector of K counts: shape
            (N, K) or (S, N, K).
        score: from mean counts of a set of rows, shape (..., K), to the score of that set, shape (...); for scores
            such as F1 or BLEU that are no mean over rows. The score of several seeds is the mean of theirs.
        groups: what each row belongs to, such as its passage, film or thread, shape (N,); rows of one group are
            dependent, so groups are drawn and not rows. None takes every row as its own group.

    Raises InputError if there are no rows, if `groups` differ from them in number, or if all rows are of one group.
    """
    counts = _counts(values, score)  # (S, N, K)
    value = _score_of(counts.mean(1), score)
    low, high = np.quantile(_resampled([counts], score, groups, resamples, seed)[0], [0.025, 0.975])
    return Interval(value, float(low), float(high), counts.shape[1])


def paired(
    first: np.ndarray,
    second: np.ndarray,
    *,
    score: Score | None = None,
    groups: Groups = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """`first` minus `second` on the same test rows, with its interval: above zero means that `first` is better.

    Args:
        first, second: values per test row as `interval` takes them. Seeds are compared pairwise; a system without seeds
            is compared with each seed of the other.
        groups: as `interval` takes them; both systems are scored on the same draws.

    Raises InputError if the rows differ in number, and for groups as `interval` does.
    """
    first, second = _counts(first, score), _counts(second, score)  # (S, N, K)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"a paired comparison needs the same test rows, but the systems have {first.shape[1]} and "
            f"{second.shape[1]}; score both on one test set"
        )
    first, second = np.broadcast_arrays(first, second)
    ours, theirs = _resampled([first, second], score, groups, resamples, seed)
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


def _resampled(
    systems: list[np.ndarray], score: Score | None, groups: Groups, resamples: int, seed: int
) -> list[np.ndarray]:
    """The systems' scores, each (resamples,), on the same draws of seeds and groups; systems have shape (S, N, K)."""
    systems, sizes = _by_group(systems, groups)  # (S, G, K) each, (G,)
    random = np.random.default_rng(seed)
    seeds, units, _ = systems[0].shape
    samples = [np.empty((resamples, seeds, counts.shape[2])) for counts in systems]
    for i in range(resamples):
        chosen = random.integers(seeds, size=seeds)
        times = np.bincount(random.integers(units, size=units), minlength=units)  # how often each group is drawn
        weights = times / (times @ sizes)  # of the sum of each group, so that all drawn rows weigh the same
        for counts, means in zip(systems, samples, strict=True):
            means[i] = (weights @ counts)[chosen]  # (S, K)
    return [(means[..., 0] if score is None else score(means)).mean(-1) for means in samples]


def _by_group(systems: list[np.ndarray], groups: Groups) -> tuple[list[np.ndarray], np.ndarray]:
    """Each group's sum of counts, (S, G, K) per system, and its rows, (G,), in the order in which groups first appear.

    Without groups each row is one.
    """
    rows = systems[0].shape[1]
    if groups is None:
        return systems, np.ones(rows, dtype=np.int64)
    if len(groups) != rows:
        raise InputError(f"{len(groups)} groups are given for {rows} test rows; name the group of each row")
    # a Series first, as an array would take ids that are tuples for a second dimension
    numbers, names = pd.factorize(pd.Series(list(groups), dtype=object), use_na_sentinel=False)
    if len(names) < 2:
        raise InputError(f"all {rows} test rows are of the group '{names[0]}'; an interval needs at least two groups")
    order, sizes = np.argsort(numbers, kind="stable"), np.bincount(numbers)
    starts = np.cumsum(sizes) - sizes
    return [np.add.reduceat(counts[:, order], starts, axis=1) for counts in systems], sizes
