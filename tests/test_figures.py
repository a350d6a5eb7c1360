"""Figures show what they are given: axes are named, and the points are the data."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers import figures, metrics, notebook


@pytest.fixture(autouse=True)
def closed():
    figures.style()
    yield
    plt.close("all")


def labelled(axes) -> bool:
    return bool(axes.get_xlabel() and axes.get_ylabel())


def test_the_learning_curve_draws_means_and_the_range_of_seeds():
    runs = pd.DataFrame({"system": ["tf-idf"] * 4, "train_rows": [10, 10, 100, 100], "accuracy": [0.5, 0.7, 0.8, 0.9]})
    axes = figures.learning_curve(runs).axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx([0.6, 0.85])
    assert axes.lines[0].get_color() == figures.COLOURS["tf-idf"]
    corners = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == (0.5, 0.9)
    assert labelled(axes)


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


def test_a_claim_that_does_not_hold_stops_the_page_with_its_sentence(capsys):
    with pytest.raises(AssertionError, match="does not hold in this run: water is dry"):
        notebook.claim(False, "water is dry")
    notebook.claim(np.bool_(True), "water is wet")
    assert "Markdown" in capsys.readouterr().out


def test_start_tells_the_scale_and_seeds(monkeypatch):
    monkeypatch.setenv("SFT_SCALE", "laptop")
    assert notebook.start(3) == "laptop"
    first = np.random.random()
    notebook.start(3)
    assert np.random.random() == first
