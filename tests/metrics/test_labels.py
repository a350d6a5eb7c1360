"""Metrics of labels agree with their definitions, and work as those of `evaluate.load` do."""

import evaluate
import numpy as np
import pytest

from helpers import metrics

RANDOM = np.random.default_rng(0)


def test_accuracy_and_macro_f1_by_hand():
    given = {"predictions": [0, 0, 1, 2], "references": [0, 1, 1, 1]}
    assert metrics.load("accuracy").compute(**given) == {"accuracy": 0.5}
    f1 = metrics.load("macro_f1").compute(**given)["macro_f1"]
    assert f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_log_loss_of_a_fair_coin_is_one_bit_and_of_zero_is_bounded():
    found = metrics.load("log_loss").compute(predictions=[[0.5, 0.5]] * 4, references=[0, 1, 1, 0])
    assert found["log_loss"] == pytest.approx(np.log(2))
    found = metrics.load("log_loss").compute(predictions=[[1.0, 0.0]], references=[1])
    assert found["log_loss"] == pytest.approx(-np.log(1e-12))


def test_batches_add_up_and_metrics_combine():
    predictions, references = RANDOM.integers(2, size=30), RANDOM.integers(2, size=30)
    whole = metrics.load("accuracy").compute(predictions=predictions, references=references)
    parts = metrics.load("accuracy")
    for start in range(0, 30, 10):
        parts.add_batch(predictions=predictions[start : start + 10], references=references[start : start + 10])
    assert parts.compute() == whole
    both = evaluate.combine([metrics.load("accuracy"), metrics.load("macro_f1")])
    assert set(both.compute(predictions=predictions, references=references)) == {"accuracy", "macro_f1"}


def test_a_calibrated_model_has_no_calibration_error_and_an_overconfident_one_has():
    p = RANDOM.uniform(size=40_000)
    labels = (RANDOM.uniform(size=40_000) < p).astype(int)
    honest = np.stack([1 - p, p], axis=-1)
    error = metrics.load("calibration_error").compute(predictions=honest, references=labels)["calibration_error"]
    assert error < 0.01
    sure = np.eye(2)[(p > 0.5).astype(int)]
    error = metrics.load("calibration_error").compute(predictions=sure, references=labels)["calibration_error"]
    assert error == pytest.approx(0.25, abs=0.01)


def test_calibration_error_by_hand():
    predictions = [[0.3, 0.7], [0.35, 0.65], [0.05, 0.95], [0.9, 0.1]]  # bins (0.6, 0.7], (0.8, 0.9] and (0.9, 1]
    found = metrics.load("calibration_error").compute(predictions=predictions, references=[1, 0, 1, 1])
    assert found["calibration_error"] == pytest.approx((2 * (0.675 - 0.5) + 0.05 + 0.9) / 4)


def test_the_reliability_curve_counts_every_row_once():
    probabilities = RANDOM.dirichlet([1, 1, 1], size=500)
    curve = metrics.reliability(probabilities, RANDOM.integers(3, size=500))
    assert curve["rows"].sum() == 500
    assert (np.diff(curve["confidence"]) > 0).all()
