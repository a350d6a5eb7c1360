"""Questions on passages: a span finder over training-set size, and yes/no questions with a classifier."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from datasets import Dataset
from transformers import AutoModel

from experiments import recording
from helpers import Classification, Extraction, Recipe, corpora, fit, models, sample
from helpers.models.embedding import embed
from helpers.tasks.classification import baselines
from helpers.tasks.extraction.baselines import closest_sentence
from helpers.tasks.extraction.spans import cropped_contexts

CORPUS, MODEL = "questions", "encoder"
TASK = Extraction(max_length=192, stride=48, max_answer=40)
WORDS = 90  # of a stretch for training: with its question about 128 tokens
RECIPE = {"learning_rate": 2e-4, "epochs": 2, "dropout": 0.0, "attention_dropout": 0.0}
YES_NO = Classification(("no", "yes"), max_length=128)
CHOOSE_ON = 300  # validation rows that choose the threshold, or the regularisation
TESTED = 600  # test rows of the yes/no questions


def questions() -> Iterator[tuple[dict, callable]]:
    """Spans for every test question: the closest sentence, and what a model fine-tuned on some rows finds."""
    yield {"system": "closest sentence"}, _closest
    for rows in (1000, 3000):
        about = {"system": "fine-tuned", "train_rows": rows, "seed": 0}
        yield about, lambda about=about: _spans(about)


def yes_no() -> Iterator[tuple[dict, callable]]:
    """Test accuracy on yes/no questions: classical, frozen and fine-tuned on the same rows."""
    for system, compute in (("tf-idf", _classical), ("frozen", _frozen), ("fine-tuned", _tuned)):
        about = {"system": system, "train_rows": 600, "seed": 0}
        yield about, lambda about=about, compute=compute: _scored(compute(about))


EXPERIMENTS = {"questions": questions, "yes-no": yes_no}


def _spans(about: dict) -> dict:
    data, seed = corpora.load(CORPUS).data, about["seed"]
    train = cropped_contexts(sample(data["train"], about["train_rows"], seed), WORDS, seed=seed)
    recipe = Recipe(**RECIPE, seed=seed)
    with recording.Watch() as watch:
        run = fit(TASK, TASK.build(seed=seed), models.tokenizer(), train, None, recipe)
    choosing, test = sample(data["validation"], CHOOSE_ON), data["test"]
    task = TASK.calibrated(run.predict(choosing), _references(choosing))
    spans, references = run.predict(test), _references(test)
    scores = {f"always_{name}": value for name, value in TASK.score(spans, references).items()}
    scores |= task.score(spans, references) | {"threshold": task.threshold}
    return scores | _span_record(spans) | recording.cost(run, watch)


def _closest() -> dict:
    test = corpora.load(CORPUS).data["test"]
    spans = closest_sentence(test)
    return TASK.score(spans, _references(test)) | _span_record(spans)


def _span_record(spans: list) -> dict:
    return {"counts": recording.span_counts(spans), "n": len(spans)}


def _references(rows: Dataset) -> list[list[str]]:
    return [answers["text"] for answers in rows["answers"]]


@cache
def _parts(rows: int) -> tuple:
    data = corpora.load("boolq").data
    return tuple(
        sample(data[name], count, 0) for name, count in (("train", rows), ("validation", CHOOSE_ON), ("test", TESTED))
    )


def _classical(about: dict) -> np.ndarray:
    return baselines.tfidf(*_parts(about["train_rows"]))


def _frozen(about: dict) -> np.ndarray:
    tokenizer, body, parts = models.tokenizer(), models.load(AutoModel), _parts(about["train_rows"])
    features = [embed(body, tokenizer, part["text"], max_length=YES_NO.max_length) for part in parts]
    return baselines.regression(features, *parts[:2])


def _tuned(about: dict) -> np.ndarray:
    train, choosing, test = _parts(about["train_rows"])
    recipe = Recipe(learning_rate=1e-4, epochs=2, attention_dropout=0.0)
    return fit(YES_NO, YES_NO.build(), models.tokenizer(), train, choosing, recipe).predict(test)


def _scored(probabilities: np.ndarray) -> dict:
    right = probabilities.argmax(-1) == np.array(_parts(600)[2]["label"])
    return {"accuracy": float(right.mean()), "n": len(right), "correct": right}
