"""The figures of attention and of the loss show what they are given, and let the ground of the page through."""

import numpy as np

from helpers.book import figures


def test_each_part_of_a_layer_has_a_bar_as_long_as_its_share():
    shares = {"BERT": {"queries": 8.3, "feed-forward in": 33.3}, "decoder": {"keys": 2.0, "feed-forward in": 29.0}}
    for axes, parts in zip(figures.parts_of_layers(shares).axes, shares.values(), strict=True):
        assert [bar.get_width() for bar in axes.patches] == list(parts.values())
        assert [text.get_text() for text in axes.texts] == [f"{value:.0f} %" for value in parts.values()]
        attention, network = (bar.get_facecolor() for bar in axes.patches)
        assert attention != network


def test_the_quadratic_share_marks_one_half_and_the_longest_text():
    lengths, rows = np.array([64, 128, 256, 512]), {"attention": np.arange(4.0), "layer": np.arange(4.0) / 3}
    axes = figures.quadratic_share(lengths, rows, 128, 300).axes[0]
    attention, layer, half, limit = axes.lines
    assert attention.get_ydata().tolist() == [0, 1, 2, 3] and layer.get_xdata().tolist() == lengths.tolist()
    assert set(half.get_ydata()) == {50} and set(limit.get_xdata()) == {300}
    assert "128" in axes.get_xlabel()


def test_the_first_kernel_is_compared_with_the_square_and_the_second_with_the_line_at_their_last_points():
    lengths = np.array([128, 256, 512])
    axes = figures.memory(lengths, {"naive": np.array([1, 4, 16.0]), "fused": np.array([1, 2, 4.0])}).axes[0]
    naive, fused, square, line = axes.lines
    assert naive.get_ydata().tolist() == square.get_ydata().tolist() == [1, 4, 16]
    assert fused.get_ydata().tolist() == [1, 2, 4] and line.get_ydata().tolist() == [1, 2, 4]


def test_the_cells_of_a_map_are_as_dense_as_its_weights():
    weights = np.array([[0.25, 0.75], [1, 0]])
    axes = figures.attention_map(["a", "b"], weights).axes[0]
    assert [cell.get_alpha() for cell in axes.patches] == (0.6 * weights).ravel().tolist()
    assert not axes.texts
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted() and not axes.images
    written = figures.attention_map(["a", "b"], weights, written=0).axes[0].texts
    assert [text.get_text() for text in written] == ["25", "75"]


def test_heads_and_layers_are_counted_from_one():
    table = figures.head_table(np.array([[0.1, 0.9], [0.5, 0.333]]), "share").axes[0]
    assert [text.get_text() for text in table.texts] == ["10", "90", "50", "33"]
    assert [label.get_text() for label in table.get_yticklabels()] == ["1", "2"]
    layers = figures.by_layer(np.array([[0.5, 0.4, 0.6], [0.2, 0.1, 0.3]]), "correlation").axes[0]
    assert layers.lines[1].get_xdata().tolist() == [1, 2]
