"""Figures show what they are given: axes are named, and the points are the data."""

import numpy as np
import pandas as pd
import pytest

from helpers import metrics
from helpers.book import figures


def labelled(axes) -> bool:
    return bool(axes.get_xlabel() and axes.get_ylabel())


def test_the_learning_curve_draws_means_and_the_range_of_seeds():
    runs = pd.DataFrame({"system": ["tf-idf"] * 4, "train_rows": [10, 10, 100, 100], "accuracy": [0.5, 0.7, 0.8, 0.9]})
    axes = figures.learning_curve(runs).axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx([0.6, 0.85])
    assert axes.lines[0].get_color() == figures.COLOURS["tf-idf"]
    corners = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == (0.5, 0.9)
    assert labelled(axes) and axes.get_legend()


def test_the_names_of_a_learning_curve_stand_at_their_lines_in_place_of_a_legend():
    runs = pd.DataFrame(
        {"system": ["tf-idf"] * 2 + ["frozen"], "train_rows": [10, 100, 10], "accuracy": [0.5, 0.8, 0.7]}
    )
    names = {"tf-idf": ("counted", 100, "below"), "frozen": ("vectors", 10, "above")}
    axes = figures.learning_curve(runs, names=names).axes[0]
    assert [(text.get_text(), text.xy) for text in axes.texts] == [("counted", (100, 0.8)), ("vectors", (10, 0.7))]
    assert [np.sign(text.xyann[1]) for text in axes.texts] == [-1, 1]
    assert {text.get_ha() for text in axes.texts} == {"left"}, "a name at the first size would cover the axis"
    assert [text.get_color() for text in axes.texts] == [line.get_color() for line in axes.lines]
    assert axes.get_legend() is None and len({line.get_marker() for line in axes.lines}) == 2


def test_scores_of_systems_are_drawn_with_their_intervals():
    table = pd.DataFrame({"value": [0.5, 0.8], "low": [0.4, 0.7], "high": [0.7, 0.9]}, index=["one", "two"])
    axes = figures.scores(table, "F1").axes[0]
    assert axes.lines[0].get_xdata().tolist() == [0.5, 0.8] and axes.lines[0].get_ydata().tolist() == [1, 0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two"]
    ends = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert ends == [pytest.approx([0.4, 0.7]), pytest.approx([0.7, 0.9])]


def test_the_losses_of_runs_are_drawn_and_named():
    runs = {name: pd.DataFrame({"step": [1, 2], "loss": [2.0, end]}) for name, end in (("1e-3", 1.0), ("1e-2", 3.0))}
    axes = figures.losses(runs, "learning rate").axes[0]
    assert [line.get_ydata()[1] for line in axes.lines] == [1.0, 3.0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1e-3", "1e-2"]
    assert labelled(axes) and axes.get_legend().get_title().get_text() == "learning rate"


def test_the_training_curve_shows_losses_and_scores():
    history = pd.DataFrame({"step": [1, 2, 3], "loss": [0.7, 0.6, 0.5], "validation_accuracy": [np.nan, 0.6, 0.8]})
    top, bottom = figures.training_curve(history).axes
    assert top.lines[0].get_ydata() == pytest.approx([0.7, 0.6, 0.5])
    assert bottom.lines[0].get_xdata() == pytest.approx([2, 3])
    assert top.get_ylabel() and labelled(bottom)


def test_the_confusion_matrix_writes_every_count():
    axes = figures.confusion_matrix(pd.DataFrame([[8, 2], [1, 9]], index=["a", "b"], columns=["a", "b"])).axes[0]
    assert [text.get_text() for text in axes.texts] == ["8\n80%", "2\n20%", "1\n10%", "9\n90%"]
    assert labelled(axes)


def test_the_reliability_curve_draws_each_system():
    random = np.random.default_rng(0)
    curve = metrics.reliability(random.dirichlet([1, 1], size=200), random.integers(2, size=200))
    axes = figures.reliability_curve({"tf-idf": curve, "fine-tuned": curve}).axes[0]
    assert [line.get_label() for line in axes.lines] == ["perfectly calibrated", "tf-idf", "fine-tuned"]
    assert labelled(axes)


def test_lengths_and_differences_have_named_axes():
    assert labelled(figures.lengths([3, 5, 9], limit=8).axes[0])
    table = pd.DataFrame({"value": [0.1], "low": [0.0], "high": [0.2]}, index=["more"])
    axes = figures.differences(table, "the recipe").axes[0]
    assert "the recipe" in axes.get_xlabel()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["more"]


def test_bars_are_as_long_as_their_scores_and_say_them():
    table = pd.DataFrame({"value": [0.5, 0.8], "low": [0.4, 0.7], "high": [0.7, 0.9]}, index=["one", "two"])
    axes = figures.bars(table, "accuracy").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.8]
    assert [bar.get_y() + bar.get_height() / 2 for bar in axes.patches] == pytest.approx([1, 0])
    assert [text.get_text() for text in axes.texts] == ["0.500", "0.800"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]


def test_losses_of_epochs_are_means_over_seeds_beside_the_loss_of_a_coin():
    paths = {"2e-5": np.array([[0.7, 0.6], [0.6, 0.5]]), "1e-4": np.array([[0.5, 0.4], [0.5, 0.6]])}
    axes = figures.epoch_losses(paths).axes[0]
    slow, fast, coin = axes.lines
    assert slow.get_ydata() == pytest.approx([0.65, 0.55]) and fast.get_ydata() == pytest.approx([0.5, 0.5])
    assert set(coin.get_ydata()) == {np.log(2)}
    assert {"2e-5", "1e-4", "log 2"} == {text.get_text() for text in axes.texts} and labelled(axes)


def test_a_long_name_takes_several_lines_and_its_row_grows():
    names = ["short", "three examples in the prompt"]
    short, long = (pd.DataFrame({"value": [0.5], "low": [0.4], "high": [0.6]}, index=[name]) for name in names)
    plain, wrapped = (figures.scores(table, "F1") for table in (short, long))
    (label,) = wrapped.axes[0].get_yticklabels()
    assert label.get_text().split() == names[1].split() and label.get_text().count("\n") == 1
    assert wrapped.get_size_inches()[1] > plain.get_size_inches()[1]
