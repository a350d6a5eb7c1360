"""The figures of the first chapters show what they are given."""

import numpy as np
import pandas as pd
import pytest

from helpers.book import figures


def test_the_arrow_of_saved_labels_leads_from_one_system_to_the_other_at_equal_accuracy():
    runs = [("fine-tuned", 500, 0.7), ("fine-tuned", 500, 0.8), ("fine-tuned", 2000, 0.85), ("tf-idf", 500, 0.6)]
    frame = pd.DataFrame([*runs, ("tf-idf", 8000, 0.8)], columns=["system", "train_rows", "accuracy"])
    axes = figures.labels_saved(frame, 500, 6000).axes[0]
    counted, tuned = (line.get_ydata().tolist() for line in axes.lines)
    assert tuned == pytest.approx([0.75, 0.85]) and counted == pytest.approx([0.6, 0.8])
    arrow = next(text for text in axes.texts if text.arrow_patch is not None)
    assert (arrow.xyann, arrow.xy) == ((500, tuned[0]), (6000, tuned[0]))
    assert "12 times the labels" in {text.get_text() for text in axes.texts}


def test_the_word_map_writes_each_word_at_its_point():
    points = {"days": np.array([[0.0, 1.0], [2.0, 3.0]]), "land": np.array([[4.0, 5.0]])}
    axes = figures.word_map({"days": ["monday", "friday"], "land": ["lake"]}, points).axes[0]
    assert [(text.get_text(), tuple(text.xy)) for text in axes.texts] == [
        ("monday", (0, 1)), ("friday", (2, 3)), ("lake", (4, 5)),
    ]  # fmt: skip
    assert axes.get_xlabel() and axes.get_ylabel()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["days", "land"]


def test_no_word_of_the_map_covers_another():
    points = {"days": np.array([[0.0, 0.0]] * 4 + [[9.0, 9.0]])}
    figure = figures.word_map({"days": ["monday", "tuesday", "friday", "sunday", "thursday"]}, points)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_pretraining_curve_draws_losses_and_what_knowing_less_costs():
    history = pd.DataFrame({"tokens": [1000, 2000], "loss": [4.0, 3.0], "held_out": [np.nan, 3.5]})
    axes = figures.pretraining_curve(history, vocabulary=100, words_alone=3.8).axes[0]
    training, held_out, nothing, frequency = axes.lines
    assert training.get_ydata().tolist() == [4.0, 3.0] and training.get_xdata().tolist() == [1.0, 2.0]
    assert held_out.get_ydata().tolist() == [3.5]
    assert nothing.get_ydata()[0] == pytest.approx(np.log(100)) and frequency.get_ydata()[0] == 3.8


def test_the_change_of_weights_is_drawn_in_percent_from_bottom_to_top_of_the_network():
    axes = figures.weight_change(pd.Series({"table": 0.01, "layer 1": 0.05})).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1, 5])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["table", "layer 1"]


def test_before_and_after_colours_points_by_label():
    clouds = {name: np.arange(8.0).reshape(4, 2) + shift for shift, name in enumerate(("before", "after"))}
    panels = figures.before_and_after(clouds, np.array([0, 1, 1, 0]), ("rotten", "fresh")).axes
    for axes, points in zip(panels, clouds.values(), strict=True):
        rotten, fresh = axes.collections
        assert np.array_equal(rotten.get_offsets(), points[[0, 3]]) and np.array_equal(fresh.get_offsets(), points[1:3])
    assert [axes.get_title(loc="left") for axes in panels] == ["before", "after"]
