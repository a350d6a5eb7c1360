"""What a decoder that was fine-tuned on pairs must beat: the prompt itself, retrieval, and extracted sentences.

Each takes rows with `prompt` (and, for training, `completion`) and returns one text for each row of `test`.
"""

import numpy as np
from datasets import Dataset, DatasetDict
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers.tasks.writing import last_pair
from helpers.text import sentences


def ladder(data: DatasetDict, task) -> dict[str, list[str]]:
    """The baselines that the shell compares with, by name: texts for the test rows."""
    train, test = (Dataset.from_list([last_pair(row) for row in data[name]]) for name in ("train", "test"))
    return {"copy": copied_prompt(test), "nearest prompt": translation_memory(train, test)}


def copied_prompt(test: Dataset) -> list[str]:
    """The prompts themselves: right for a brand name, and the lower bound of scores of overlap."""
    return list(test["prompt"])


def translation_memory(train: Dataset, test: Dataset) -> list[str]:
    """A translation memory: the completion of the training prompt that is most similar (see `remembered`)."""
    return remembered(train, test)[0]


def remembered(train: Dataset, test: Dataset) -> tuple[list[str], np.ndarray]:
    """What a translation memory holds for each prompt, and how similar the prompt is that it holds this for, (N,).

    Similarity, from 0 to 1, is the cosine of TF-IDF vectors over n-grams of 2 to 5 characters within words; of equally
    similar prompts the first is taken.
    """
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    known = vectorizer.fit_transform(train["prompt"])  # (N, features), rows of length one
    similarities = vectorizer.transform(test["prompt"]) @ known.T  # (rows of test, rows of train)
    nearest, completions = np.asarray(similarities.argmax(-1)).ravel(), list(train["completion"])
    return [completions[i] for i in nearest], np.asarray(similarities.max(-1).todense()).ravel()


def lead(test: Dataset) -> list[str]:
    """The first sentence of each prompt: hard to beat where writers put the main thing first."""
    return [(sentences(text) or [text])[0] for text in test["prompt"]]


def centroid_sentence(train: Dataset, test: Dataset) -> list[str]:
    """The sentence of each prompt that is nearest to the centroid of its sentences (Radev et al. 2004).

    Words are weighted by TF-IDF, fitted on the training prompts; of equally near sentences the first is taken.
    """
    vectorizer = TfidfVectorizer(sublinear_tf=True).fit(train["prompt"])
    chosen = []
    for text in test["prompt"]:
        parts = sentences(text) or [text]
        vectors = vectorizer.transform(parts)  # (sentences, features)
        centroid = np.asarray(vectors.mean(0)).ravel()
        chosen.append(parts[int(np.argmax(vectors @ centroid))])
    return chosen
