"""A threshold keeps what it promises on the rows that chose it, and rates are shares of the rows that they name."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from helpers.errors import InputError
from helpers.evaluation import thresholds

RANDOM = np.random.default_rng(0)


def scored(rows: int = 1000, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    positive = RANDOM.uniform(size=rows) < 0.3
    scores = 1 / (1 + np.exp(-RANDOM.normal(np.where(positive, 1.5, -1.5), 1.5)))
    return (scores if steps is None else np.round(scores * steps) / steps), positive


@pytest.mark.parametrize("steps", [None, 10])  # with ties as well
@pytest.mark.parametrize("rate", [0.0, 0.005, 0.05, 1.0])
def test_a_false_positive_rate_is_kept_and_no_lower_threshold_keeps_it(rate, steps):
    scores, positive = scored(steps=steps)
    threshold = thresholds.at_false_positive_rate(scores, positive, rate)
    assert (scores[~positive] >= threshold).mean() <= rate
    lower = scores[scores < threshold]
    if rate < 1:
        assert (scores[~positive] >= lower.max()).mean() > rate


def test_a_rate_below_one_row_is_refused():
    scores, positive = np.array([0.1, 0.2, 0.9]), np.array([False, False, True])
    with pytest.raises(
        InputError, match=r"a false-positive rate of 0.01 cannot be measured on 2 negative rows; give at"
    ):
        thresholds.at_false_positive_rate(scores, positive, 0.01)


@pytest.mark.parametrize(("rate", "positive"), [(-0.1, [False, True]), (1.5, [False, True]), (0.0, [True, True])])
def test_a_rate_that_is_no_share_of_any_row_is_refused(rate, positive):
    with pytest.raises(
        InputError, match=r"on [01] negative rows says nothing; give a rate from 0 to 1 and at least one"
    ):
        thresholds.at_false_positive_rate(np.array([0.2, 0.9]), np.array(positive), rate)


@pytest.mark.parametrize("steps", [None, 10])
@pytest.mark.parametrize("costs", [(1, 1), (50, 1), (1, 20), (1000, 1)])
def test_no_threshold_is_cheaper_than_the_cheapest(costs, steps):
    scores, positive = scored(300, steps)

    def cost(threshold: float) -> float:
        flagged = scores >= threshold
        return costs[0] * (flagged & ~positive).sum() + costs[1] * (~flagged & positive).sum()

    found = thresholds.cheapest(scores, positive, false_positive=costs[0], false_negative=costs[1])
    assert cost(found) == min(cost(threshold) for threshold in [*scores, 2.0])


def test_eq_cost_threshold_is_the_cheapest_where_scores_are_calibrated():
    scores = RANDOM.uniform(size=400_000)
    positive = RANDOM.uniform(size=len(scores)) < scores
    found = thresholds.cheapest(scores, positive, false_positive=9, false_negative=1)
    assert found == pytest.approx(9 / (9 + 1), abs=0.02)


def test_eq_cost_threshold_is_where_both_decisions_cost_the_same():
    p = thresholds.cost_threshold(false_positive=20, false_negative=1)
    assert (1 - p) * 20 == pytest.approx(p * 1)
    assert p == pytest.approx(20 / 21)


def test_rates_are_shares_of_flagged_positive_and_negative_rows():
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    positive = np.array([True, False, True, True, False])
    found = thresholds.rates(scores, positive, 0.7)
    assert (found["precision"].value, found["precision"].n) == (pytest.approx(2 / 3), 3)
    assert (found["recall"].value, found["recall"].n) == (pytest.approx(2 / 3), 3)
    assert (found["false-positive rate"].value, found["false-positive rate"].n) == (0.5, 2)
    assert "precision" not in thresholds.rates(scores, positive, 0.95)


def test_eq_precision_follows_from_the_two_rates_and_the_share_of_positives():
    scores, positive = scored(5000)
    found = {name: rate.value for name, rate in thresholds.rates(scores, positive, 0.6).items()}
    again = thresholds.precision_at(found["recall"], found["false-positive rate"], positive.mean())
    assert again == pytest.approx(found["precision"])
    assert thresholds.precision_at(0.9, 0.01, 0.001) < 0.1  # most of what is flagged is wrong where few are positive


def test_eq_shift_moves_calibrated_probabilities_to_another_share_of_positives():
    share, other = 0.4, 0.1
    x = RANDOM.normal(size=300_000)
    density = [np.exp(-((x - mean) ** 2) / 2) for mean in (0, 1.5)]  # of negatives and of positives at x

    def posterior(positives: float) -> np.ndarray:
        return positives * density[1] / (positives * density[1] + (1 - positives) * density[0])

    np.testing.assert_allclose(thresholds.shifted(posterior(share), share, other), posterior(other))
    np.testing.assert_allclose(thresholds.shifted(posterior(share), share, share), posterior(share))


def test_a_rate_that_binary_fractions_miss_by_a_hair_is_used_up():
    scores = np.arange(100) / 100
    found = thresholds.at_false_positive_rate(scores, np.zeros(100, bool), 0.29)  # 0.29 * 100 is 28.999...
    assert (scores >= found).sum() == 29


def test_of_equally_cheap_thresholds_the_highest_is_taken():
    scores, positive = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert thresholds.cheapest(scores, positive, false_positive=1, false_negative=1) == 0.9


@pytest.mark.parametrize("steps", [None, 10])  # with ties as well
@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 1.0])
def test_recall_at_a_rate_is_that_of_the_threshold_which_keeps_the_rate(rate, steps):
    scores, positive = scored(700, steps)
    found = thresholds.recall_at(scores, positive, rate, draws=20)
    at = thresholds.at_false_positive_rate(scores, positive, rate)
    assert found.value == thresholds.rates(scores, positive, at)["recall"].value
    assert found.n == positive.sum() and 0 <= found.low <= found.value <= found.high <= 1


def drawn(random: np.random.Generator, negatives: int = 300, positives: int = 80, runs: int = 1):
    """Scores of two normal kinds, shape (S, N), of which rows share a part and each run has its own."""
    positive = np.arange(negatives + positives) >= negatives
    shared = random.normal(np.where(positive, 2.0, 0.0), 1)
    shift = random.normal(size=(runs, 1)) * 0.3 * positive  # how well a run has learnt
    return shared + shift, positive


@pytest.mark.parametrize("runs", [1, 5])
def test_the_interval_of_a_recall_covers_chance_in_both_kinds_of_rows_and_in_runs(runs):
    random = np.random.default_rng(1)
    many, kinds = drawn(random, 50_000, 50_000, 1 if runs == 1 else 60)
    if runs == 1:  # the score of one run, without how well it has learnt
        many = many - many[:, kinds].mean() * kinds + 2.0 * kinds
    truth = np.mean([thresholds.recall_at(each, kinds, 0.05, draws=2).value for each in many])
    covered, fixed = [], []
    for _ in range(150):
        scores, positive = drawn(random, runs=runs)
        if runs == 1:
            scores = np.random.default_rng(random.integers(2**32)).normal(np.where(positive, 2.0, 0.0), 1)
        found = thresholds.recall_at(scores, positive, 0.05, draws=200)
        covered.append(found.low <= truth <= found.high)
        best = np.atleast_2d(scores)[0]
        at = thresholds.at_false_positive_rate(best, positive, 0.05)
        narrow = thresholds.rates(best, positive, at)["recall"]
        fixed.append(narrow.low <= truth <= narrow.high)
    assert np.mean(covered) > 0.9
    assert np.mean(fixed) < np.mean(covered), "a threshold that is held fixed forgets the negatives"


def test_copies_of_rows_in_one_group_do_not_narrow_a_recall():
    scores, positive = scored(400)
    once = thresholds.recall_at(scores, positive, 0.05)
    thrice = (np.repeat(values, 3) for values in (scores, positive, np.arange(400)))
    copied, kinds, groups = thrice
    found = thresholds.recall_at(copied, kinds, 0.05, groups=groups)
    assert found.high - found.low == pytest.approx(once.high - once.low, rel=0.1)


def test_the_gain_of_a_system_over_itself_is_nothing_and_over_a_worse_one_is_found():
    random = np.random.default_rng(2)
    positive = np.arange(2000) >= 1500
    good, noise = random.normal(np.where(positive, 2.0, 0.0), 1, (3, 2000)), random.normal(size=(3, 2000))
    same = thresholds.recall_gain(good, good, positive, 0.02)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    more = thresholds.recall_gain(good, noise, positive, 0.02)
    assert more.low > 0 and more.p < 0.01 and more.runs == 3 and more.verdict() == "better than"
    single = thresholds.recall_gain(good, noise[0], positive, 0.02)
    assert single.runs == 1 and single.verdict() == "not judged, with one run on a side, against"
    fixed = thresholds.recall_gain(good, noise[0], positive, 0.02, second_is_fixed=True)
    assert (fixed.value, fixed.low, fixed.high) == (single.value, single.low, single.high)
    assert fixed.runs == 3 and fixed.verdict() == "better than"
    turned = thresholds.recall_gain(noise, good, positive, 0.02)
    assert (turned.low, turned.high) == pytest.approx((-more.high, -more.low))


@pytest.mark.parametrize("steps", [None, 4])
def test_the_area_is_that_of_the_curve_and_ties_count_half(steps):
    scores, positive = scored(300, steps=steps)
    found = thresholds.area(scores, positive)
    assert found.value == pytest.approx(roc_auc_score(positive, scores)) and found.n == 300
    assert thresholds.area(-scores, positive).value == pytest.approx(1 - found.value)


def test_the_interval_of_an_area_covers_that_of_many_rows():
    truth = thresholds.area(*scored(6000)).value
    covered = [(found := thresholds.area(*scored(150))).low <= truth <= found.high for _ in range(400)]
    assert np.mean(covered) > 0.92


def test_an_area_needs_two_rows_of_each_kind():
    with pytest.raises(InputError, match="1 positive and 3 negative rows rank nothing"):
        thresholds.area(np.arange(4.0), np.arange(4) == 0)
