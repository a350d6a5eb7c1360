"""From probabilities to decisions: which threshold to act at, and what a filter gains and loses there.

The *positive* class is the one that is acted on, such as spam. Its probability is the score. A row is flagged if its
score is at least the threshold.
"""

import numpy as np

from helpers.errors import InputError
from helpers.evaluation import Interval, interval


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
