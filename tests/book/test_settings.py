"""The best of several scores flatters as order statistics say, weights multiply odds, and doubts are cleanlab's."""

import math
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from cleanlab.count import compute_confident_joint
from sklearn.linear_model import LogisticRegression

from helpers.book import settings
from helpers.errors import InputError


def test_eq_optimism_is_the_mean_of_the_largest_score():
    exact = {1: 0.0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi)}  # known in closed form
    for count, value in exact.items():
        assert settings.expected_maximum(count) == pytest.approx(value, abs=1e-9)
    dice = np.random.default_rng(0)
    right = dice.random((4000, 5, 400)) < 0.7  # five equally good systems on 400 rows, again and again
    thrown = right.mean(-1).max(-1).mean() - 0.7
    assert settings.optimism(5, 400, 0.7) == pytest.approx(thrown, rel=0.03)


def test_what_runs_share_does_not_flatter():
    alone = settings.optimism(5, 100, 0.8)
    assert settings.optimism(5, 100, 0.8, correlation=0.75) == pytest.approx(alone / 2)
    assert settings.optimism(5, 400, 0.8) == pytest.approx(alone / 2)
    with pytest.raises(InputError, match="largest of 0 values"):
        settings.expected_maximum(0)


def test_correlation_is_that_of_the_pairs():
    dice = np.random.default_rng(1)
    common, own = dice.random(50_000) < 0.5, dice.random((3, 50_000)) < 0.5
    mixed = np.where(dice.random((3, 50_000)) < 0.5, common, own)
    assert settings.correlation(mixed) == pytest.approx(0.25, abs=0.02)


def test_the_chosen_run_is_scored_on_rows_that_did_not_choose():
    dice = np.random.default_rng(2)
    equal = dice.random((6, 1500)) < 0.7
    there, elsewhere = settings.chosen(equal, 6, 100, draws=400)
    assert there - elsewhere == pytest.approx(settings.optimism(6, 100, 0.7), rel=0.15)
    assert elsewhere == pytest.approx(0.7, abs=0.02)
    with pytest.raises(InputError, match="7 runs and 100 rows"):
        settings.chosen(equal, 7, 100)
    with pytest.raises(InputError, match="1500 rows"):
        settings.chosen(equal, 2, 1500)


def test_eq_class_weight_multiplies_the_odds():
    rows, rare = np.repeat(np.eye(2), 200, axis=0), np.concatenate([np.arange(200) < 8, np.arange(200) < 60])
    plain, weighted = (
        LogisticRegression(C=np.inf, tol=1e-9, max_iter=9999)
        .fit(rows, rare, sample_weight=weights)
        .predict_proba(np.eye(2))[:, 1]
        for weights in (None, np.where(rare, 6, 1))
    )
    assert settings.weighted(plain, 6) == pytest.approx(weighted, abs=1e-3)
    assert settings.weighted(settings.weighted(plain, 6), 1 / 6) == pytest.approx(plain)
    assert settings.weighted(np.array([1 / 7]), 6) == pytest.approx([0.5]), "the threshold that says the same"


@pytest.mark.parametrize("classes", [2, 5])
def test_eq_confident_joint_is_that_of_cleanlab(classes):
    dice = np.random.default_rng(classes)
    labels = dice.integers(0, classes, 600)
    p = dice.dirichlet(np.ones(classes), 600) + 1.5 * np.eye(classes)[labels] * dice.random((600, 1))
    p /= p.sum(1, keepdims=True)
    expected = compute_confident_joint(labels, p, calibrate=False)
    assert (settings.confident_joint(labels, p) == expected).all()


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_as_many_labels_are_planted_as_asked_and_each_is_another_one(share):
    labels = np.random.default_rng(0).integers(0, 4, 500)
    given, wrong = settings.planted(labels, share, seed=3)
    assert wrong.sum() == 500 * share and ((given != labels) == wrong).all()
    assert set(given) == set(labels)
    assert (settings.planted(labels, share, seed=3)[0] == given).all()


def test_readings_are_of_different_sentences_half_of_them_suspects():
    read = pd.read_csv(resources.files("helpers.book") / "label_readings.csv")
    assert read["sentence"].is_unique and read["sentence"].str.fullmatch("[0-9a-f]{12}").all()
    assert read["suspect"].mean() == 0.5 and set(read["reading"]) == {"fresh", "rotten", "unclear"}
