"""What a fine-tuned span finder must beat: no answer, a random span, and the sentence that is nearest to the question.

Each returns one `Span` per row of `test`, as the task's `predict` does. Their margins are infinite: they answer at
every threshold.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from datasets import Dataset, DatasetDict
from transformers import AutoModel

from helpers import models
from helpers.models.embedding import embed
from helpers.tasks.extraction.spans import NOTHING, Span
from helpers.text import sentences


def ladder(data: DatasetDict, task) -> dict[str, list[Span]]:
    """The baselines that the shell compares with, by name: predictions on the test rows."""
    return {
        "no answer": no_answer(data["test"]),
        "random span": random_span(data["train"], data["test"]),
        "overlapping sentence": overlapping_sentence(data["test"]),
    }


def no_answer(test: Dataset) -> list[Span]:
    """No answer for every row, which is right where the context has none."""
    return [NOTHING] * len(test)


def random_span(train: Dataset, test: Dataset, *, seed: int = 0) -> list[Span]:
    """Consecutive words at a random position of the context, as many as a random answer of the training rows has."""
    random = np.random.default_rng(seed)
    lengths = [len(text.split()) for answers in train["answers"] for text in answers["text"]] or [1]
    spans = []
    for context in test["context"]:
        words = [match.span() for match in re.finditer(r"\S+", context)]
        length = min(int(random.choice(lengths)), len(words))
        first = int(random.integers(len(words) - length + 1))
        spans.append(_span(context, words[first][0], words[first + length - 1][1]) if words else NOTHING)
    return spans


def overlapping_sentence(test: Dataset) -> list[Span]:
    """The sentence that shares most different words with the question, the first of several."""

    def shared(question: str, parts: Sequence[str]) -> list[int]:
        question_words = _words(question)
        return [len(question_words & _words(part)) for part in parts]

    return _best_sentences(test, shared)


def closest_sentence(test: Dataset, *, model: str = "encoder") -> list[Span]:
    """The sentence whose frozen features have the largest cosine with those of the question."""
    tokenizer, body = models.tokenizer(model), models.load(AutoModel, model)
    parts = {part for context in dict.fromkeys(test["context"]) for _, part in _sentences(context)}
    texts = sorted({*test["question"], *parts})
    rows = {text: row for row, text in enumerate(texts)}
    features = embed(body, tokenizer, texts, max_length=128)  # (texts, D), of length one

    def cosines(question: str, parts: Sequence[str]) -> np.ndarray:
        return features[[rows[part] for part in parts]] @ features[rows[question]]

    return _best_sentences(test, cosines)


def _best_sentences(test: Dataset, score: Callable) -> list[Span]:
    spans = []
    for question, context in zip(test["question"], test["context"], strict=True):
        parts = _sentences(context)
        if not parts:
            spans.append(NOTHING)
            continue
        start, text = parts[int(np.argmax(score(question, [text for _, text in parts])))]
        spans.append(_span(context, start, start + len(text)))
    return spans


def _sentences(context: str) -> list[tuple[int, str]]:
    """The sentences of each line, as pairs of the start in characters and the text."""
    pairs, start = [], 0
    for line in context.splitlines():
        for text in sentences(line):
            offset = context.find(text, start)
            if offset >= 0:
                pairs.append((offset, text))
                start = offset + len(text)
    return pairs


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _span(context: str, start: int, end: int) -> Span:
    return Span(start, end, context[start:end], np.inf)
