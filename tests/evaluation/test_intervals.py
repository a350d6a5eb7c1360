"""Intervals cover what they say, pairs are compared in pairs, and the hardest rows come first."""

from itertools import product

import numpy as np
import pytest
import tiny

from helpers import evaluation
from helpers.errors import InputError
from helpers.evaluation import intervals

RANDOM = np.random.default_rng(0)


@pytest.mark.slow
def test_an_interval_covers_the_truth_about_95_times_in_100():
    hits = 0
    for trial in range(200):
        found = evaluation.interval(RANDOM.uniform(size=150) < 0.8, resamples=400, seed=trial)
        hits += found.low <= 0.8 <= found.high
    assert 180 <= hits <= 198


def test_an_interval_is_that_of_the_normal_approximation_for_many_rows():
    values = RANDOM.uniform(size=5000) < 0.7
    found = evaluation.interval(values)
    half = 1.96 * values.std() / np.sqrt(5000)
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.002)
    assert found.n == 5000


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.1, 0.3, "better than"), (-0.3, -0.1, "worse than"), (-0.1, 0.3, "as good as")]
)
def test_a_difference_is_put_into_words_by_the_side_of_zero_on_which_its_interval_lies(low, high, words):
    assert evaluation.Interval((low + high) / 2, low, high, 9).verdict(unclear="as good as") == words


def test_seeds_that_differ_widen_the_interval():
    alike = np.tile(RANDOM.uniform(size=400) < 0.7, (5, 1)).astype(float)
    apart = alike + np.linspace(-0.1, 0.1, 5)[:, None]
    narrow, wide = evaluation.interval(alike), evaluation.interval(apart)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_pairs_see_a_difference_that_separate_intervals_hide():
    hard = RANDOM.uniform(size=600) < 0.5  # rows that both systems get wrong
    first = ~hard
    second = first & (RANDOM.uniform(size=600) < 0.95)
    gain = evaluation.paired(first, second)
    assert gain.low > 0
    assert evaluation.interval(second).high > evaluation.interval(first).low
    assert evaluation.paired(first, first) == evaluation.Interval(0, 0, 0, 600)
    assert evaluation.paired(second, first).value == -gain.value


def test_one_system_may_lack_seeds():
    seeds, single = RANDOM.uniform(size=(5, 100)) < 0.9, RANDOM.uniform(size=100) < 0.5
    assert evaluation.paired(seeds, single).value == pytest.approx(seeds.mean() - single.mean())


def test_rows_must_be_the_same_and_at_least_one():
    with pytest.raises(InputError, match="the systems have 3 and 4; score both on one test set"):
        evaluation.paired(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="at least one test row"):
        evaluation.interval(np.ones(0))


def test_the_ladder_compares_the_last_system_with_each():
    references = RANDOM.integers(2, size=300)
    good, coin = np.eye(2)[references], np.full((300, 2), [0.6, 0.4])
    table = evaluation.ladder(tiny.TASK, {"coin": coin, "good": good}, references)
    assert table.loc["good", "accuracy"] == 1
    assert table.loc["coin", "accuracy"] == (references == 0).mean()
    assert table.loc["coin", "last minus this"] == pytest.approx((references == 1).mean())
    assert table.loc["coin", "gain low"] > 0
    assert (table["n"] == 300).all()


def test_the_hardest_row_is_the_surest_mistake():
    data = tiny.rows(4)
    labels = np.array(data["label"])
    sure = np.array([0.6, 0.99, 0.1, 0.3])
    probabilities = np.stack([1 - sure, sure], axis=-1)[np.arange(4)]
    likelihood = probabilities[np.arange(4), labels]
    table = evaluation.hardest(data, probabilities, k=2)
    assert table.index.tolist() == np.argsort(likelihood)[:2].tolist()
    assert table["loss"].tolist() == pytest.approx((-np.log(np.sort(likelihood)[:2])).tolist())
    assert table["text"].iloc[0] == data[int(np.argmin(likelihood))]["text"]


def test_the_confusion_matrix_counts_every_row_where_it_belongs():
    table = evaluation.confusion(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), ("no", "yes"))
    assert table.to_numpy().tolist() == [[1, 1], [1, 2]]
    assert table.index.tolist() == ["no", "yes"]


def f1(counts: np.ndarray) -> np.ndarray:
    """From true positives, predictions and references (..., 3) to the F1 of all of them."""
    return 2 * counts[..., 0] / (counts[..., 1] + counts[..., 2])


def span_counts(rows: int) -> np.ndarray:
    """Counts (rows, 3) of right, predicted and true spans."""
    true, extra = RANDOM.integers(1, 5, rows), RANDOM.integers(0, 3, rows)
    right = RANDOM.binomial(true, 0.7)
    return np.stack([right, right + extra, true], axis=-1)


def test_a_score_of_counts_is_that_of_all_rows_together():
    counts = span_counts(200)
    found = evaluation.interval(counts, score=f1)
    right, predicted, true = counts.sum(0)
    assert found.value == pytest.approx(2 * right / (predicted + true))
    assert found.low < found.value < found.high and found.n == 200


@pytest.mark.slow
def test_the_interval_of_a_score_covers_the_truth_about_95_times_in_100():
    truth = f1(span_counts(200_000).mean(0))
    founds = [evaluation.interval(span_counts(150), score=f1, resamples=300, seed=trial) for trial in range(200)]
    assert 178 <= sum(found.low <= truth <= found.high for found in founds) <= 199


def test_scores_of_counts_are_compared_on_the_same_rows_and_averaged_over_seeds():
    first = np.stack([span_counts(100) for _ in range(3)])
    second = first - np.array([1, 0, 0])
    gain = evaluation.paired(first, second[0], score=f1)
    expected = np.mean([f1(first[s].mean(0)) for s in range(3)]) - f1(second[0].mean(0))
    assert gain.value == pytest.approx(expected)
    assert gain.low > 0
    assert evaluation.paired(first, first, score=f1) == evaluation.Interval(0, 0, 0, 100)


# Rows that hang together


def clustered(groups: int, *, size: int = 8, trial: int) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) and their groups (N,): the rows of a group share half of what is random, and sizes differ."""
    random = np.random.default_rng(trial)
    sizes = random.integers(1, 2 * size, size=groups)
    ids = np.repeat(np.arange(groups), sizes)
    return random.normal(size=groups)[ids] + random.normal(size=len(ids)), ids


def covered(truth: float, found: evaluation.Interval) -> bool:
    return found.low <= truth <= found.high


def test_rows_of_a_group_hang_together_and_only_draws_of_groups_cover_the_truth():
    by_row, by_group, trials = 0, 0, 150
    for trial in range(trials):
        values, ids = clustered(60, trial=trial)
        by_row += covered(0, evaluation.interval(values, resamples=200, seed=trial))
        by_group += covered(0, evaluation.interval(values, groups=ids, resamples=200, seed=trial))
    assert by_row / trials < 0.75
    assert 0.89 <= by_group / trials <= 0.99


def test_a_score_of_counts_covers_the_truth_when_groups_are_drawn():
    by_row, by_group, trials = 0, 0, 120
    for trial in range(trials):
        random = np.random.default_rng(trial)
        ids = np.repeat(np.arange(60), random.integers(2, 12, size=60))
        chance = random.beta(2, 1, size=60)[ids]  # of finding a span, in each group
        true = np.full(len(ids), 4)
        right = random.binomial(true, chance)
        counts = np.stack([right, true, true], axis=-1)  # as many are predicted as are true: F1 is the share found
        by_row += covered(2 / 3, evaluation.interval(counts, score=f1, resamples=200, seed=trial))
        by_group += covered(2 / 3, evaluation.interval(counts, score=f1, groups=ids, resamples=200, seed=trial))
    assert by_row / trials < 0.8
    assert 0.89 <= by_group / trials <= 0.99


def test_pairs_draw_whole_groups_too():
    by_row, by_group, trials = 0, 0, 120
    for trial in range(trials):
        first, ids = clustered(60, trial=trial)
        second = np.random.default_rng(-trial % 997).normal(size=len(ids))
        by_row += covered(0, evaluation.paired(first, second, resamples=200, seed=trial))
        by_group += covered(0, evaluation.paired(first, second, groups=ids, resamples=200, seed=trial))
    assert by_row / trials < 0.85
    assert 0.89 <= by_group / trials <= 0.99
    assert evaluation.paired(first, first, groups=ids) == evaluation.Interval(0, 0, 0, len(ids))


@pytest.mark.parametrize("ids", [np.arange(80), [f"row {i}" for i in range(80)], [(i, "x") for i in range(80)]])
def test_groups_of_one_row_are_the_rows(ids):
    values = RANDOM.normal(size=(3, 80))
    counts = np.stack([span_counts(80) for _ in range(2)])
    assert evaluation.interval(values, groups=ids, seed=3) == evaluation.interval(values, seed=3)
    assert evaluation.interval(counts, score=f1, groups=ids) == evaluation.interval(counts, score=f1)
    both = counts[0], counts[1]
    assert evaluation.paired(*both, score=f1, groups=ids) == evaluation.paired(*both, score=f1)


def test_a_draw_of_groups_weighs_all_its_rows_alike_wherever_they_stand():
    values, ids = np.array([1.0, 0, 1, 0, 0, 1]), ["a", "b", "a", None, None, "a"]
    sums, sizes = {"a": 3, "b": 0, None: 0}, {"a": 3, "b": 1, None: 2}
    means = [sum(map(sums.get, drawn)) / sum(map(sizes.get, drawn)) for drawn in product(sums, repeat=3)]
    counts = intervals._counts(values, None)
    drawn = intervals._resampled([counts], None, ids, 400, 0)[0]
    assert set(np.round(drawn, 9)) == set(np.round(means, 9))
    shuffled = np.random.default_rng(0).permutation(6)
    assert evaluation.interval(values[shuffled], groups=[ids[i] for i in shuffled]).value == values.mean()
    assert evaluation.interval(values, groups=ids).n == 6


def test_seeds_on_grouped_rows_are_drawn_as_well():
    values, ids = clustered(60, trial=1)
    alike = np.tile(values, (5, 1))
    apart = alike + np.linspace(-1, 1, 5)[:, None]
    narrow, wide = (evaluation.interval(rows, groups=ids) for rows in (alike, apart))
    assert (narrow.low, narrow.high) == pytest.approx(
        [getattr(evaluation.interval(values, groups=ids), end) for end in ("low", "high")], abs=0.05
    )
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_groups_must_name_every_row_and_be_two_at_least():
    with pytest.raises(InputError, match="3 groups are given for 4 test rows; name the group of each row"):
        evaluation.interval(np.ones(4), groups=[1, 2, 3])
    with pytest.raises(InputError, match=r"all 4 test rows are of the group 'film'; .* at least two groups"):
        evaluation.paired(np.ones(4), np.zeros(4), groups=["film"] * 4)


def test_the_ladder_draws_groups_for_scores_and_gains():
    values, ids = clustered(60, trial=2)
    references = (values > 0).astype(int)  # what is right depends on the group
    first, second = np.eye(2)[np.ones(len(ids), dtype=int)], np.eye(2)[references]
    rows = evaluation.ladder(tiny.TASK, {"first": first, "second": second}, references)
    grouped = evaluation.ladder(tiny.TASK, {"first": first, "second": second}, references, groups=ids)
    for low, high in (("low", "high"), ("gain low", "gain high")):
        widths = [table.loc["first", high] - table.loc["first", low] for table in (rows, grouped)]
        assert widths[1] > 1.3 * widths[0]
    assert (grouped["n"] == len(ids)).all()
    assert grouped["accuracy"].equals(rows["accuracy"])
