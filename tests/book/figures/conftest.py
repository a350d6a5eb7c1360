"""What all tests of figures share: no window, the style of the book, and nothing left open."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from helpers.book import figures


@pytest.fixture(autouse=True)
def closed():
    figures.style()
    yield
    plt.close("all")
