"""How often the 95 % intervals of helpers.evaluation hold the truth, on made results whose truth is known.

    python benchmarks/coverage.py [RUNS]

A run draws test rows, groups and trained models anew. The log-odds that a model gets a row right are the sum of a
constant, the row's difficulty, its group's and the model's luck, normal each; the spread of the last goes from none to
where it dominates all else. The share of right answers over all rows and models is then known by an integral. Groups
differ in size as parts of a stick broken at random. A score of counts is F1 of rows with one to five true spans each.
The binomial error of a coverage of .95 is 0.011 in 400 runs.
"""

import functools
import itertools
import sys
import time
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from helpers import evaluation, metrics

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(81)
DIFFICULTY, BETWEEN_GROUPS = 1.5, 0.7  # spreads in log-odds


class Cell(NamedTuple):
    """What is simulated: a share, an F1, or the difference of two shares."""

    kind: str
    truth: float
    rows: int
    runs: int
    luck: float  # the spread of the models, in log-odds
    groups: int = 0  # none

    def __str__(self) -> str:
        rows = f"{self.rows} rows in {self.groups} groups" if self.groups else f"{self.rows} rows"
        return f"{self.kind} {self.truth}, {rows}, {self.runs} runs, luck {self.luck}"


@functools.cache
def constant(share: float, spread: float) -> float:
    """The log-odds whose logistic, with this normal spread around, has the mean `share`."""

    def excess(middle: float) -> float:
        return WEIGHTS @ special.expit(middle + spread * NODES) / WEIGHTS.sum() - share

    return optimize.brentq(excess, -60, 60)


def grouped(random: np.random.Generator, cell: Cell) -> np.ndarray | None:
    """The group of each row, (N,): unequal in size, no group empty."""
    if not cell.groups:
        return None
    sizes = 1 + random.multinomial(cell.rows - cell.groups, random.dirichlet(np.full(cell.groups, 1.5)))
    return np.repeat(np.arange(cell.groups), sizes)


def chances(
    random: np.random.Generator, cell: Cell, groups: np.ndarray | None, shares: list[float]
) -> list[np.ndarray]:
    """The probability that each system's runs get each row right, (S, N) a system; rows are as hard for all."""
    between = BETWEEN_GROUPS if cell.groups else 0.0
    hard = random.normal(size=cell.rows) * DIFFICULTY
    hard = hard if groups is None else hard + (random.normal(size=cell.groups) * between)[groups]
    spread = np.sqrt(DIFFICULTY**2 + between**2 + cell.luck**2)
    luck = [random.normal(size=(cell.runs, 1)) * cell.luck for _ in shares]
    return [special.expit(constant(share, spread) + own + hard) for share, own in zip(shares, luck, strict=True)]


def covered(random: np.random.Generator, cell: Cell) -> bool:
    """Whether one made result's interval holds the truth."""
    groups = grouped(random, cell)
    if cell.kind == "F1":
        found, truth = f1_interval(random, cell, groups)
    elif cell.kind == "difference":
        truth = cell.truth - max(0.5, 2 * cell.truth - 1)  # the other system makes twice as many mistakes
        ours, theirs = chances(random, cell, groups, [cell.truth, cell.truth - truth])
        found = evaluation.paired(*(random.uniform(size=p.shape) < p for p in (ours, theirs)), groups=groups)
    else:
        truth, (p,) = cell.truth, chances(random, cell, groups, [cell.truth])
        found = evaluation.interval(random.uniform(size=p.shape) < p, groups=groups)
    return found.low <= truth <= found.high


def f1_interval(random: np.random.Generator, cell: Cell, groups) -> tuple[evaluation.Interval, float]:
    """The interval of an F1, whose truth is the share found, as on average as many spans are given as are true."""
    (p,) = chances(random, cell, groups, [cell.truth])
    true = np.broadcast_to(random.integers(1, 6, size=cell.rows), p.shape)
    right = random.binomial(true, p)
    given = right + random.binomial(true, 1 - p)
    counts = np.stack([right, given, true], axis=-1).astype(float)
    return evaluation.interval(counts, score=metrics.f1_of, groups=groups), cell.truth


def coverage(cell: Cell, runs: int, seed: int = 0) -> float:
    """The share of `runs` made results whose interval holds the truth."""
    random = np.random.default_rng([seed, cell.rows, cell.runs, cell.groups])
    return float(np.mean([covered(random, cell) for _ in range(runs)]))


def cells() -> list[Cell]:
    sizes = ((20, 0), (20, 10), (200, 0), (200, 10), (200, 40), (2000, 0), (2000, 10), (2000, 40))
    grid = itertools.product(("share", "difference", "F1"), sizes, (1, 3, 5, 10), (0.0, 0.1, 0.3, 0.5))
    return [
        Cell(kind, truth, rows, runs, luck, groups)
        for kind, (rows, groups), runs, luck in grid
        for truth in (0.5, 0.8, 0.9, 0.99, 0.998)
        if (runs > 1 or luck == 0) and (kind, truth) != ("difference", 0.5)
    ]


def main(runs: int = 400) -> None:
    """Print, for each kind, size and number of runs, the lowest coverage and where it is found, and the mean."""
    start = time.perf_counter()
    print("kind        rows groups runs  lowest (truth, luck)      mean")
    for key, group in itertools.groupby(cells(), lambda cell: (cell.kind, cell.rows, cell.groups, cell.runs)):
        found = {cell: coverage(cell, runs) for cell in group}
        worst = min(found, key=found.get)
        kind, rows, groups, repeats = key
        where = f"({worst.truth}, {worst.luck})"
        print(
            f"{kind:10s} {rows:5d} {groups:6d} {repeats:4d}   {found[worst]:.3f} {where:16s} "
            f"{np.mean(list(found.values())):.3f}",
            flush=True,
        )
    print(f"{runs} runs a cell, {len(cells())} cells, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
