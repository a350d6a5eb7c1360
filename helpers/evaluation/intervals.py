r"""Scores with their uncertainty: 95 % intervals over test rows and runs, and differences of two systems.

**How far chance reaches.** A score is brought to one value a row whose mean is the score: for a mean these are the
rows' values, for a score of counts such as F1 they are the pseudo-values of the jackknife (Efron and Stein 1981). With
$d_i$ the deviation of row $i$ from their mean, averaged over the S runs, its variance has a part for the rows, which
leaves out one group of rows $g$ at a time (MacKinnon, Nielsen and Webb 2023), and a part for the runs, whose scores are
$s_1, \dots, s_S$:

$$
V = \underbrace{\frac{G-1}{G} \sum_g \Bigl( \sum_{i \in g} \frac{d_i}{N - n_g} \Bigr)^2}_{V_\text{rows}}
  + \underbrace{\frac{1}{S(S-1)} \sum_r (s_r - \bar s)^2}_{V_\text{runs}},
\qquad
t^2 = \frac{t_\text{rows}^2 V_\text{rows} + t_\text{runs}^2 V_\text{runs}}{V}
$$

Each part brings the t quantile of its own degrees of freedom (after Cochran 1964): $S - 1$ for the runs, and for the
rows one less than the groups, unequal ones counted as the equal ones that they are worth, $N^2 / \sum_g n_g^2$ (Kish
1965). Without groups each row is one. What both parts see is counted twice, which errs on the safe side.

**At the ends of the scale.** Where each row's own score lies between 0 and 1, the score $p$ is a share, and
$p \pm t \sqrt V$ would be too narrow near 0 and 1, and of no width at them. So the rows are replaced by as many
independent ones as they are worth, $n^* = n_V (t_u / t)^2$ with $n_V = N p(1-p) / ((N-1) V)$ (Korn and Graubard 1998),
of which $p n^*$ are right, and their interval is the exact one (Clopper and Pearson 1934). With $u = N - 1$ it is, for
one run without groups, that of the rows themselves; where rows are more than right or wrong, $u$ is infinite. Where
nothing varies, $n^*$ is the number of groups. To the $n_V$ rows of a difference of two shares two are added, in which
each system once is ahead (Bonett and Price 2012), by as much as the two differ where they do.

`benchmarks/coverage.py` simulates how often the truth is covered.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from helpers.errors import InputError

Score = Callable[[np.ndarray], np.ndarray]
Groups = Sequence[Hashable] | None
ALPHA = 0.05
UPPER = 1 - ALPHA / 2


@dataclass(frozen=True)
class Interval:
    """A score with the ends of its 95 % interval, and the number of test rows behind it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return format(self, ".3f")

    def __format__(self, digits: str) -> str:
        """The value and its ends in a format such as `.1f`, which suits scores from 0 to 100; without one as `str`."""
        if not digits:
            return str(self)
        return f"{self.value:{digits}} [{self.low:{digits}}, {self.high:{digits}}]"


@dataclass(frozen=True)
class Difference(Interval):
    """One score minus another on the same rows.

    Attributes:
        p: of the hypothesis that there is no difference, two-sided; the interval holds 0 where it is above 0.05.
        runs: of the system that has fewer.
    """

    p: float
    runs: int

    def verdict(
        self,
        better: str = "better than",
        worse: str = "worse than",
        unclear: str = "not distinguishable from",
        single: str = "not judged, with one run on a side, against",
    ) -> str:
        """The difference in words: `better` or `worse` where p is at most 0.05, and `single` after one run on a side.

        Training again with another seed gives another system: one run tells nothing of how much the next one differs.
        """
        if self.runs < 2:
            return single
        return unclear if self.p > ALPHA else better if self.value > 0 else worse


class System(NamedTuple):
    """What S runs of a system got on N test rows: scores (S,), values (S, N) with these means, and are they shares."""

    scores: np.ndarray
    rows: np.ndarray
    shares: bool


def interval(
    values: np.ndarray, *, score: Score | None = None, groups: Groups = None, highest: float = 1.0
) -> Interval:
    """The mean of one value per test row, or a score of the rows' counts, with its interval over rows and runs.

    Args:
        values: shape (N,), or (S, N) for S runs on the same rows, such as seeds. With `score`, each value is a vector
            of K counts: shape (N, K) or (S, N, K).
        score: from mean counts of a set of rows, shape (..., K), to the score of that set, shape (...); for scores
            such as F1 or BLEU that are no mean over rows. The score of several runs is the mean of theirs.
        groups: what each row belongs to, such as its passage, film or thread, shape (N,): rows of one group are
            dependent. None takes every row as its own group.
        highest: what a perfect system scores, such as 100 for BLEU; scores from 0 to there are taken for shares of it.

    One run gives the interval for that trained model; several give that of the score which another run may have.

    Raises InputError if there are no rows, if a value is not a number, if `groups` differ from the rows in number, or
    if all rows are of one group.
    """
    system = _system(values, score, highest)
    value, rows = float(system.scores.mean()), system.rows.shape[1]
    variance, t, units = _chance([system], groups)
    if system.shares:
        value = min(value, 1.0)
        exact = np.abs(system.rows - system.rows.round()).max() < 1e-9  # each row is right or wrong
        usual = quantile(rows - 1 if exact else np.inf)
        low, high = _share(value, _worth(value * (1 - value), variance, rows, units, (usual / t) ** 2))
    else:
        low, high = value + np.array([-1, 1]) * _reach(variance, t)
    return Interval(value * highest, float(low) * highest, float(high) * highest, rows)


def paired(
    first: np.ndarray,
    second: np.ndarray,
    *,
    score: Score | None = None,
    groups: Groups = None,
    highest: float = 1.0,
    second_is_fixed: bool = False,
) -> Difference:
    """`first` minus `second` on the same test rows, with its interval: above zero means that `first` is better.

    The interval leaves zero out only where the exact test of McNemar (1947) of the rows on which the two differ does
    so too: never for fewer than six such rows.

    Args:
        first, second: values per test row as `interval` takes them. Equally many runs are compared pair by pair, such
            as seed by seed; other numbers as independent runs.
        groups, highest: as `interval` takes them.
        second_is_fixed: `second` has no chance in it, as a rule or the copy of the input: it needs no second run.

    Raises InputError if the rows differ in number, and as `interval` does.
    """
    ours, theirs = _system(first, score, highest), _system(second, score, highest)
    if ours.rows.shape[1] != theirs.rows.shape[1]:
        raise InputError(
            f"a paired comparison needs the same test rows, but the systems have {ours.rows.shape[1]} and "
            f"{theirs.rows.shape[1]}; score both on one test set"
        )
    rows = ours.rows.mean(0) - theirs.rows.mean(0)
    gain = float(ours.scores.mean() - theirs.scores.mean())
    variance, t, units = _chance([ours, System(-theirs.scores, -theirs.rows, theirs.shares)], groups)
    centre, error = gain, np.sqrt(variance)
    if shares := ours.shares and theirs.shares:
        squares = float((rows**2).mean())  # of 0 and 1, the share of rows on which the two differ
        size = squares / np.abs(rows).mean() if squares > 0 else 1.0  # of a difference, where there is one
        worth = _worth(squares - gain**2, variance, len(rows), units)
        centre = gain * worth / (worth + 2)
        error = np.sqrt(((squares * worth + 2 * size**2) / (worth + 2) - centre**2) / (worth + 2))
    p = max(tail(centre, error, t), _mcnemar(rows))
    low, high = centre + np.array([-1, 1]) * _reach(error**2, t)
    low, high = (max(low, -1.0), min(high, 1.0)) if shares else (low, high)
    low, high = (min(low, 0.0), max(high, 0.0)) if p > ALPHA else (low, high)
    runs = len(ours.scores) if second_is_fixed else min(len(ours.scores), len(theirs.scores))
    gain, low, high = (float(each) * highest for each in (gain, low, high))
    return Difference(gain, low, high, len(rows), float(p), runs)


def holm(differences: Mapping[Hashable, Difference]) -> dict[Hashable, Difference]:
    """The differences of one table with their p adjusted for its size, so that its verdicts are (Holm 1979).

    The chance that any verdict in the table is wrong is then at most 5 %. Intervals stay as they are, each for itself.
    """
    order = sorted(differences, key=lambda name: differences[name].p)
    raw = np.array([differences[name].p for name in order])
    steps = np.minimum(np.maximum.accumulate(raw * np.arange(len(raw), 0, -1)), 1.0)
    adjusted = dict(zip(order, steps.tolist(), strict=True))
    return {name: replace(difference, p=adjusted[name]) for name, difference in differences.items()}


def _system(values: np.ndarray, score: Score | None, highest: float) -> System:
    """The runs of a system, with scores and rows as parts of the highest score."""
    values = np.asarray(values, dtype=np.float64)
    values = values if values.ndim == (2 if score is None else 3) else values[None]  # (S, N) or (S, N, K)
    if values.shape[1] == 0:
        raise InputError("an interval needs at least one test row and there are none")
    if not np.isfinite(values).all():
        raise InputError(
            f"{(~np.isfinite(values)).sum()} of the test rows' values are not finite numbers; score each row, or leave "
            "it out of both systems"
        )
    if score is None:
        values = values / highest
        return System(values.mean(1), values, _within(values))
    n = values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):  # a row alone may have nothing to be found
        scores = np.asarray(score(values.mean(1))) / highest  # rounding may bring it above 1
        shares = _within(scores) and _within(score(values) / highest)
        rest = score((values.sum(1, keepdims=True) - values) / (n - 1)) / highest if n > 1 else scores[:, None]
    rows = -(n - 1) * np.where(np.isfinite(rest), rest, scores[:, None])
    return System(scores, rows - rows.mean(1, keepdims=True) + scores[:, None], shares)


def _within(values: np.ndarray) -> bool:
    """Whether all are between 0 and 1, but for those that are undefined."""
    return bool(((values >= 0) & (values <= 1 + 1e-9) | np.isnan(values)).all())


def _chance(sides: list[System], groups: Groups) -> tuple[float, float, int]:
    """The variance of the sum of the sides' scores, the t quantile that goes with it, and the number of groups."""
    rows = sum(side.rows.mean(0) for side in sides)  # (N,)
    numbers, sizes = _grouped(groups, len(rows))
    units = len(sizes)
    if units == 1:
        return 0.0, np.inf, 1
    left_out = np.bincount(numbers, rows - rows.mean()) / (len(rows) - sizes)
    worth = max(len(rows) ** 2 / (sizes**2).sum() - 1, 1.0)
    parts = [((units - 1) / units * (left_out**2).sum(), quantile(worth))]
    scores = [side.scores for side in sides]
    scores = [sum(scores)] if len({len(each) for each in scores}) == 1 else scores  # run by run
    parts += [(each.var(ddof=1) / len(each), quantile(len(each) - 1)) for each in scores if len(each) > 1]
    variance = sum(part for part, _ in parts)
    t = np.sqrt(sum(part * t**2 for part, t in parts) / variance) if variance > 0 and len(parts) > 1 else parts[0][1]
    return float(variance), float(t), units


def _grouped(groups: Groups, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's group, (N,), and the rows of each group, (G,)."""
    if groups is None:
        return np.arange(rows), np.ones(rows, dtype=np.int64)
    if len(groups) != rows:
        raise InputError(f"{len(groups)} groups are given for {rows} test rows; name the group of each row")
    # a Series first, as an array would take ids that are tuples for a second dimension
    numbers, names = pd.factorize(pd.Series(list(groups), dtype=object), use_na_sentinel=False)
    if len(names) < 2:
        raise InputError(f"all {rows} test rows are of the group '{names[0]}'; an interval needs at least two groups")
    return numbers, np.bincount(numbers)


def _worth(spread: float, variance: float, rows: int, units: int, allowance: float = 1.0) -> float:
    """As how many independent rows of this spread they tell as much, times what is allowed for an unsure variance."""
    if variance <= 1e-15 or spread <= 1e-15:
        return float(units)
    return rows * spread / (rows - 1) / variance * allowance


def _share(value: float, n: float) -> tuple[float, float]:
    """The exact interval of a share of n rows, of which value * n, a fraction perhaps, are right."""
    right = value * n
    low = special.betaincinv(right, n - right + 1, ALPHA / 2) if value > 0 else 0.0
    high = special.betaincinv(right + 1, n - right, UPPER) if value < 1 else 1.0
    return low, high


def _mcnemar(rows: np.ndarray) -> float:
    """The p of the exact test whether rows differ one way as often as the other; larger differences weigh more.

    Where all weigh alike, as after one run, it is McNemar's; else they count as the equal ones that they are worth.
    """
    gains, losses = rows[rows > 0].sum(), -rows[rows < 0].sum()
    if gains + losses == 0:
        return 1.0
    more, fewer = np.array([max(gains, losses), min(gains, losses)]) * (gains + losses) / (rows**2).sum()
    return min(1.0, 2 * float(special.betainc(more, fewer + 1, 0.5)))


def tail(value: float, error: float, t: float) -> float:
    """The two-sided p of a value that is `error` uncertain, by the t distribution whose 97.5 % quantile is `t`."""
    if error == 0 or np.isinf(t):
        return 1.0 if value == 0 or np.isinf(t) else 0.0
    return 2 * float(special.stdtr(special.stdtridf(UPPER, t), -abs(value) / error))


def quantile(freedom: float) -> float:
    return float(special.stdtrit(freedom, UPPER) if np.isfinite(freedom) else special.ndtri(UPPER))


def _reach(variance: float, t: float) -> float:
    """The half-width of an interval; without end where one row or group says nothing about another."""
    return np.inf if np.isinf(t) else t * float(np.sqrt(variance))
