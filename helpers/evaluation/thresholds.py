"""From probabilities to decisions: which threshold to act at, and what a filter gains and loses there.

The *positive* class is the one that is acted on, such as spam. Its probability is the score. A row is flagged if its
score is at least the threshold.
"""

import numpy as np
import pandas as pd

from helpers.errors import InputError
from helpers.evaluation import Difference, Groups, Interval, interval
from helpers.evaluation.intervals import quantile, tail

DRAWS = 400  # of rows, for an interval around a recall


def at_false_positive_rate(scores: np.ndarray, positive: np.ndarray, rate: float) -> float:
    """The lowest threshold that flags at most a share `rate` of the negative rows.

    Args:
        scores, positive: shape (N,); whether each row truly is positive.

    Raises InputError for a rate outside 0 to 1, and for a rate above 0 that allows less than one of the negative
    rows.
    """
    if not 0 <= rate <= 1 or positive.all():
        raise InputError(
            f"a false-positive rate of {rate:g} on {int((~positive).sum())} negative rows says nothing; give a rate "
            "from 0 to 1 and at least one negative row"
        )
    negative = np.sort(scores[~positive])[::-1]  # from the highest down
    allowed = int(np.floor(rate * len(negative) + 1e-9))
    if rate > 0 and allowed == 0:
        raise InputError(
            f"a false-positive rate of {rate:g} cannot be measured on {len(negative)} negative rows; "
            f"give at least {int(np.ceil(1 / rate))} or a higher rate"
        )
    return _just_above(negative[allowed]) if allowed < len(negative) else float(negative.min())


def area(scores: np.ndarray, positive: np.ndarray) -> Interval:
    """The share of pairs of a positive and a negative row that scores rank rightly (AUC), with its interval over rows.

    Ties count half. The variance has a part for the positive and one for the negative rows (DeLong, DeLong and
    Clarke-Pearson 1988).

    Args:
        scores, positive: shape (N,); whether each row truly is positive.

    Raises InputError for fewer than two rows of either kind.
    """
    if min(positive.sum(), (~positive).sum()) < 2:
        raise InputError(
            f"{int(positive.sum())} positive and {int((~positive).sum())} negative rows rank nothing; give two of each"
        )
    higher = np.sign(scores[positive][:, None] - scores[~positive])  # (P, Q)
    wins = (1 + higher) / 2
    error = np.sqrt(sum(wins.mean(axis).var(ddof=1) / wins.shape[1 - axis] for axis in (0, 1)))
    value, reach = float(wins.mean()), quantile(np.inf) * float(error)
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach), len(scores))


def cheapest(scores: np.ndarray, positive: np.ndarray, *, false_positive: float, false_negative: float) -> float:
    """The threshold with the lowest total cost on these rows, given the cost of each error; the highest if tied."""
    order = np.argsort(-scores, kind="stable")
    falls = np.append(np.diff(scores[order]) < 0, True)  # a threshold can only lie between different scores
    gained = np.cumsum(np.where(positive[order], -false_negative, false_positive))
    costs = np.concatenate([[0.0], np.where(falls, gained, np.inf)])  # of flagging the first k rows
    best = int(costs.argmin())
    return _just_above(scores.max()) if best == 0 else float(scores[order][best - 1])


def cost_threshold(*, false_positive: float, false_negative: float) -> float:
    """The probability from which acting costs less than not acting, for calibrated probabilities (`eq-cost-threshold`).

    Elkan 2001, The Foundations of Cost-Sensitive Learning.
    """
    return false_positive / (false_positive + false_negative)


def rates(scores: np.ndarray, positive: np.ndarray, threshold: float) -> dict[str, Interval]:
    """Precision (of what is flagged), recall (of positives) and false-positive rate (of negatives), with intervals.

    Each interval is over the rows that the rate is a share of; its n is their number. Precision is left out if nothing
    is flagged.
    """
    flagged = scores >= threshold
    result = {"recall": interval(flagged[positive]), "false-positive rate": interval(flagged[~positive])}
    return ({"precision": interval(positive[flagged])} if flagged.any() else {}) | result


def precision_at(recall: float, false_positive_rate: float, share: float) -> float:
    """The precision that two rates mean where a `share` of all rows is positive (`eq-precision`)."""
    flagged = recall * share + false_positive_rate * (1 - share)
    return recall * share / flagged if flagged > 0 else float("nan")


def shifted(probabilities: np.ndarray, before: float, after: float) -> np.ndarray:
    """Probabilities of the positive class, shape (N,), as they would be at another share of positives (`eq-shift`).

    Args:
        before, after: the share of positive rows in training, and where the probabilities are used.
    """
    up, down = probabilities * after / before, (1 - probabilities) * (1 - after) / (1 - before)
    return up / (up + down)


def _just_above(score: float) -> float:
    return float(np.nextafter(score, np.inf))


def recall_at(
    scores: np.ndarray, positive: np.ndarray, rate: float, *, groups: Groups = None, draws: int = DRAWS
) -> Interval:
    """The share of positives that are flagged where at most a share `rate` of the negatives is, with its interval.

    The threshold is read off the negatives of the very rows, so that chance in them counts as well: whole groups of
    both kinds are drawn again (the bootstrap of Efron 1979), each time with a threshold of its own. The variance over
    runs is added, and t quantiles are taken as in `evaluation.interval`.

    Args:
        scores: shape (N,), or (S, N) for S runs on the same rows.
        positive, groups: shape (N,).

    Raises InputError as `at_false_positive_rate` does.
    """
    recall, again = _resampled(scores, positive, rate, groups, draws)
    error, t = _chance(again, [recall])
    value, reach = float(recall.mean()), t * error
    return Interval(value, max(value - reach, 0.0), min(value + reach, 1.0), int(positive.sum()))


def recall_gain(
    first: np.ndarray,
    second: np.ndarray,
    positive: np.ndarray,
    rate: float,
    *,
    groups: Groups = None,
    draws: int = DRAWS,
    second_is_fixed: bool = False,
) -> Difference:
    """`recall_at` of `first` minus that of `second` on the same rows; equally many runs are compared pair by pair.

    Args:
        second_is_fixed: as for `paired`: the second would be the same in every run, such as counted words of all rows,
            so that its one run stands for all.
    """
    (ours, again), (theirs, others) = (_resampled(each, positive, rate, groups, draws) for each in (first, second))
    error, t = _chance(again - others, [ours - theirs] if len(ours) == len(theirs) else [ours, theirs])
    value = float(ours.mean() - theirs.mean())
    runs = len(ours) if second_is_fixed else min(len(ours), len(theirs))
    p = tail(value, error, t)
    return Difference(value, value - t * error, value + t * error, int(positive.sum()), p, runs)


def _resampled(scores: np.ndarray, positive: np.ndarray, rate: float, groups: Groups, draws: int) -> tuple:
    """The recall of each run, (S,), and their mean in each draw of rows, (draws,)."""
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    at_false_positive_rate(scores[0], positive, rate)
    numbers = np.arange(len(positive)) if groups is None else pd.factorize(pd.Series(list(groups), dtype=object))[0]
    count = numbers.max() + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)[:, numbers]
    weights = np.concatenate([np.ones((1, len(positive)), dtype=int), drawn])  # (1 + draws, N), the rows first
    recalls = np.stack([_recalls(each, positive, rate, weights) for each in scores])  # (S, 1 + draws)
    return recalls[:, 0], recalls[:, 1:].mean(0)


def _chance(again: np.ndarray, sides: list[np.ndarray]) -> tuple[float, float]:
    """The standard error over draws of rows and over the runs of the sides, and the t quantile that goes with it."""
    parts = [(float(again.var(ddof=1)), quantile(np.inf))]
    parts += [(float(runs.var(ddof=1)) / len(runs), quantile(len(runs) - 1)) for runs in sides if len(runs) > 1]
    variance = sum(part for part, _ in parts)
    t = np.sqrt(sum(part * t**2 for part, t in parts) / variance) if variance > 0 else parts[0][1]
    return float(np.sqrt(variance)), float(t)


def _recalls(scores: np.ndarray, positive: np.ndarray, rate: float, weights: np.ndarray) -> np.ndarray:
    """The recall at a false-positive rate where row i counts weights[j, i] times, shape (J,)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.diff(scores[order]) < 0, True)  # a threshold can only lie between different scores
    ordered = weights[:, order]
    lost, caught = (np.cumsum(ordered * kind[order], axis=1) for kind in (~positive, positive))  # (J, N)
    allowed = np.floor(rate * lost[:, -1:] + 1e-9)
    best = np.where(ends & (lost <= allowed), caught, 0).max(axis=1)
    return best / np.maximum(caught[:, -1], 1)
