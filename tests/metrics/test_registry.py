"""Metrics are found by name, and describe themselves."""

import pytest

from helpers import metrics
from helpers.errors import InputError


def test_an_unknown_metric_is_named_with_those_there_are():
    with pytest.raises(InputError, match="there is no metric 'blue'; choose one of accuracy, "):
        metrics.load("blue")


def test_every_metric_describes_itself():
    for name in metrics.METRICS:
        assert metrics.load(name).description.strip().endswith(".")
        assert "shape (N" in metrics.load(name).inputs_description
