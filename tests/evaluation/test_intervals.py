"""Intervals cover what they say, pairs are compared in pairs, and the hardest rows come first."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import tiny
from scipy import stats

from benchmarks import coverage
from helpers import evaluation
from helpers.errors import InputError
from helpers.evaluation import Difference, thresholds

RANDOM = np.random.default_rng(0)


# Where the old bootstrap, or a plain t interval, covers least: near 1, few runs that differ, few and unequal groups.
HARD = [
    coverage.Cell("share", 0.998, 200, 1, 0.0),
    coverage.Cell("share", 0.9, 200, 3, 0.5),
    coverage.Cell("share", 0.99, 200, 5, 0.5),
    coverage.Cell("share", 0.9, 200, 3, 0.3, groups=10),
    coverage.Cell("share", 0.8, 200, 1, 0.0, groups=10),
    coverage.Cell("difference", 0.998, 200, 3, 0.3),
    coverage.Cell("difference", 0.8, 200, 3, 0.5),
    coverage.Cell("difference", 0.9, 200, 10, 0.3, groups=10),
    coverage.Cell("F1", 0.9, 200, 3, 0.5),
    coverage.Cell("F1", 0.998, 20, 3, 0.0),
]


@pytest.mark.parametrize("cell", HARD, ids=str)
def test_an_interval_covers_the_truth_at_least_93_times_in_100(cell):
    runs = 250
    assert coverage.coverage(cell, runs) >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / runs)


@pytest.mark.parametrize(("right", "rows"), [(5, 5), (0, 100), (1, 1), (0, 1), (20, 20), (3, 7), (199, 200)])
def test_one_run_of_a_share_has_the_exact_interval(right, rows):
    values = np.arange(rows) < right
    exact = stats.binomtest(right, rows).proportion_ci(method="exact")
    found = evaluation.interval(values)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found == evaluation.interval(values[None]) and found.low < found.high
    rates = thresholds.rates(np.append(values, 0.0), np.arange(rows + 1) < rows, 0.5)
    assert rates["recall"] == found


@pytest.mark.parametrize("values", [np.ones((3, 20)), np.zeros((5, 1)), np.full(9, 0.5)])
def test_rows_that_all_agree_leave_room_for_others(values):
    found = evaluation.interval(values)
    assert found.high - found.low > 0.1 and 0 <= found.low <= found.value <= found.high <= 1


def test_an_interval_is_that_of_the_normal_approximation_for_many_rows():
    values = RANDOM.uniform(size=5000) < 0.7
    found = evaluation.interval(values)
    half = 1.96 * values.std() / np.sqrt(5000)
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.002)
    assert found.n == 5000


def difference(value: float, p: float, runs: int = 3) -> Difference:
    return Difference(value, value - 0.1, value + 0.1, 9, p, runs)


@pytest.mark.parametrize(
    ("value", "p", "words"), [(0.2, 0.01, "better than"), (-0.2, 0.01, "worse than"), (0.05, 0.2, "as good as")]
)
def test_a_difference_is_put_into_words_by_its_side_and_its_p(value, p, words):
    assert difference(value, p).verdict(unclear="as good as") == words


def test_one_run_on_a_side_is_never_better():
    first, second = np.ones((5, 300)), np.zeros((5, 300))
    assert evaluation.paired(first, second).verdict() == "better than"
    for one in (second[0], second[:1]):
        assert evaluation.paired(first, one).verdict(single="one run") == "one run"
        assert evaluation.paired(one, first).verdict(single="one run") == "one run"
        assert evaluation.paired(first, one, second_is_fixed=True).verdict() == "better than"
    assert evaluation.paired(first[0], second[0], second_is_fixed=True).verdict(single="one run") == "one run"


@pytest.mark.parametrize("runs", [1, 3])
def test_no_difference_is_seen_in_fewer_rows_than_an_exact_test_accepts(runs):
    rows = 300
    for ours, theirs in product(range(24), range(12)):
        first, second = np.arange(rows) < ours, np.arange(rows) >= rows - theirs
        gain = evaluation.paired(np.tile(first, (runs, 1)), np.tile(second, (runs, 1)))
        exact = stats.binomtest(ours, ours + theirs).pvalue if ours + theirs else 1.0
        seen = gain.low > 0 or gain.high < 0
        assert seen == (gain.p <= 0.05) and gain.p >= exact - 1e-9
        assert seen == (exact <= 0.05), (ours, theirs, exact, gain)  # nor is one that it accepts overlooked


def test_few_rows_that_differ_are_no_difference_for_any_score():
    texts = np.tile(RANDOM.uniform(20, 60, size=1000), (3, 1))  # such as chrF
    for rows in range(9):
        better = texts + 5 * (np.arange(1000) < rows)
        assert (evaluation.paired(better, texts).verdict() == "better than") == (rows >= 6)


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
    same = evaluation.paired(first, first)
    assert same.value == 0 and -0.02 < same.low < 0 < same.high < 0.02 and same.p == 1
    assert evaluation.paired(second, first).value == -gain.value


def test_one_system_may_lack_seeds():
    seeds, single = RANDOM.uniform(size=(5, 100)) < 0.9, RANDOM.uniform(size=100) < 0.5
    assert evaluation.paired(seeds, single).value == pytest.approx(seeds.mean() - single.mean())


@pytest.mark.parametrize("score", [None, lambda counts: counts[..., 0]], ids=["values", "counts"])
def test_runs_may_differ_in_number(score):
    first, second = (RANDOM.uniform(size=(runs, 200)) < 0.8 for runs in (3, 2))
    first, second = (values if score is None else values[..., None] for values in (first, second))
    gain = evaluation.paired(first, second, score=score)
    assert gain.value == pytest.approx(first.mean() - second.mean()) and gain.runs == 2
    assert gain.low < gain.value < gain.high
    turned = evaluation.paired(second, first, score=score)
    assert (turned.low, turned.high, turned.p) == pytest.approx((-gain.high, -gain.low, gain.p))


def test_a_score_that_is_a_mean_has_the_interval_of_the_mean():
    values = RANDOM.uniform(size=(3, 60)) < 0.8
    counts = np.stack([values, np.ones_like(values)], axis=-1)

    def share(counts):
        return counts[..., 0] / counts[..., 1]

    for plain, counted in (
        (evaluation.interval(values), evaluation.interval(counts, score=share)),
        (evaluation.paired(values, values[0]), evaluation.paired(counts, counts[0], score=share)),
    ):
        assert vars(counted) == pytest.approx(vars(plain))


def test_a_scale_that_ends_elsewhere_gives_the_same_interval_on_it():
    first, second = np.random.default_rng(0).uniform(size=(2, 3, 200)) < [[[0.97]], [[0.9]]]
    for function, rows in ((evaluation.interval, [first]), (evaluation.paired, [first, second])):
        share, hundred = function(*rows), function(*(each * 100.0 for each in rows), highest=100.0)
        for end in ("value", "low", "high"):
            assert getattr(hundred, end) == pytest.approx(100 * getattr(share, end))


def test_holm_is_the_closed_test_of_bonferroni():
    raw = [0.001, 0.02, 0.012, 0.3, 0.04]
    table = {f"system {i}": difference(0.2, p) for i, p in enumerate(raw)}
    adjusted = evaluation.holm(table)
    sets = [each for size in range(1, 6) for each in combinations(range(5), size)]
    for i, name in enumerate(table):
        closed = max(min(1, len(each) * min(raw[j] for j in each)) for each in sets if i in each)
        assert adjusted[name] == replace(table[name], p=pytest.approx(closed))
    assert list(adjusted) == list(table) and evaluation.holm({}) == {}
    assert [each.verdict() == "better than" for each in adjusted.values()] == [True, False, True, False, False]


def test_rows_must_be_the_same_and_at_least_one():
    with pytest.raises(InputError, match="the systems have 3 and 4; score both on one test set"):
        evaluation.paired(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="at least one test row"):
        evaluation.interval(np.ones(0))
    with pytest.raises(InputError, match="2 of the test rows' values are not finite numbers; score each row"):
        evaluation.interval([0.5, np.nan, np.inf])


def test_the_ladder_compares_the_last_system_with_each():
    references = RANDOM.integers(2, size=300)
    good, coin = np.eye(2)[references], np.full((300, 2), [0.6, 0.4])
    table = evaluation.ladder(tiny.TASK, {"coin": coin, "good": good}, references)
    assert table.loc["good", "accuracy"] == 1
    assert table.loc["coin", "accuracy"] == (references == 0).mean()
    gain = table.loc["coin", "good minus this"]
    assert gain.value == pytest.approx((references == 1).mean()) and gain.low > 0 and gain.runs == 1
    assert table.loc["good", "good minus this"] == ""
    assert (table["n"] == 300).all()


def test_tables_hold_whole_numbers_of_rows():
    table = evaluation.table({("a", 1): evaluation.interval(np.ones(30)), ("b", 2): evaluation.interval(np.zeros(40))})
    assert table["n"].tolist() == [30, 40] and table["n"].dtype == int
    assert table.columns.tolist() == ["value", "low", "high", "n"] and table.index.nlevels == 2


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


def test_scores_of_counts_are_compared_on_the_same_rows_and_averaged_over_seeds():
    first = np.stack([span_counts(100) for _ in range(3)])
    second = first - np.array([1, 0, 0])
    gain = evaluation.paired(first, second[0], score=f1)
    expected = np.mean([f1(first[s].mean(0)) for s in range(3)]) - f1(second[0].mean(0))
    assert gain.value == pytest.approx(expected)
    assert gain.low > 0
    assert evaluation.paired(first, first, score=f1).value == 0


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
        by_row += covered(0, evaluation.interval(values))
        by_group += covered(0, evaluation.interval(values, groups=ids))
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
        by_row += covered(2 / 3, evaluation.interval(counts, score=f1))
        by_group += covered(2 / 3, evaluation.interval(counts, score=f1, groups=ids))
    assert by_row / trials < 0.8
    assert 0.89 <= by_group / trials <= 0.99


def test_pairs_draw_whole_groups_too():
    by_row, by_group, trials = 0, 0, 120
    for trial in range(trials):
        first, ids = clustered(60, trial=trial)
        second = np.random.default_rng(-trial % 997).normal(size=len(ids))
        by_row += covered(0, evaluation.paired(first, second))
        by_group += covered(0, evaluation.paired(first, second, groups=ids))
    assert by_row / trials < 0.85
    assert 0.89 <= by_group / trials <= 0.99


@pytest.mark.parametrize("ids", [np.arange(80), [f"row {i}" for i in range(80)], [(i, "x") for i in range(80)]])
def test_groups_of_one_row_are_the_rows(ids):
    values = RANDOM.normal(size=(3, 80))
    counts = np.stack([span_counts(80) for _ in range(2)])
    both = counts[0], counts[1]
    for grouped, plain in (
        (evaluation.interval(values, groups=ids), evaluation.interval(values)),
        (evaluation.interval(counts, score=f1, groups=ids), evaluation.interval(counts, score=f1)),
        (evaluation.paired(*both, score=f1, groups=ids), evaluation.paired(*both, score=f1)),
    ):
        assert vars(grouped) == pytest.approx(vars(plain))


def test_all_rows_weigh_alike_wherever_they_stand():
    values, ids = np.array([1.0, 0, 1, 0, 0, 1, 3, -2]), ["a", "b", "a", None, None, "a", "c", "d"]
    found = evaluation.interval(values, groups=ids)
    order = np.random.default_rng(0).permutation(8)
    shuffled = evaluation.interval(values[order], groups=[ids[i] for i in order])
    assert vars(shuffled) == pytest.approx(vars(found)) and found.value == values.mean() and found.n == 8


def test_the_chance_of_groups_is_that_of_leaving_each_out():
    values, ids = clustered(12, trial=3)
    left = np.array([values[ids != group].mean() for group in range(12)])
    variance = 11 / 12 * ((left - values.mean()) ** 2).sum()
    sizes = np.bincount(ids)
    half = stats.t.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1) * np.sqrt(variance)
    found = evaluation.interval(values, groups=ids)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


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
    for column in (None, "second minus this"):
        ends = [table.loc["first"] if column is None else vars(table.loc["first", column]) for table in (rows, grouped)]
        widths = [each["high"] - each["low"] for each in ends]
        assert widths[1] > 1.3 * widths[0]
    assert (grouped["n"] == len(ids)).all()
    assert grouped["accuracy"].equals(rows["accuracy"])


def test_an_interval_is_written_with_three_digits_or_as_asked():
    found = evaluation.Interval(47.26, 40.0, 52.04, n=434)
    assert str(found) == f"{found}" == "47.260 [40.000, 52.040]"
    assert f"{found:.1f}" == "47.3 [40.0, 52.0]"
