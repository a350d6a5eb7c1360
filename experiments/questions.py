"""Questions on passages: a span finder with a search for its rate, over rows and over what is asked of silence.

What is varied once all rows are read: more stretches of text without an answer, and training without QuAC, whose
questions follow others that the model does not see. A decoder that is given the passage answers some of the questions.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from datasets import Dataset

from experiments import recording, searching
from helpers import Extraction, Generation, Recipe, Run, corpora, fit, models, sample
from helpers.metrics import squad
from helpers.models.inference import half_precision
from helpers.tasks.extraction.baselines import closest_sentence
from helpers.tasks.extraction.spans import cropped_contexts

NAME, CORPUS, MODEL = "questions", "questions", "encoder"
TASK = Extraction(max_length=192, stride=48, max_answer=40)
WORDS = 90  # of a stretch for training: with its question about 128 tokens
RECIPE = {"batch_rows": 16, "epochs": 2, "dropout": 0.0, "attention_dropout": 0.0}
SEARCHED, RATES = 1500, (2e-4, 1e-4, 4e-4)  # rows of the search: 188 steps
SIZES, SEEDS = (1000, None), range(3)  # None is all rows
EMPTY = 0.25  # of the rows with an answer, the share that is shown a stretch without it
CHANGES = ({"empty": 0.5}, {"without": "QuAC"})
CHOOSE_ON = 300  # validation rows that choose the rate and the threshold
ASKED = 100  # test questions that a decoder answers
PROMPT = "Answer the question with words of the text.\n\n{context}\n\nQuestion: {question}"


def questions() -> Iterator[tuple[dict, Callable]]:
    """Spans for every test question: the closest sentence, and what a model fine-tuned on some rows finds."""
    yield {"system": "closest sentence"}, _closest
    yield {"system": "search", "train_rows": SEARCHED, "seed": 0}, _search
    for seed in SEEDS:
        for size in reversed(SIZES):
            yield _about(size, {}, seed)
    yield {"system": "decoder", "seed": 0}, _written
    for seed in SEEDS:
        for change in CHANGES:
            yield _about(None, change, seed)


EXPERIMENTS = {NAME: questions}


def recipe(about: dict) -> dict:
    """The settings of a trained system, with the rate that the search chose once that is recorded."""
    if about["system"] not in ("fine-tuned", "search"):
        return {}
    rate = searching.chosen(NAME, "learning_rate", system="search") if about["system"] == "fine-tuned" else {}
    return RECIPE | rate | {"seed": about["seed"]}


@cache
def part(name: str) -> Dataset:
    """A split of the corpus, or the validation rows to choose on."""
    data = corpora.load(CORPUS).data
    return sample(data["validation"], CHOOSE_ON) if name == "choosing" else data[name]


def taught(size: int, change: dict, seed: int) -> Dataset:
    """The rows that are trained on, each with a stretch of its passage."""
    rows = sample(part("train"), size, seed)
    if "without" in change:
        rows = rows.filter(lambda row: row["source"] != change["without"])
    return cropped_contexts(rows, WORDS, empty=change.get("empty", EMPTY), seed=seed)


def _about(size: int | None, change: dict, seed: int) -> tuple[dict, Callable]:
    about = {"system": "fine-tuned", "train_rows": size or len(part("train")), "change": change, "seed": seed}
    return about, lambda: _spans(about)


def _spans(about: dict) -> dict:
    with recording.Watch() as watch:
        train = taught(about["train_rows"], about["change"], about["seed"])
        run = _fitted(train, searching.complete(recipe(about)))
    task = TASK.calibrated(_predicted(run, part("choosing")), _references(part("choosing")))
    spans, references = recording.as_kept(_predicted(run, part("test"))), _references(part("test"))
    scores = {f"always_{name}": value for name, value in TASK.score(spans, references).items()}
    scores |= task.score(spans, references) | {"threshold": task.threshold}
    return scores | _span_record(spans) | recording.cost(run, watch)


def _fitted(train: Dataset, settings: Recipe) -> Run:
    return fit(TASK, TASK.build(seed=settings.seed), models.tokenizer(), train, None, settings)


def _predicted(run: Run, rows: Dataset) -> list:
    with half_precision(run.model.device):
        return run.predict(rows)


def _search() -> dict:
    """The rate whose answers to validation questions are best, every question answered."""
    train = taught(SEARCHED, {}, 0)

    def compute(tried: Recipe) -> tuple[float, int]:
        run = _fitted(train, tried)
        return TASK.score(_predicted(run, part("choosing")), _references(part("choosing")))["f1"], len(run.history)

    return searching.found(compute, Recipe(**RECIPE, seed=0), RATES, metric="f1", rows=CHOOSE_ON)


def _closest() -> dict:
    spans = closest_sentence(part("test"))
    return TASK.score(spans, _references(part("test"))) | _span_record(spans)


def _written() -> dict:
    """F1 of what the packaged decoder writes when it is given question and passage, in millionths of each row."""
    rows = sample(part("test").filter(lambda row: len(row["answers"]["text"]) > 0), ASKED)
    asked = rows.select_columns(["context", "question"])
    prompts = Dataset.from_list([{"prompt": PROMPT.format(**row)} for row in asked])
    task, tokenizer = Generation(max_new_tokens=40), models.tokenizer("decoder")
    model = task.build()
    with half_precision(model.device):
        texts = task.generate(model, tokenizer, task.encode(tokenizer, prompts)).texts
    scores = [squad.f1(text, right) for text, right in zip(texts, _references(rows), strict=True)]
    return {"n": len(rows), "counts": recording.score_counts(np.array(scores)), "texts": texts}


def _span_record(spans: list) -> dict:
    return {"counts": recording.span_counts(spans), "n": len(spans)}


def _references(rows: Dataset) -> list[list[str]]:
    return [answers["text"] for answers in rows["answers"]]
