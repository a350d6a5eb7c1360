"""Questions on passages: a span finder over training-set size."""

from collections.abc import Iterator

from datasets import Dataset

from experiments import recording
from helpers import Extraction, Recipe, corpora, fit, models, sample
from helpers.tasks.extraction.baselines import closest_sentence
from helpers.tasks.extraction.spans import cropped_contexts

CORPUS, MODEL = "questions", "encoder"
TASK = Extraction(max_length=192, stride=48, max_answer=40)
WORDS = 90  # of a stretch for training: with its question about 128 tokens
RECIPE = {"learning_rate": 2e-4, "epochs": 2, "dropout": 0.0, "attention_dropout": 0.0}
CHOOSE_ON = 300  # validation rows that choose the threshold


def questions() -> Iterator[tuple[dict, callable]]:
    """Spans for every test question: the closest sentence, and what a model fine-tuned on some rows finds."""
    yield {"system": "closest sentence"}, _closest
    for rows in (1000, 3000):
        about = {"system": "fine-tuned", "train_rows": rows, "seed": 0}
        yield about, lambda about=about: _spans(about)


EXPERIMENTS = {"questions": questions}


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
