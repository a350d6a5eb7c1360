"""What a fine-tuned classifier must beat: the most frequent label, a classical model, and frozen features.

Each takes training and validation rows and returns probabilities, shape (N, C), on the rows of `test`. What there is
to choose is chosen on validation.
"""

from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel

from helpers import models
from helpers.batching import length_batches

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # inverse regularisation of logistic regression, chosen on validation


def majority(train: Dataset, test: Dataset) -> np.ndarray:
    """The shares of the labels in training, for every row; its arg-max is the most frequent label."""
    counts = np.bincount(train["label"], minlength=train.features["label"].num_classes)
    return np.tile(counts / counts.sum(), (len(test), 1))  # (N, C)


def tfidf(train: Dataset, validation: Dataset, test: Dataset) -> np.ndarray:
    """TF-IDF of words and pairs of words with logistic regression, the classical model for short texts."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1, token_pattern=r"(?u)\b\w+\b")
    features = [vectorizer.fit_transform(train["text"])]
    features += [vectorizer.transform(part["text"]) for part in (validation, test)]
    return regression(features, train, validation)


def frozen(
    train: Dataset, validation: Dataset, test: Dataset, *, model: str = "encoder", scale: str | None = None
) -> np.ndarray:
    """Logistic regression on `embed`: the pretrained body reads the texts and none of its weights move."""
    tokenizer, body = models.tokenizer(model, scale=scale), models.load(AutoModel, model, scale=scale)
    features = [embed(body, tokenizer, part["text"]) for part in (train, validation, test)]
    return regression(features, train, validation)


@torch.inference_mode()
def embed(body, tokenizer, texts: list[str], *, max_length: int = 256, batch_tokens: int = 8192) -> np.ndarray:
    """The mean of the last layer over the tokens of each text, scaled to length one, shape (N, D), float32."""
    limit = min(max_length, tokenizer.model_max_length)
    encoded = tokenizer(list(texts), truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]
    result = np.zeros((len(encoded), body.config.hidden_size), dtype=np.float32)  # (N, D)
    body.eval()
    for rows in length_batches([len(ids) for ids in encoded], batch_rows=256, batch_tokens=batch_tokens, shuffle=False):
        batch = tokenizer.pad({"input_ids": [encoded[i] for i in rows]}, return_tensors="pt").to(body.device)
        mask = batch["attention_mask"].unsqueeze(-1)  # (B, T, 1)
        hidden = body(**batch).last_hidden_state * mask  # (B, T, D)
        result[rows] = torch.nn.functional.normalize(hidden.sum(1) / mask.sum(1)).cpu().numpy()  # (B, D)
    return result


def regression(features: Sequence, train: Dataset, validation: Dataset) -> np.ndarray:
    """Logistic regression on the features of train, validation and test rows: probabilities for the last.

    Accuracy on validation chooses the regularisation.

    Args:
        features: three matrices, (rows, D) each, dense or sparse.
    """
    fitted = [LogisticRegression(C=c, max_iter=2000).fit(features[0], train["label"]) for c in STRENGTHS]
    best = max(fitted, key=lambda model: model.score(features[1], validation["label"]))
    result = np.zeros((features[2].shape[0], train.features["label"].num_classes))  # (N, C)
    result[:, best.classes_] = best.predict_proba(features[2])
    return result
