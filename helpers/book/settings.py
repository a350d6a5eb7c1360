"""Choosing settings: how far the best of several scores flatters, what class weights do to a probability, and which
labels a model doubts."""

import numpy as np
from scipy import integrate, stats

from helpers.errors import InputError


def expected_maximum(count: int) -> float:
    """The mean of the largest of `count` independent standard normal values, by integration of its density."""
    if count < 1:
        raise InputError(f"the largest of {count} values is none; give at least 1")

    def weighed(x: float) -> float:
        return count * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** (count - 1)

    return float(integrate.quad(weighed, -9, 9, limit=200)[0])


def optimism(count: int, rows: int, score: float, correlation: float = 0.0) -> float:
    """By how much the best of `count` equally good systems scores too well on the rows that chose it (`eq-optimism`).

    Args:
        score: the share of rows that each gets right.
        correlation: of whether a row is right, between two of the systems.
    """
    spread = (1 - correlation) * score * (1 - score) / rows
    return expected_maximum(count) * float(np.sqrt(spread))


def correlation(correct: np.ndarray) -> float:
    """The mean correlation between two runs of which rows they get right, (S, N)."""
    table = np.corrcoef(correct)
    return float(table[~np.eye(len(table), dtype=bool)].mean())


def chosen(correct: np.ndarray, count: int, rows: int, *, draws: int = 1000) -> tuple[float, float]:
    """The score of the best of `count` runs on the rows that chose it, and on all others, as means over draws.

    Args:
        correct: which rows each run got right, (S, N); runs and rows are drawn without replacement.
        rows: how many of them choose.

    Raises InputError where there are not enough runs or rows.
    """
    if not (count <= len(correct) and rows < correct.shape[1]):
        raise InputError(f"{count} runs and {rows} rows cannot be drawn from {correct.shape}; give fewer")
    drawn, seen = np.random.default_rng(0), []
    for _ in range(draws):
        runs, order = drawn.choice(len(correct), count, replace=False), drawn.permutation(correct.shape[1])
        part = correct[runs][:, order]  # (count, N)
        best = part[:, :rows].mean(1).argmax()
        seen.append((part[best, :rows].mean(), part[best, rows:].mean()))
    return tuple(np.mean(seen, axis=0).tolist())


def weighted(probabilities: np.ndarray, weight: float) -> np.ndarray:
    """What training with a class weight makes of a class's probability, (N,): its odds, times the weight
    (`eq-class-weight`). The reciprocal weight takes it back."""
    odds = weight * probabilities
    return odds / (odds + 1 - probabilities)


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Rows by given label and by the label of which the model is confident, (C, C), counts (`eq-confident-joint`).

    Northcutt, Jiang and Chuang 2021. A model is confident of a label from the mean probability that rows with this
    label give it; of several such labels the likeliest counts, and rows without any count nowhere.

    Args:
        labels: ids, (N,), each of the C labels at least once.
        probabilities: of rows that the model was not trained on, (N, C).
    """
    classes = probabilities.shape[1]
    enough = np.array([probabilities[labels == c, c].mean() for c in range(classes)])  # (C,)
    sure = probabilities >= enough
    likeliest = np.where(sure, probabilities, -1).argmax(1)
    joint = np.zeros((classes, classes), dtype=int)
    np.add.at(joint, (labels[sure.any(1)], likeliest[sure.any(1)]), 1)
    return joint


def planted(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share was changed to another one at random, and which ones, (N,) each."""
    drawn, classes = np.random.default_rng(seed), labels.max() + 1
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[drawn.choice(len(labels), round(share * len(labels)), replace=False)] = True
    other = (labels + drawn.integers(1, classes, len(labels))) % classes
    return np.where(wrong, other, labels), wrong
