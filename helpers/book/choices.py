"""What a way to a model costs, and what more labels would bring: the arithmetic of the page on choosing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from helpers.errors import InputError
from helpers.evaluation import Interval

POINTS = 3  # sizes through which a curve is drawn on


@dataclass(frozen=True)
class Prices:
    """What is paid for, in euros; change them to your own.

    Attributes:
        wage: of an hour of those who label.
        label_seconds: that a label takes.
        core_hour: of an hour of one processor core.
        operations: floating-point operations that a core does in a second.
        million_tokens: of a model that somebody else runs, read and written together.
    """

    wage: float = 30.0
    label_seconds: float = 20.0
    core_hour: float = 0.04
    operations: float = 40e9
    million_tokens: float = 0.5


@dataclass(frozen=True)
class Way:
    """What a way to a model takes.

    Attributes:
        labels: rows that people label.
        hours: of other work before it runs, at the same wage.
        training: floating-point operations of the training.
        request: operations that one request takes on one's own machine.
        tokens: of one request that somebody else's model reads and writes.
    """

    labels: int = 0
    hours: float = 0.0
    training: float = 0.0
    request: float = 0.0
    tokens: int = 0


def before(way: Way, prices: Prices) -> float:
    """What is paid before the first request, in euros (eq-way-cost)."""
    return prices.wage * label_hours(way, prices) + prices.core_hour * way.training / prices.operations / 3600


def each(way: Way, prices: Prices) -> float:
    """What one request costs, in euros (eq-way-cost)."""
    return prices.core_hour * way.request / prices.operations / 3600 + prices.million_tokens * way.tokens / 1e6


def label_hours(way: Way, prices: Prices) -> float:
    """Hours of people before it runs."""
    return way.hours + way.labels * prices.label_seconds / 3600


def break_even(first: Way, second: Way, prices: Prices) -> float:
    """The requests from which on `first` is cheaper than `second`: 0 if it always is, infinite if it never will be."""
    more, saved = before(first, prices) - before(second, prices), each(second, prices) - each(first, prices)
    if more <= 0 and saved >= 0:
        return 0.0
    return more / saved if saved > 0 else np.inf


def forecast(sizes: Sequence[int], errors: Sequence[float], size: float) -> float:
    """The error at another number of labels, by the power law through the last `POINTS` sizes (eq-curve-forecast).

    Raises InputError for fewer than two sizes, or an error of zero, of which a power law knows nothing.
    """
    sizes, errors = np.asarray(sizes, dtype=float)[-POINTS:], np.asarray(errors, dtype=float)[-POINTS:]
    if len(sizes) < 2:
        raise InputError(f"a curve needs at least two sizes and there is {len(sizes)}; score another one")
    if errors.min() <= 0:
        raise InputError(f"an error of {errors.min():g} has no power law; score on more test rows")
    slope, level = np.polyfit(np.log(sizes), np.log(errors), 1)
    return float(np.exp(level + slope * np.log(size)))


def steps(sizes: Sequence[int], errors: Sequence[float], most: float) -> list[tuple[float, float, float, float]]:
    """What the forecasts from each beginning of a curve said, up to `most` times its last size.

    Returns (last size, size, forecast, what came) of each, from beginnings of at least `POINTS` sizes.
    """
    made = []
    for end in range(POINTS, len(sizes)):
        for size, came in zip(sizes[end:], errors[end:], strict=True):
            if size <= most * sizes[end - 1]:
                made.append((sizes[end - 1], size, forecast(sizes[:end], errors[:end], size), came))
    return made


def foretold(probed: np.ndarray, tuned: np.ndarray, *, draws: int = 1000) -> tuple[Interval, Interval]:
    """How well a probe ranks bodies, and what a choice by it loses, each with its 95 % interval.

    Spearman's rank correlation of the two accuracies over the bodies, and the accuracy of the best body minus
    that of the body whose probe is best. Rows and seeds are drawn anew for the ends, the bodies are those given.

    Args:
        probed: which rows a regression on each body's frozen vectors gets right, (K, S, V).
        tuned: which rows each fine-tuned body gets right, (K, S, N); its rows are others.
    """
    dice, parts = np.random.default_rng(0), (probed, tuned)
    drawn = []
    for _ in range(draws):
        seeds = dice.integers(probed.shape[1], size=probed.shape[1])
        rows = [dice.integers(part.shape[2], size=part.shape[2]) for part in parts]
        drawn.append(_ranked(*(part[:, seeds][..., own].mean((1, 2)) for part, own in zip(parts, rows, strict=True))))
    values, ends = _ranked(*(part.mean((1, 2)) for part in parts)), np.quantile(drawn, [0.025, 0.975], axis=0)
    return tuple(Interval(*map(float, each), n=tuned.shape[2]) for each in zip(values, *ends, strict=True))


def _ranked(probed: np.ndarray, tuned: np.ndarray) -> tuple[float, float]:
    """Rank correlation and loss of a choice for accuracies of K bodies, (K,) each."""
    return stats.spearmanr(probed, tuned).statistic, tuned.max() - tuned[probed.argmax()]
