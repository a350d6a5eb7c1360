"""People who compare two texts: how many pairs a difference takes, what a panel does wrong, what a judge adds to it."""

from functools import cache

import numpy as np
from scipy import stats

MOST = 4000  # pairs up to which `needed` looks


def power(pairs: int, share: float) -> float:
    """The chance that an exact two-sided sign test at 5 % tells two systems apart.

    Args:
        share: of the pairs in which one system is preferred, in truth.
    """
    wins = np.arange(pairs + 1)
    p = 2 * stats.binom.cdf(np.minimum(wins, pairs - wins), pairs, 0.5)
    return float(stats.binom.pmf(wins[p <= 0.05], pairs, share).sum())


@cache
def needed(share: float, chance: float = 0.8) -> int:
    """The pairs from which on the test finds the difference with this chance.

    A test of whole numbers is no smoother than they are: a pair more may cost power, so what counts is that the power
    does not fall below `chance` again.
    """
    upper = 16
    while power(upper, share) < chance + 0.1 and upper < MOST:
        upper *= 2
    return 1 + max(pairs for pairs in range(1, upper + 1) if power(pairs, share) < chance)


def votes(
    pairs: int,
    readers: int,
    *,
    share: float,
    draw: np.random.Generator,
    alike: float = 3.0,
    pull: float = 0.15,
    taste: float = 0.0,
    randomised: bool = True,
) -> np.ndarray:
    """Whether each reader prefers the new system's text in each pair, shape (pairs, readers).

    Args:
        share: of readers who prefer the new system, on average over pairs; pairs differ, as some texts turn out well.
        alike: how alike the pairs are, the sum of the two parameters of a beta distribution.
        pull: how often a reader takes the text on the left, whatever it says.
        taste: the standard deviation of how far each reader leans to one system, in all pairs alike; it is added to
            the share.
        randomised: the new text stands on the left in half of the cases by lot; else always.
    """
    liked = draw.beta(share * alike, (1 - share) * alike, (pairs, 1)) + draw.normal(0, taste, (1, readers))
    left = draw.random((pairs, readers)) < (0.5 if randomised else 1)
    by_place, by_text = draw.random((pairs, readers)) < pull, draw.random((pairs, readers)) < liked
    return np.where(by_place, left, by_text)


def assisted(people: np.ndarray, judge: np.ndarray, others: np.ndarray) -> float:
    """The share that people would find on all pairs, from few of theirs and from a judge's verdicts on all.

    What the judge says of all pairs is corrected by how it errs where people looked, so that a wrong judge makes it
    no more wrong, only no better (Angelopoulos, Duchi and Zrnic 2023, "PPI++").

    Args:
        people, judge: the verdicts of both on the labelled pairs, shape (n,).
        others: the judge's verdicts on all other pairs.
    """
    every = np.concatenate([judge, others])
    spread = every.var()
    slope = np.cov(people, judge, ddof=0)[0, 1] / spread if spread else 0.0
    return float(people.mean() + slope * (every.mean() - judge.mean()))


def kappa(means: np.ndarray) -> np.ndarray:
    """Cohen's kappa from the shares of the four cells of two yes-no labellings, shape (..., 4).

    It is a score for `evaluation.interval`, over rows of `cells`.
    """
    no, second, first, yes = np.moveaxis(np.asarray(means, dtype=float), -1, 0)
    chance = (first + yes) * (second + yes) + (no + second) * (no + first)
    return (no + yes - chance) / (1 - chance)


def cells(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Which cell of the table of two labellings a row is in: 0 and 1, shape (N, 4), no-no, no-yes, yes-no, yes-yes."""
    return np.eye(4)[2 * np.asarray(first, dtype=int) + np.asarray(second, dtype=int)]
