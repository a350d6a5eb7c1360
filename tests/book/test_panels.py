"""Panels: the power is that of the exact test, lots take the pull of places out, a judge draws nothing to its side."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from helpers import evaluation
from helpers.book import panels


@pytest.mark.parametrize(("pairs", "share"), [(10, 0.5), (37, 0.6), (50, 0.7), (200, 0.55)])
def test_eq_pair_power_is_the_chance_that_the_exact_test_finds_it(pairs, share):
    found = [wins for wins in range(pairs + 1) if stats.binomtest(wins, pairs).pvalue <= 0.05]
    assert panels.power(pairs, share) == pytest.approx(stats.binom(pairs, share).pmf(found).sum())
    drawn = np.random.default_rng(0).binomial(pairs, share, 20_000)
    assert panels.power(pairs, share) == pytest.approx(np.isin(drawn, found).mean(), abs=0.015)


def test_level_systems_are_told_apart_in_at_most_one_case_of_twenty():
    assert max(panels.power(pairs, 0.5) for pairs in range(1, 300)) <= 0.05


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_from_the_pairs_that_are_needed_on_the_power_is_enough(share):
    pairs = panels.needed(share)
    assert panels.power(pairs - 1, share) < 0.8
    assert all(panels.power(more, share) >= 0.8 for more in range(pairs, 2 * pairs))


def test_lots_take_the_pull_of_places_out_and_fixed_places_do_not():
    draw = np.random.default_rng(0)
    level = {"share": 0.5, "pull": 0.2, "draw": draw}
    assert panels.votes(4000, 5, **level).mean() == pytest.approx(0.5, abs=0.015)
    assert panels.votes(4000, 5, randomised=False, **level).mean() == pytest.approx(0.2 + 0.8 * 0.5, abs=0.015)


def test_readers_of_one_pair_agree_more_than_readers_of_two():
    found = panels.votes(4000, 2, share=0.6, pull=0.0, draw=np.random.default_rng(1))
    assert np.corrcoef(found[:, 0], found[:, 1])[0, 1] == pytest.approx(1 / 4, abs=0.05), "1 / (alike + 1)"
    assert abs(np.corrcoef(found[:-1, 0], found[1:, 1])[0, 1]) < 0.05


def test_a_reader_who_leans_does_so_in_all_pairs():
    level = {"share": 0.5, "pull": 0.0, "draw": np.random.default_rng(2)}
    of_readers = [panels.votes(2000, 200, taste=taste, **level).mean(0).std() for taste in (0.0, 0.1)]
    assert of_readers[0] < 0.02 and of_readers[1] == pytest.approx(0.1, rel=0.2)


def _verdicts(agreement: float, size: tuple, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    people = draw.random(size) < 0.5
    return people, np.where(draw.random(size) < agreement, people, ~people)


@pytest.mark.parametrize("agreement", [0.5, 0.8, 0.95])
def test_eq_judge_worth_is_how_many_times_as_many_labels_a_judge_is_worth(agreement):
    people, judge = _verdicts(agreement, (4000, 3000), seed=2)
    found = [panels.assisted(p[:100], j[:100], j[100:]) for p, j in zip(people, judge, strict=True)]
    squared, few = (2 * agreement - 1) ** 2, 100 / 3000  # of the correlation, and the share that people saw
    assert np.mean(found) == pytest.approx(0.5, abs=0.005), "a judge that errs draws nothing to its side"
    assert np.var(people[:, :100].mean(1)) / np.var(found) == pytest.approx(1 / (1 - squared * (1 - few)), rel=0.07)


def test_a_judge_that_always_says_the_same_changes_nothing():
    people = np.array([True, False, True, True])
    assert panels.assisted(people, np.ones(4), np.ones(50)) == people.mean()


def test_eq_judge_orders_right_answers_and_pull_follow_from_the_two_orders():
    """Who decides by place with some chance, and else rightly with another, has the shares that the equation says."""
    draw, pull, skill, size = np.random.default_rng(3), 0.6, 0.75, 100_000
    first, second = (
        np.where(draw.random(size) < pull, place, draw.random(size) < skill) for place in (True, False)
    )  # whether the right one is named where it stands first, and where it stands second
    right, names_first = (first.mean() + second.mean()) / 2, (first.mean() + 1 - second.mean()) / 2
    assert right == pytest.approx(pull / 2 + (1 - pull) * skill, abs=0.01)
    assert names_first == pytest.approx(0.5 + pull / 2, abs=0.01)


def test_kappa_of_cells_is_that_of_scikit_learn_and_its_interval_covers():
    draw, covered = np.random.default_rng(4), []
    for number in range(300):
        truth = draw.random(150) < 0.4
        first, second = (np.where(draw.random(150) < 0.85, truth, ~truth) for _ in range(2))
        found = evaluation.interval(panels.cells(first, second), score=panels.kappa)
        if number < 20:
            assert found.value == pytest.approx(cohen_kappa_score(first, second))
        agree, yes = 0.85**2 + 0.15**2, 0.4 * 0.85 + 0.6 * 0.15
        chance = yes**2 + (1 - yes) ** 2
        covered.append(found.low <= (agree - chance) / (1 - chance) <= found.high)
    assert 0.92 <= np.mean(covered) <= 0.98
