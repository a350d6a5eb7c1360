"""What the scores of a recorded result are by the predictions that it kept: a record that was edited does not agree."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from experiments import bugs, questions
from helpers import evaluation, metrics
from helpers.book import answers, stereotypes, swaps
from helpers.book.ledger import ROUGE, Results
from helpers.metrics import json_fields
from helpers.metrics.spans import f1_of

# What a run took and how it was made; all other fractions of a record are scores.
MEASURED = ("cpu_seconds", "generation_seconds", "others_used", "peak_memory_gb", "rows_per_second", "seconds")
MEASURED += ("tokens_per_second", "trained_share")
SETTINGS = ("head_rate", "misspelled", "rate", "threshold")


class Kept(NamedTuple):
    """What one result kept of a score: a value of each test row, (N,), or counts (N, K) and the score of their means.

    `rounded` is by how much the score may differ, as a record keeps whole numbers; `highest` is what a perfect system
    scores.
    """

    rows: np.ndarray
    score: Callable[[np.ndarray], np.ndarray] | None = None
    rounded: float = 1e-9
    highest: float = 1.0

    def value(self) -> float:
        """The score of all rows."""
        means = self.rows.mean(0)
        return float(means if self.score is None else self.score(means))


def recorded(row: dict) -> dict[str, float]:
    """The scores of a recorded result, by name."""
    others = (*MEASURED, *SETTINGS)
    return {name: value for name, value in row.items() if isinstance(value, float) and name not in others}


def kept(result: Results) -> dict[str, Kept]:
    """What a single result kept of each of its scores, by name; empty if it kept no predictions."""
    row = {name: value for name, value in result.frame.iloc[0].items() if not _none(value)}
    return {name: part for rule in RULES for name, part in rule(result, row).items() if name in row}


def pooled(parts: Sequence[Kept]) -> evaluation.Interval:
    """The score of several runs on the same rows with its interval; one run has that of the rows alone."""
    rows = np.stack([part.rows for part in parts])
    settings = {"score": parts[0].score, "highest": parts[0].highest}
    return evaluation.interval(rows if len(parts) > 1 else rows[0], **settings)


def _none(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _accuracy(result: Results, row: dict) -> dict[str, Kept]:
    return {"accuracy": Kept(result.correct()[0].astype(float))} if "correct" in row else {}


def _loss(result: Results, row: dict) -> dict[str, Kept]:
    if "loss" not in row:
        return {}
    return {"loss": Kept(result.counts()[0][:, 0] / bugs.LOSS_STEPS, rounded=0.5 / bugs.LOSS_STEPS)}


def _rouge(result: Results, row: dict) -> dict[str, Kept]:
    named = [name for name in ROUGE if name in row]
    return {name: Kept(result.rouge(name)[0], rounded=1e-4) for name in named}


def _translation(result: Results, row: dict) -> dict[str, Kept]:
    """ChrF and BLEU, whose counts stand beside each other."""
    if "chrf" not in row:
        return {}
    chrf, bleu, counts = metrics.Chrf(), metrics.Bleu(), result.counts()[0]
    width = chrf.per_row(["a"], ["a"]).shape[1]
    parts = {"chrf": (counts[:, :width], chrf), "bleu": (counts[:, width:], bleu)}
    return {name: Kept(rows, metric.from_counts, highest=metric.highest) for name, (rows, metric) in parts.items()}


def _fields(result: Results, row: dict) -> dict[str, Kept]:
    if "field_f1" not in row:
        return {}
    counts = result.counts()[0]
    return {"field_f1": Kept(counts, json_fields.f1), "valid": Kept(counts, json_fields.validity)}


def _tags(result: Results, row: dict) -> dict[str, Kept]:
    """Span F1 of each held-out set, decoded in one way or in two."""
    if "rows_of" not in row:
        return {}
    ways = {"": False, " constrained": True} if result.counts().shape[2] > 3 else {"": False}
    return {
        part + suffix: Kept(result.span_counts(part, constrained=constrained)[0], f1_of)
        for part in row["rows_of"]
        for suffix, constrained in ways.items()
    }


def _spans(result: Results, row: dict) -> dict[str, Kept]:
    """F1 and exact match of answers to all test questions; `always_` is without a threshold."""
    if "exact_match" not in row:
        return {}
    (spans,), references = answers.spans(result, questions.part("test")), _references()
    scores = {}
    for prefix, threshold in (("", row.get("threshold")), ("always_", None)):
        task = replace(questions.TASK, threshold=threshold)
        scores[f"{prefix}f1"] = Kept(task.per_row(spans, references))
        exact = [task.score([span], [right])["exact_match"] for span, right in zip(spans, references, strict=True)]
        scores[f"{prefix}exact_match"] = Kept(np.array(exact))
    return scores


def _preferences(result: Results, row: dict) -> dict[str, Kept]:
    """How often a stereotype is preferred, and how often what makes sense is."""
    if "stereotype_share" not in row:
        return {}
    scores = -result.counts()[0]
    kept = {"stereotype_share": Kept(stereotypes.preferred(scores))}
    return kept | ({"sensible_share": Kept(stereotypes.sensible(scores))} if scores.shape[1] > 2 else {})


def _swaps(result: Results, row: dict) -> dict[str, Kept]:
    return {"turned": Kept(swaps.turned(result.probabilities()[0]).astype(float))} if "turned" in row else {}


RULES = (_accuracy, _preferences, _swaps, _loss, _rouge, _translation, _fields, _tags, _spans)


@cache
def _references() -> list[list[str]]:
    return [each["text"] for each in questions.part("test")["answers"]]
