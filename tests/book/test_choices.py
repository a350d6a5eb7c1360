"""Prices add up, two ways meet where they cost the same, and a power law is drawn on as it is."""

import numpy as np
import pytest

from helpers.book import choices
from helpers.book.choices import Prices, Way
from helpers.errors import InputError

OWN = Way(labels=900, hours=2, training=4e14, request=4e9)
RENTED = Way(labels=90, hours=4, tokens=500)
PRICES = Prices(wage=36, label_seconds=20, core_hour=0.05, operations=4e10, million_tokens=0.8)


def test_eq_way_cost_is_labels_training_and_requests_in_money():
    assert choices.label_hours(OWN, PRICES) == 7
    assert choices.before(OWN, PRICES) == pytest.approx(7 * 36 + 0.05 * 1e4 / 3600)
    assert choices.each(OWN, PRICES) == pytest.approx(0.05 * 0.1 / 3600)
    assert choices.each(RENTED, PRICES) == pytest.approx(0.0004)


def test_two_ways_cost_the_same_where_they_meet():
    requests = choices.break_even(OWN, RENTED, PRICES)
    paid = [choices.before(way, PRICES) + requests * choices.each(way, PRICES) for way in (OWN, RENTED)]
    assert paid[0] == pytest.approx(paid[1]) and requests > 0


def test_what_is_cheaper_from_the_start_needs_no_requests_and_what_never_is_has_none():
    dear = Way(labels=5000, hours=50, request=1e12)
    assert choices.break_even(Way(), dear, PRICES) == 0
    assert choices.break_even(dear, Way(), PRICES) == np.inf


@pytest.mark.parametrize("slope", [0.1, 0.5])
def test_eq_curve_forecast_goes_on_as_a_power_law_does(slope):
    sizes = [10, 20, 40, 80]
    errors = [0.5 * (n / 10) ** -slope for n in sizes]
    assert choices.forecast(sizes, errors, 160) == pytest.approx(0.5 * 16**-slope)


def test_only_the_last_sizes_count():
    sizes, errors = [1, 10, 20, 40], [0.9, 0.4, 0.3, 0.2]
    assert choices.forecast(sizes, errors, 80) == choices.forecast(sizes[1:], errors[1:], 80)


def test_a_curve_that_says_nothing_is_refused():
    with pytest.raises(InputError, match="two sizes"):
        choices.forecast([10], [0.3], 20)
    with pytest.raises(InputError, match="no power law"):
        choices.forecast([10, 20], [0.1, 0.0], 40)


def test_a_forecast_knows_nothing_of_what_it_foretells():
    sizes, errors = [4, 8, 16, 32, 64], [0.5, 0.4, 0.3, 0.2, 0.1]
    made = choices.steps(sizes, errors, 2)
    assert [(last, size) for last, size, *_ in made] == [(16, 32), (32, 64)]
    later = choices.steps(sizes, [*errors[:3], 0.25, 0.15], 2)
    assert later[0][2] == made[0][2] and later[1][2] != made[1][2]
    assert {(last, size) for last, size, *_ in choices.steps(sizes, errors, 4)} == {(16, 32), (16, 64), (32, 64)}


def test_a_probe_that_ranks_as_fine_tuning_does_loses_nothing_and_one_that_turns_it_round_loses_all():
    dice, chances = np.random.default_rng(1), np.array([0.5, 0.6, 0.7, 0.8])
    probed, tuned = (dice.random((4, 3, 4000)) < chances[:, None, None] for _ in range(2))
    correlation, loss = choices.foretold(probed, tuned, draws=50)
    assert [correlation.value, correlation.low, correlation.high] == pytest.approx([1, 1, 1])
    assert [loss.value, loss.low, loss.high] == pytest.approx([0, 0, 0]) and loss.n == 4000
    correlation, loss = choices.foretold(probed[::-1], tuned, draws=50)
    assert correlation.value == pytest.approx(-1) and loss.value == pytest.approx(0.3, abs=0.02)
    assert loss.low < loss.value < loss.high


def test_few_rows_leave_the_order_of_equal_bodies_open():
    equal = np.random.default_rng(2).random((6, 3, 60)) < 0.7
    correlation, loss = choices.foretold(equal, equal[:, :, ::-1], draws=200)
    assert correlation.high - correlation.low > 0.5 and loss.high > 0.03
