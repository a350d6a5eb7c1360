"""What a fine-tuned multi-label classifier must beat: the most frequent labels, and TF-IDF with one regression a label.

Each returns decisions on the rows of `test`, 1.0 or 0.0, shape (N, C), made with thresholds of its own.
"""

import numpy as np
from datasets import Dataset, DatasetDict
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from helpers.tasks.multilabel.task import HALF, best_thresholds
from helpers.text import counted_units

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # inverse regularisation, one for all labels, chosen on validation


def ladder(data: DatasetDict, task) -> dict[str, np.ndarray]:
    """The baselines that the shell compares with, by name: predictions on the test rows."""
    return {
        "most frequent": most_frequent(data["train"], data["test"]),
        "tf-idf": tfidf(data["train"], data["validation"], data["test"], data.get("rest")),
    }


def most_frequent(train: Dataset, test: Dataset) -> np.ndarray:
    """The labels that more than half of the training rows have, or else the most frequent one, for every row."""
    shares = _matrix(train).mean(0)  # (C,)
    chosen = shares >= min(HALF, shares.max())
    return np.tile(chosen.astype(float), (len(test), 1))


def tfidf(train: Dataset, validation: Dataset, test: Dataset, rest: Dataset | None = None) -> np.ndarray:
    """TF-IDF of words and their pairs (`counted_units`) with a logistic regression for each label, and its threshold.

    Args:
        rest: where validation rows are training rows too, the other ones: regularisation and thresholds are chosen by
            fitting these, and the models are then fitted to all.
    """
    first = train if rest is None else rest
    vectorizer = TfidfVectorizer(**counted_units(first["text"]), sublinear_tf=True)
    features, choosing = vectorizer.fit_transform(first["text"][:]), vectorizer.transform(validation["text"][:])
    truth, best = _matrix(validation), (-1.0, None, None, None)
    for strength in STRENGTHS:
        models = [_regression(features, column, strength) for column in _matrix(first).T]
        scores = _probabilities(models, choosing)
        thresholds = best_thresholds(scores, truth)
        decided = scores >= thresholds
        f1 = 2 * (decided & truth).sum() / max(1, decided.sum() + truth.sum())
        if f1 > best[0]:
            best = (f1, strength, models, thresholds)
    _, strength, models, thresholds = best
    if rest is not None:
        features = vectorizer.fit_transform(train["text"][:])
        models = [_regression(features, column, strength) for column in _matrix(train).T]
    return (_probabilities(models, vectorizer.transform(test["text"][:])) >= thresholds).astype(float)


def _regression(features, column: np.ndarray, strength: float) -> LogisticRegression | float:
    """A regression, or the label's share of the rows where all or none have it."""
    if column.all() or not column.any():
        return float(column[0])
    return LogisticRegression(C=strength, max_iter=2000).fit(features, column)


def _probabilities(models: list, features) -> np.ndarray:
    rows = features.shape[0]
    columns = [np.full(rows, m) if isinstance(m, float) else m.predict_proba(features)[:, 1] for m in models]
    return np.stack(columns, axis=-1)  # (N, C)


def _matrix(rows: Dataset) -> np.ndarray:
    """Which labels each row has, shape (N, C), booleans."""
    count = rows.features["labels"].feature.num_classes
    return np.array([[label in ids for label in range(count)] for ids in rows["labels"]], dtype=bool)
