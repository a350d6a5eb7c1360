"""The baselines do what their names say, and choose nothing on the test rows."""

import numpy as np
import pytest
import tiny
from datasets import Dataset

from helpers import baselines, models


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


def test_embeddings_are_means_over_tokens_of_length_one_and_ignore_padding():
    body, tokenizer = tiny.model().bert.eval(), tiny.tokenizer()
    texts = list(tiny.rows(20)["text"])
    together = baselines.embed(body, tokenizer, texts, batch_tokens=64)
    np.testing.assert_allclose(np.linalg.norm(together, axis=-1), 1, atol=1e-6)
    hidden = body(**tokenizer(texts[3], return_tensors="pt", return_token_type_ids=False)).last_hidden_state[0]
    mean = hidden.mean(0).detach().numpy()
    np.testing.assert_allclose(together[3], mean / np.linalg.norm(mean), atol=1e-6)


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
