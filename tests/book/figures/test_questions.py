"""The plot of the chapter on questions shows what each threshold on the margin silences."""

import numpy as np

from helpers.book import figures


def test_silence_grows_from_no_question_to_all_and_shows_the_chosen_threshold():
    random = np.random.default_rng(0)
    margins, answerable = random.integers(-5, 5, 200) / 2, random.random(200) < 0.8
    curve, _, dot = figures.silence(margins, answerable, 0.5).axes[0].lines
    x, y = curve.get_data()
    assert (x[0], y[0]) == (0, 0) and (x[-1], y[-1]) == (1, 1)
    assert (np.diff(x) >= 0).all() and (np.diff(y) >= 0).all()
    assert dot.get_xdata()[0] == (margins[answerable] <= 0.5).mean()
    assert dot.get_ydata()[0] == (margins[~answerable] <= 0.5).mean()


def test_a_margin_that_knows_all_silences_nothing_else_and_no_threshold_silences_nothing():
    answerable = np.array([True, False, True, False])
    curve, _, dot = figures.silence(np.where(answerable, 1.0, -1.0), answerable, -np.inf).axes[0].lines
    assert (0, 1) in zip(*curve.get_data(), strict=True)
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (0, 0)
