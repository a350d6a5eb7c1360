"""Spans of characters as answers: where they lie in tokens, and which of them are the best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import regex
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from helpers.metrics import squad
from helpers.text import AS_TEXT

BATCH = 100  # rows tokenised together; their offsets take memory until they are packed
NEVER = 1e30  # a threshold that no margin passes, finite so that JSON can hold it


@dataclass(frozen=True)
class Span:
    """The characters `start` up to `end` of a context, `text`, as an answer.

    `margin` is the sum of the logits of start and end, less the same sum for "no answer", in nats: above 0 the model
    holds the span for likelier than no answer in its window.
    """

    start: int
    end: int
    text: str
    margin: float


NOTHING = Span(0, 0, "", -np.inf)  # what remains where a context has no token


def answering_curve(predictions: Sequence[Span], references: Sequence[list[str]]) -> pd.DataFrame:
    """The scores at each threshold on the margin, one row per threshold, from answering nothing to answering all.

    Columns: threshold; answered (share of examples); precision (mean F1 of the answers given, NaN for none); recall
    (sum of their F1 over the number of examples that have an answer); f1 (as `Extraction.score` counts it, where an
    example without answer scores 1 if none is given).
    """
    margins = np.array([span.margin for span in predictions])
    scores = np.array([squad.f1(span.text, right) for span, right in zip(predictions, references, strict=True)])
    empty_scores = np.array([squad.f1("", right) for right in references])
    order = np.argsort(-margins, kind="stable")
    margins, scores, empty_scores = margins[order], scores[order], empty_scores[order]
    count = np.arange(len(order) + 1)
    hits = np.concatenate([[0.0], np.cumsum(scores)])  # (N + 1,) sum of F1 when the first `count` are answered
    spared = empty_scores.sum() - np.concatenate([[0.0], np.cumsum(empty_scores)])
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = hits / count, hits / (len(order) - empty_scores.sum())
    # Halfway between two margins; those that are equal cannot be parted.
    edges = np.concatenate([[NEVER], (margins[:-1] + margins[1:]) / 2, [-np.inf]])
    curve = pd.DataFrame({"threshold": edges, "answered": count / len(order), "precision": precision, "recall": recall})
    curve["f1"] = (hits + spared) / len(order)
    parted = np.concatenate([[True], margins[:-1] > margins[1:], [True]])
    return curve[parted].reset_index(drop=True)


def cropped_contexts(data: Dataset, words: int, *, empty: float = 0.25, seed: int = 0) -> Dataset:
    """Each row with an excerpt of at most `words` words of its context: training on long contexts at the cost of short.

    An excerpt lies at random around the first answer, which then is the first of the row; other answers are kept where
    they lie in it. A share `empty` of the rows with an answer get an excerpt that overlaps with none of them, and so no
    answer, as most windows of a long context have none. Rows of up to `words` words stay as they are.
    """
    random = np.random.default_rng(seed)
    rows = [row if (crop := _excerpt(row, words, empty, random)) is None else row | crop for row in data]
    return Dataset.from_list(rows, features=data.features)


def _excerpt(row: dict, words: int, empty: float, random: np.random.Generator) -> dict | None:
    """An excerpt of a row's context with the answers in it, or None if the context is short enough."""
    edges = np.array([match.span() for match in regex.finditer(r"\S+", row["context"])]).reshape(-1, 2)
    begins = np.arange(len(edges) - words + 1)  # the first word of every possible stretch
    if len(begins) < 2:
        return None
    texts, starts = row["answers"]["text"], np.array(row["answers"]["answer_start"], dtype=int)
    ends = starts + np.array([len(text) for text in texts], dtype=int)
    left, right = edges[begins, 0], edges[begins + words - 1, 1]
    apart = np.all((ends[:, None] <= left) | (starts[:, None] >= right), axis=0)
    around = (left <= starts[0]) & (ends[0] <= right) if texts else apart
    chosen = apart if texts and random.random() < empty and apart.any() else around
    if not chosen.any():  # an answer longer than a stretch
        return None
    index = int(random.choice(np.flatnonzero(chosen)))
    inside = (left[index] <= starts) & (ends <= right[index])
    texts_inside = [text for text, fits in zip(texts, inside, strict=True) if fits]
    answers = {"text": texts_inside, "answer_start": (starts[inside] - left[index]).tolist()}
    return {"context": row["context"][left[index] : right[index]], "answers": answers}


def whole_graphemes(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters [start, end) without blanks at both ends, and widened to whole graphemes.

    A letter with its combining accents, or an emoji of several code points, is one character to a reader (an extended
    grapheme cluster, Unicode Annex 29), but tokens may end inside it.
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return start, end
    # A cluster starts at a blank at the latest, and 64 code points are longer than any that is written.
    left = max(text.rfind(" ", 0, start), start - 64, 0)
    for cluster in regex.finditer(r"\X", text[left : end + 64]):
        first, last = left + cluster.start(), left + cluster.end()
        if first < start < last:
            start = first
        if first < end < last:
            end = last
    return start, end


def cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int) -> list[str]:
    """The texts, each cut after its first `limit` tokens."""
    texts = [text[: 100 * limit] for text in texts]  # a token is hardly ever longer, and a long text costs time
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, **AS_TEXT)["offset_mapping"]
    ends = [offsets[limit - 1][1] if len(offsets) > limit else None for offsets in encoded]
    return [text[:end] for text, end in zip(texts, ends, strict=True)]


def pack_offsets(offsets: np.ndarray) -> bytes:
    """Integers (n, 2) as bytes: a list of Python numbers would take ten times the memory."""
    return offsets.astype("<i4").tobytes()


def unpack_offsets(content: bytes) -> np.ndarray:
    """The offsets that `pack_offsets` packed, shape (n, 2)."""
    return np.frombuffer(content, dtype="<i4").reshape(-1, 2)


def legal_spans(start: np.ndarray, end: np.ndarray, row: dict, max_answer: int, k: int) -> list[Span]:
    """The `k` best legal spans of one window, an encoded row; start, end: logits, shape (T,)."""
    offsets = unpack_offsets(row["offsets"])  # (n, 2)
    inside = slice(row["first"], row["first"] + len(offsets))
    margins = start[inside, None] + end[None, inside] - (start[0] + end[0])  # (n, n)
    legal = np.triu(np.ones_like(margins, dtype=bool)) & np.tri(*margins.shape, max_answer - 1, dtype=bool)
    spans = []
    # Some of the best may turn out to be the same characters or blanks, so a few more are looked at.
    for i, j in _highest(np.where(legal, margins, -np.inf), 4 * k):
        begin, stop = whole_graphemes(row["context"], int(offsets[i, 0]), int(offsets[j, 1]))
        if begin < stop:
            spans.append(Span(begin, stop, row["context"][begin:stop], float(margins[i, j])))
    return spans


def _highest(scores: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Row and column of the `most` highest finite scores, the highest first."""
    flat = scores.ravel()
    most = min(most, flat.size)
    order = np.argpartition(-flat, most - 1)[:most] if most else np.empty(0, int)
    order = order[np.lexsort((order, -flat[order]))]
    return [divmod(int(index), scores.shape[1]) for index in order if np.isfinite(flat[index])]


def best_spans(spans: list[Span], k: int) -> list[Span]:
    """The `k` spans with the highest margins, each interval of characters once; at least one, `NOTHING`."""
    best: dict[tuple[int, int], Span] = {}
    for span in sorted(spans, key=lambda span: -span.margin):
        best.setdefault((span.start, span.end), span)
    return list(best.values())[:k] or [NOTHING]
