"""What a fine-tuned tagger must beat: the most frequent tag of each word, and a CRF with features made by hand.

Each returns tag ids on the rows of `test`, one array (words,) per row, as the tagging task's `predict` does.
"""

import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pycrfsuite
from datasets import Dataset, DatasetDict

STRENGTHS = (0.01, 0.1, 1.0)  # of the L2 penalty, chosen on validation


def ladder(data: DatasetDict, task) -> dict[str, list[np.ndarray]]:
    """The baselines that the shell compares with, by name: predictions on the test rows."""
    return {
        "most frequent": most_frequent(data["train"], data["test"]),
        "classical crf": crfsuite(data["train"], data["validation"], data["test"], task, rest=data.get("rest")),
    }


def most_frequent(train: Dataset, test: Dataset) -> list[np.ndarray]:
    """The tag that training gives each word most often; a word that training lacks gets the most frequent of all."""
    counts, overall = defaultdict(Counter), Counter()
    for words, tags in zip(train["tokens"], train["tags"], strict=True):
        overall.update(tags)
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1
    best = {word: tag_counts.most_common(1)[0][0] for word, tag_counts in counts.items()}
    rest = overall.most_common(1)[0][0]
    return [np.array([best.get(word, rest) for word in words]) for words in test["tokens"]]


def crfsuite(
    train: Dataset, validation: Dataset, test: Dataset, task, iterations: int = 60, rest: Dataset | None = None
) -> list[np.ndarray]:
    """A linear-chain CRF over features of each word and its neighbours, the classical tagger (CRFsuite, Okazaki 2007).

    Args:
        task: scores the validation rows, which choose the penalty.
        iterations: the largest number of steps of L-BFGS.
        rest: where validation rows are training rows too, the other ones: the penalty is chosen by fitting these, and
            the tagger is then fitted to all.
    """
    first = train if rest is None else rest
    parts = {"first": first, "validation": validation, "test": test}
    features = {name: [features_of(words) for words in data["tokens"]] for name, data in parts.items()}
    true = [np.array(row) for row in validation["tags"]]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for strength in STRENGTHS:
            tagger = _fitted(features["first"], first["tags"], strength, iterations, Path(folder) / f"{strength}")
            guesses = [_tagged(tagger, row) for row in features["validation"]]
            results.append((task.score(guesses, true)[task.selection_metric], strength, tagger))
        _, strength, best = max(results, key=lambda entry: entry[:2])
        if rest is not None:
            every = [features_of(words) for words in train["tokens"]]
            best = _fitted(every, train["tags"], strength, iterations, Path(folder) / "all")
        return [_tagged(best, row) for row in features["test"]]


def features_of(words: list[str]) -> list[list[str]]:
    """What the CRF sees of each word: the word, its shape, its ends, and the same of its neighbours."""
    own = [_own(word) for word in words]
    outside = ["edge"]
    before, after = [outside, *own[:-1]], [*own[1:], outside]
    return [
        [*now, *(f"-1:{item}" for item in left), *(f"+1:{item}" for item in right), "bias"]
        for now, left, right in zip(own, before, after, strict=True)
    ]


def _own(word: str) -> list[str]:
    shape = "".join("X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c for c in word)
    short = "".join(c for i, c in enumerate(shape) if i == 0 or c != shape[i - 1])
    return [f"word={word.lower()}", f"shape={short}", f"start={word[:3].lower()}", f"end={word[-3:].lower()}"]


def _fitted(features, tags, strength: float, iterations: int, path: Path) -> pycrfsuite.Tagger:
    trainer = pycrfsuite.Trainer(verbose=False)
    for row, ids in zip(features, tags, strict=True):
        trainer.append(row, [str(tag) for tag in ids])
    trainer.set_params({"c1": 0.0, "c2": strength, "max_iterations": iterations})
    trainer.train(str(path))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    return tagger


def _tagged(tagger: pycrfsuite.Tagger, features: list[list[str]]) -> np.ndarray:
    return np.array([int(tag) for tag in tagger.tag(features)])
