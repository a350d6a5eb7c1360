"""The baselines do what their names say, and choose nothing on the test rows."""

import numpy as np
import pytest
import tiny
from datasets import ClassLabel, Dataset, Features, Value

from helpers import models
from helpers.tasks.classification import baselines


def test_majority_gives_every_row_the_shares_of_training():
    data = tiny.rows(50)
    found = baselines.majority(data, tiny.rows(7, 1))
    shares = np.bincount(data["label"], minlength=2) / 50
    np.testing.assert_allclose(found, np.tile(shares, (7, 1)))


def test_tfidf_learns_which_words_carry_the_label():
    train, validation, test = tiny.rows(200), tiny.rows(60, 1), tiny.rows(100, 2)
    found = baselines.tfidf(train, validation, test)
    np.testing.assert_allclose(found.sum(-1), 1)
    assert (found.argmax(-1) == np.array(test["label"])).mean() > 0.9


def test_tfidf_reads_texts_without_blanks():
    def chinese(rows):
        """Each word as a character of its own, side by side; the label is what most of them say."""
        return rows.map(lambda row: {"text": "".join(chr(0x4E00 + int(word[1:])) for word in row["text"].split())})

    train, validation, test = (chinese(tiny.rows(rows, seed)) for rows, seed in ((200, 0), (60, 1), (100, 2)))
    found = baselines.tfidf(train, validation, test)
    assert (found.argmax(-1) == np.array(test["label"])).mean() > 0.9


def test_tfidf_does_not_look_at_the_test_labels():
    train, validation, test = tiny.rows(100), tiny.rows(40, 1), tiny.rows(30, 2)
    turned = Dataset.from_dict(
        {"text": test["text"][:], "label": [1 - y for y in test["label"]]}, features=test.features
    )
    np.testing.assert_array_equal(baselines.tfidf(train, validation, test), baselines.tfidf(train, validation, turned))


def test_a_label_that_training_lacks_gets_probability_zero():
    train = tiny.rows(60).filter(lambda row: row["label"] == 1)
    one = Dataset.from_dict({"text": [*train["text"], "w0"], "label": [1] * len(train) + [0]}, features=train.features)
    found = baselines.regression([np.eye(len(one)), np.eye(len(one)), np.eye(len(one))], one, one)
    assert found.shape == (len(one), 2)


@pytest.fixture(scope="module")
def sentences():
    good, bad = (
        ["a wonderful film", "a delightful story", "superb acting"],
        ["a dull film", "a tedious story", "awful acting"],
    )
    features = tiny.rows(1).features
    return Dataset.from_dict({"text": good + bad, "label": [1] * 3 + [0] * 3}, features=features)


def test_frozen_features_of_the_packaged_encoder_know_good_from_bad(sentences):
    test = Dataset.from_dict({"text": ["boring", "brilliant"], "label": [0, 1]}, features=sentences.features)
    assert baselines.frozen(sentences, sentences, test).argmax(-1).tolist() == [0, 1]
    assert models.tokenizer("encoder").pad_token_id == 0


def accuracy(found: np.ndarray, test: Dataset) -> float:
    return (found.argmax(-1) == np.array(test["label"])).mean()


def test_naive_bayes_and_spambayes_learn_which_words_carry_the_label():
    train, validation, test = tiny.rows(200), tiny.rows(60, 1), tiny.rows(100, 2)
    for found in (baselines.naive_bayes(train, validation, test), baselines.spambayes(train, test)):
        np.testing.assert_allclose(found.sum(-1), 1)
        assert accuracy(found, test) > 0.85


def test_the_log_odds_of_naive_bayes_tell_mails_apart_whose_probabilities_round_to_the_same():
    train = Dataset.from_dict({"text": ["aa bb", "cc dd"], "label": [0, 1]}).cast_column(
        "label", ClassLabel(names=["h", "s"])
    )
    test = Dataset.from_dict({"text": ["cc", "aa cc dd", "cc " * 40, "dd " * 50]})
    odds = baselines.naive_bayes_log_odds(train, train, test)
    found = baselines.naive_bayes(train, train, test)[:, 1]
    assert np.allclose(1 / (1 + np.exp(-odds)), found)
    assert found[2] == found[3] == 1.0 and odds[3] > odds[2] > odds[0]


def test_eq_naive_bayes_is_bayes_rule_over_counted_words():
    train = Dataset.from_dict({"text": ["aa bb", "aa aa", "bb"], "label": [0, 0, 1]}, features=tiny.rows(1).features)
    found = baselines.naive_bayes(train, train.select([0]), Dataset.from_dict({"text": ["bb cc"]}))
    added = baselines.SMOOTHING[0]  # the first of equals is taken
    joint = np.array([2 / 3 * (1 + added) / (4 + 2 * added), 1 / 3 * (1 + added) / (1 + 2 * added)])
    np.testing.assert_allclose(found[0], joint / joint.sum())


def test_spambayes_takes_the_class_that_it_is_told_for_the_unwanted_one():
    train, test = tiny.rows(100), tiny.rows(30, 1)
    upside_down = baselines.spambayes(train, test, positive=0)
    assert accuracy(upside_down, test) > 0.8


def test_eq_centroid_is_the_class_whose_mean_is_nearest():
    random, labels = np.random.default_rng(0), np.arange(90) % 3
    names = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b", "c", "unseen"])})
    data = Dataset.from_dict({"text": ["x"] * 90, "label": labels}, features=names)
    points = np.eye(8)[labels] + random.normal(scale=0.2, size=(90, 8))
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    found = baselines.centroid([points, points, points], data, data)
    np.testing.assert_allclose(found.sum(-1), 1)
    assert (found[:, 3] == 0).all()
    means = np.stack([points[labels == c].mean(0) for c in range(3)])
    nearest = (points @ (means / np.linalg.norm(means, axis=-1, keepdims=True)).T).argmax(-1)
    np.testing.assert_array_equal(found.argmax(-1), nearest)
