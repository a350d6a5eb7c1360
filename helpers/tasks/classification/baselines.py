"""What a fine-tuned classifier must beat: the most frequent label, classical models, and frozen features.

Each takes training and validation rows and returns probabilities, shape (N, C), on the rows of `test`. Hyperparameters
are chosen on validation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from sbclassifier import Classifier, ClassifierDb, tokenize_text
from scipy.special import softmax
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from transformers import AutoModel

from helpers import models
from helpers.models.embedding import embed
from helpers.text import counted_units

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # inverse regularisation of logistic regression, chosen on validation
SMOOTHING = (0.01, 0.1, 1.0)  # what naive Bayes adds to the count of every word, chosen on validation
SHARPNESS = (5.0, 10.0, 20.0, 40.0)  # factor on cosines before a softmax, chosen on validation


def ladder(data: DatasetDict, task) -> dict[str, np.ndarray]:
    """The baselines that the shell compares with, by name: predictions on the test rows."""
    return {
        "majority": majority(data["train"], data["test"]),
        "tf-idf": tfidf(data["train"], data["validation"], data["test"], data.get("rest")),
    }


def majority(train: Dataset, test: Dataset) -> np.ndarray:
    """The shares of the labels in training, for every row; its arg-max is the most frequent label."""
    counts = np.bincount(train["label"], minlength=train.features["label"].num_classes)
    return np.tile(counts / counts.sum(), (len(test), 1))  # (N, C)


def tfidf(train: Dataset, validation: Dataset, test: Dataset, rest: Dataset | None = None) -> np.ndarray:
    """TF-IDF of words and their pairs (`counted_units`) with logistic regression, the classical model for short texts.

    Args:
        rest: where validation rows are training rows too, the other ones: the regularisation is chosen by fitting
            these, and the model is then fitted to all.
    """
    first = train if rest is None else rest
    vectorizer = TfidfVectorizer(**counted_units(first["text"]), sublinear_tf=True)
    features = [vectorizer.fit_transform(first["text"]), vectorizer.transform(validation["text"])]
    model = best_regression(features[0], first["label"], features[1], validation["label"])
    if rest is not None:
        model = clone(model).fit(vectorizer.fit_transform(train["text"]), train["label"])
    return _of_all_classes(model, vectorizer.transform(test["text"]), train)


def naive_bayes(train: Dataset, validation: Dataset, test: Dataset) -> np.ndarray:
    """Multinomial naive Bayes on the counts of words, with the smoothing that is most accurate on validation."""
    model, counts = _naive_bayes(train, validation, test)
    return _of_all_classes(model, counts, train)


def naive_bayes_log_odds(train: Dataset, validation: Dataset, test: Dataset) -> np.ndarray:
    """The log-odds of the second of two classes by `naive_bayes`, shape (N,).

    Its probabilities are products over all words, so that many round to the same 0 or 1; their log-odds still differ.
    """
    model, counts = _naive_bayes(train, validation, test)
    joint = model.predict_joint_log_proba(counts)  # (N, 2)
    return joint[:, 1] - joint[:, 0]


def _naive_bayes(train: Dataset, validation: Dataset, test: Dataset) -> tuple[MultinomialNB, Any]:
    """The model, and the counts of words in the test rows."""
    vectorizer = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    counts = vectorizer.fit_transform(train["text"])
    candidates = [MultinomialNB(alpha=alpha).fit(counts, train["label"]) for alpha in SMOOTHING]
    chosen_on = vectorizer.transform(validation["text"])
    best = max(candidates, key=lambda model: model.score(chosen_on, validation["label"]))
    return best, vectorizer.transform(test["text"])


def spambayes(train: Dataset, test: Dataset, *, positive: int = 1) -> np.ndarray:
    """SpamBayes, a filter for Outlook and POP3: word odds after Graham, combined after Robinson and Fisher.

    It knows two classes and chooses nothing; `positive` is the label id of the unwanted one.
    """
    learner = Classifier(ClassifierDb())
    for text, label in zip(train["text"], train["label"], strict=True):
        learner.learn(tokenize_text(text), label == positive)
    scores = np.array([learner.spamprob(tokenize_text(text)) for text in test["text"]])  # (N,)
    result = np.empty((len(scores), 2))
    result[:, positive], result[:, 1 - positive] = scores, 1 - scores
    return result


def centroid(features: Sequence[np.ndarray], train: Dataset, validation: Dataset) -> np.ndarray:
    """The nearest class mean by cosine: nothing is trained. Probabilities are a softmax, its sharpness from validation.

    Args:
        features: three matrices, (rows, D) each, rows of length one, as `embed` returns them.
    """
    labels = np.array(train["label"])
    classes = np.unique(labels)
    means = np.stack([features[0][labels == c].mean(0) for c in classes])  # (C, D)
    means /= np.linalg.norm(means, axis=-1, keepdims=True)
    cosines = [part @ means.T for part in features[1:]]  # (rows, C)
    answers = np.searchsorted(classes, validation["label"])
    known = np.isin(validation["label"], classes)

    def loss(sharpness: float) -> float:
        p = softmax(sharpness * cosines[0][known], axis=-1)
        return -np.log(p[np.arange(known.sum()), answers[known]]).mean()

    result = np.zeros((len(cosines[1]), train.features["label"].num_classes))  # (N, C)
    result[:, classes] = softmax(min(SHARPNESS, key=loss) * cosines[1], axis=-1)
    return result


def frozen(train: Dataset, validation: Dataset, test: Dataset, *, model: str = "encoder") -> np.ndarray:
    """Logistic regression on `embed`: the pretrained body computes the features and is not trained."""
    tokenizer, body = models.tokenizer(model), models.load(AutoModel, model)
    features = [embed(body, tokenizer, part["text"]) for part in (train, validation, test)]
    return regression(features, train, validation)


def regression(features: Sequence, train: Dataset, validation: Dataset) -> np.ndarray:
    """Logistic regression on the features of train, validation and test rows: probabilities for the last.

    Accuracy on validation chooses the regularisation.

    Args:
        features: three matrices, (rows, D) each, dense or sparse.
    """
    model = best_regression(features[0], train["label"], features[1], validation["label"])
    return _of_all_classes(model, features[2], train)


def best_regression(features, labels: Sequence[int], chosen_on, answers: Sequence[int]) -> LogisticRegression:
    """Logistic regression on features (rows, D), with the regularisation that is most accurate on other rows."""
    candidates = [LogisticRegression(C=c, max_iter=2000).fit(features, labels) for c in STRENGTHS]
    return max(candidates, key=lambda model: model.score(chosen_on, answers))


def _of_all_classes(model, features, train: Dataset) -> np.ndarray:
    """The probabilities that a scikit-learn model gives, with a column for every class, shape (N, C)."""
    result = np.zeros((features.shape[0], train.features["label"].num_classes))
    result[:, model.classes_] = model.predict_proba(features)
    return result
