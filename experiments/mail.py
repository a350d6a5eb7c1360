"""Mail: the scores that models give every mail, so that thresholds can be chosen and judged afterwards."""

from collections.abc import Iterator
from functools import cache, lru_cache, partial

import numpy as np
from datasets import Dataset
from transformers import AutoModel

from experiments.recording import probability_counts
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.book import misspelling
from helpers.models.embedding import embed
from helpers.tasks.classification import baselines, long_texts

CORPUS, MODEL = "mail", "encoder"
TOKENS = 64  # of each mail
ROWS, FEW = 400, 96  # training rows of the main models, and of the one that the chapter trains live
RATES = (0.1, 0.2, 0.4)  # shares of words that the senders of spam misspell
LEARNED_RATE = 0.3  # share of misspelled words in half of the training mails of the hardened model


def mail_scores() -> Iterator[tuple[dict, callable]]:
    """The probability of spam for each mail of a split; with `misspelled`, for the spam of the test split rewritten."""
    yield from _splits("fine-tuned", FEW, 0, splits=("sample",))
    for system in ("fine-tuned", "head and tail", "windows", "hardened", "frozen"):
        splits = ("validation",) if system in ("windows", "head and tail") else ("validation", "test", *RATES)
        yield from _splits(system, ROWS, 0, splits)


EXPERIMENTS = {"mail-scores": mail_scores}


def recipe(about: dict) -> dict:
    """The settings of a fine-tuned model."""
    epochs = 2 if about["train_rows"] == ROWS else 3
    return {"learning_rate": 1e-4, "epochs": epochs, "attention_dropout": 0.0, "seed": about["seed"]}


def _splits(
    system: str, rows: int, seed: int, splits=("validation", "test", *RATES)
) -> Iterator[tuple[dict, callable]]:
    about = {"system": system, "train_rows": rows, "seed": seed}
    for split in splits:
        part = {"split": "test", "misspelled": split} if split in RATES else {"split": split, "misspelled": 0.0}
        yield about | part, lambda part=part: _scores(**about, **part)


@cache
def mails(split: str, misspelled: float = 0.0) -> Dataset:
    """The mails of a split; `sample` is 400 of the test; misspelled, only the spam."""
    data = corpora.load("mail").data
    if split == "sample":
        return sample(data["test"], 400, 0)
    if not misspelled:
        return data[split]
    spam = data[split].select(np.flatnonzero(np.array(data[split]["label"]) == 1))
    return long_texts.with_texts(spam, misspelling.misspelled(spam["text"], misspelled, seed=1))


def _scores(system: str, train_rows: int, seed: int, split: str, misspelled: float) -> dict:
    rows, cost = mails(split, misspelled), {}
    if system == "frozen":
        spam = _frozen(train_rows, seed).predict_proba(_features(split, misspelled))[:, 1]
    else:
        run = _trained("hardened" if system == "hardened" else "fine-tuned", train_rows, seed)
        cost = {"seconds": run.seconds, "precision": run.precision, "recipe": run.recipe.to_dict()}
        spam = READERS.get(system, _head)(run, rows)
    return {"n": len(spam), "counts": probability_counts(spam)} | cost


def _head(run: Run, rows: Dataset, piece=long_texts.head) -> np.ndarray:
    return run.predict(long_texts.shortened(rows, run.tokenizer, TOKENS, piece))[:, 1]


def _windows(run: Run, rows: Dataset) -> np.ndarray:
    """The mean over the first three windows of each text."""
    windows = long_texts.windows(run.tokenizer, rows["text"], TOKENS, most=3)
    flat = Dataset.from_dict({"text": [text for texts in windows for text in texts]})
    ends = np.cumsum([len(texts) for texts in windows])
    return np.array([part.mean() for part in np.split(_head(run, flat), ends[:-1])])


# How the model that was trained on heads reads a mail; all others read the head.
READERS = {"windows": _windows, "head and tail": partial(_head, piece=long_texts.head_and_tail)}


@lru_cache(maxsize=1)
def _trained(system: str, rows: int, seed: int) -> Run:
    train, tokenizer = sample(mails("train"), rows, seed), models.tokenizer()
    if system == "hardened":
        changed = misspelling.misspelled(train["text"], LEARNED_RATE, seed=seed)
        texts = [new if i % 2 else old for i, (old, new) in enumerate(zip(train["text"], changed, strict=True))]
        train = long_texts.with_texts(train, texts)
    task = Classification(corpora.load("mail").labels, TOKENS)
    settings = Recipe(**recipe({"train_rows": rows, "seed": seed}))
    pieces = long_texts.shortened(train, tokenizer, TOKENS, long_texts.head)
    return fit(task, task.build(seed=seed), tokenizer, pieces, recipe=settings)


@cache
def _frozen(rows: int, seed: int):
    train, chosen_on = sample(mails("train"), rows, seed), mails("validation")
    return baselines.best_regression(_embedded(train), train["label"], _features("validation", 0.0), chosen_on["label"])


@cache
def _features(split: str, misspelled: float) -> np.ndarray:
    return _embedded(mails(split, misspelled))


def _embedded(rows: Dataset) -> np.ndarray:
    return embed(models.load(AutoModel), models.tokenizer(), rows["text"], max_length=TOKENS)
