"""News, as first recorded: three draws, and few steps where there were few labels. `news.py` is to take its place."""

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
from datasets import Dataset
from transformers import AutoModel

from experiments import recording
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.corpora import news
from helpers.models.embedding import embed
from helpers.tasks.classification import baselines, long_texts

CORPUS, MODEL = "news", "encoder"
TOKENS = 64  # of each article
CHOOSE_ON = 128  # validation rows that choose what the cheap systems leave to choose
EPOCHS = {4: 40, 8: 40, 16: 20, 64: 10, 256: 4}  # few rows need more passes; all rows get two
MOVED = 256  # training rows of the models that are tried on newsgroups as well
WHOLE = "tf-idf, whole"  # what counts words can read all of them; the encoder reads the first TOKENS
CHEAP = (WHOLE, "tf-idf", "centroid", "head only")


def news_curve() -> Iterator[tuple[dict, callable]]:
    """Accuracy over the number of labelled articles, three draws of each but the largest."""
    every = len(pieces()["train"])
    for rows in (4, 8, 16, 32, 64, 128, 256, every):
        for seed in range(3) if rows < every else range(1):
            for system in CHEAP:
                yield from _splits(system, rows, seed)
    for rows in (4, 8, 16, 64, 256, every):
        for seed in range(3) if rows < every else range(1):
            yield from _splits("fine-tuned", rows, seed)


EXPERIMENTS = {"news-curve": news_curve}


def recipe(about: dict) -> dict:
    """The settings of a fine-tuned model."""
    epochs = EPOCHS.get(about["train_rows"], 2)
    settings = {"learning_rate": 1e-4, "epochs": epochs, "batch_rows": 16, "attention_dropout": 0.0}
    return settings | {"seed": about["seed"]}


@cache
def whole() -> dict[str, Dataset]:
    """All of each article; `choosing`, a part of validation; and the posts `elsewhere`."""
    corpus = corpora.load("news")
    parts = dict(corpus.data) | {"elsewhere": news.elsewhere(corpus.labels)}
    return parts | {"choosing": sample(parts["validation"], CHOOSE_ON, 0)}


@cache
def pieces() -> dict[str, Dataset]:
    """The first tokens of each article, in the same order; `place` numbers those of training."""
    tokenizer = models.tokenizer()
    parts = {name: long_texts.shortened(part, tokenizer, TOKENS) for name, part in whole().items()}
    parts["train"] = parts["train"].add_column("place", list(range(len(parts["train"]))))
    return parts


def _splits(system: str, rows: int, seed: int) -> Iterator[tuple[dict, callable]]:
    about = {"system": system, "train_rows": rows, "seed": seed}
    for split in ("test", "elsewhere") if rows == MOVED else ("test",):
        yield about | {"split": split}, lambda split=split: _result(split=split, **about)


def _result(system: str, train_rows: int, seed: int, split: str) -> dict:
    if system == "fine-tuned":
        probabilities, cost = _tuned(train_rows, seed, split)
    else:
        probabilities, cost = _cheap(system, train_rows, seed, split), {}
    right = probabilities.argmax(-1) == np.array(pieces()[split]["label"])
    return {"accuracy": float(right.mean()), "n": len(right), "correct": right} | cost


def _cheap(system: str, rows: int, seed: int, split: str) -> np.ndarray:
    if system in ("tf-idf", WHOLE):
        parts = whole() if system == WHOLE else pieces()
        return baselines.tfidf(sample(parts["train"], rows, seed), parts["choosing"], parts[split])
    train, choosing = sample(pieces()["train"], rows, seed), pieces()["choosing"]
    features = [_features("train")[train["place"]], _features("choosing"), _features(split)]
    return {"centroid": baselines.centroid, "head only": baselines.regression}[system](features, train, choosing)


@cache
def _features(part: str) -> np.ndarray:
    return embed(models.load(AutoModel), models.tokenizer(), pieces()[part]["text"])


def _tuned(rows: int, seed: int, split: str) -> tuple[np.ndarray, dict]:
    run = _trained(rows, seed)
    return run.predict(pieces()[split]), recording.cost(run)


@lru_cache(maxsize=1)
def _trained(rows: int, seed: int) -> Run:
    train = sample(pieces()["train"], rows, seed)
    task = Classification(tuple(train.features["label"].names), TOKENS)
    settings = Recipe(**recipe({"train_rows": rows, "seed": seed}))
    return fit(task, task.build(seed=seed), models.tokenizer(), train, recipe=settings)
