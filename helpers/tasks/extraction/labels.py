"""Which tokens of its windows an answer is."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from helpers.errors import InputError
from helpers.tasks.extraction.places import misplaced
from helpers.tasks.extraction.spans import unpack_offsets, whole_graphemes


def add_labels(windows: list[dict], answers: Sequence[dict], begin: int) -> None:
    """Give windows the texts that count as right, `answers`, and the tokens of the first of them, `start` and `end`.

    Both are 0 where the answer is not wholly in a window. A character without a token, such as an accent that the
    tokenizer drops, cuts nothing.

    Args:
        windows: of some rows, with their columns `first`, `offsets`, `example` and `context`.
        answers: the lists `text` and `answer_start` of each of these rows.
        begin: the number of the first of them, from 0.

    Raises InputError for an answer that does not stand where it should, or of which no token is left.
    """
    for example, group in groupby(windows, key=lambda window: window["example"]):
        rows, given = list(group), answers[example - begin]
        spans = [(0, 0)] * len(rows)
        if len(given["text"]):
            place = _characters(given["text"][0], given["answer_start"][0], rows[0]["context"], example + 1)
            spans = _spans(*place, rows)
        for row, (start, end) in zip(rows, spans, strict=True):
            row |= {"answers": list(given["text"]), "start": start, "end": end}


def _characters(text: str, start: int, context: str, row: int) -> tuple[int, int]:
    """The characters of an answer, checked and widened to whole graphemes."""
    if wrong := misplaced(text, context, start):
        raise InputError(f"answer '{text[:40]}' in row {row} {wrong}")
    return whole_graphemes(context, start, start + len(text))


def _spans(begin: int, stop: int, windows: list[dict]) -> list[tuple[int, int]]:
    """The first and the last token of the characters [begin, stop) in each window of a row, 0 and 0 where it is cut."""
    offsets = [unpack_offsets(window["offsets"]) for window in windows]
    tokens = np.concatenate(offsets)  # (N, 2), those of two windows twice
    tokens = tokens[(tokens[:, 0] < stop) & (tokens[:, 1] > begin)]  # all that touch the answer
    if not len(tokens):
        text, row = windows[0]["context"][begin:stop], windows[0]["example"] + 1
        raise InputError(
            f"answer '{text[:40]}' in row {row} has no token, because the model reads none of its characters; leave "
            "the row out, or take a model that does"
        )
    spans = []
    for window, own in zip(windows, offsets, strict=True):
        start = int(np.searchsorted(own[:, 1], begin, side="right"))
        end = int(np.searchsorted(own[:, 0], stop, side="left")) - 1
        whole = len(own) > 0 and own[0, 0] <= tokens[:, 0].min() and tokens[:, 1].max() <= own[-1, 1]
        spans.append((window["first"] + start, window["first"] + end) if whole and start <= end else (0, 0))
    return spans
