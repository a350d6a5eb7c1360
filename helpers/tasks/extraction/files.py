"""Questions with answers in a context: anyone's files to a `Corpus`."""

import json
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.data import files, shapes
from helpers.data.corpus import Corpus, question_corpus, question_rows
from helpers.data.formats import Number
from helpers.data.splits import normalised, split_groups
from helpers.errors import InputError
from helpers.tasks.extraction import places

SHAPES = ("squad",)


def corpus(
    data: str | Path,
    *,
    question: str = "question",
    context: str = "context",
    answer: str = "answers",
    format: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Corpus:
    """Questions from files, split by context if no files are given for validation and test.

    Raises InputError as `read` does, for a validation file without a test file or the other way round, for fewer
    than three contexts to split, and for a context that stands in two splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        rows = grouped(rows)
        contexts = rows["group"].nunique()
        if contexts < 3:
            raise InputError(f"'{data}' holds {contexts} different contexts; a split into three needs at least three")
        repeated = normalised(rows["question"]).add("\n").add(rows["group"]).duplicated()
        frames = split_groups(rows[~repeated], seed=seed)
        return frames, {"duplicate": int(repeated.sum())}, f"by context, seed {seed}"

    names = {"question": question, "context": context, "answer": answer, "format": format}
    frames, about = files.in_splits(data, validation, test, read=partial(read, **names), cut=cut, check=check_apart)
    frames = {name: frame if "group" in frame else grouped(frame) for name, frame in frames.items()}
    return question_corpus(frames, unit="one row of the file", **about)


def grouped(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the number of their context as `group`, which means nothing beyond these rows."""
    return rows.assign(group=pd.factorize(normalised(rows["context"]))[0].astype(str))


def read(
    path: str | Path,
    question: str = "question",
    context: str = "context",
    answer: str = "answers",
    format: str | None = None,
) -> pd.DataFrame:
    """The rows of a file with `question`, `context` and `answers`, and their number `row`.

    An answer is a text that stands in the context, an empty one for none, or what SQuAD has: lists `text` and
    `answer_start`, or a list of objects with one of each. Of a text that stands in several places the first is taken,
    words of their own before parts of other words; a warning counts the rows where there was a choice.

    Raises InputError, naming the row, for a missing column, an empty question or context, and an answer that does not
    stand in its context.
    """
    table = files.read(path, format, SHAPES)
    rows = _texts(table, question, context, path)
    values = [_opened(value) for value in files.column(table, answer, path)]
    triples = zip(rows.index, values, rows["context"], strict=True)
    rows["answers"] = [_answers(value, text, row, path) for row, value, text in triples]
    if not any(len(answers["text"]) for answers in rows["answers"]):
        raise InputError(f"no row of '{path}' has an answer, so that nothing can be learnt or scored; fill '{answer}'")
    given = zip(values, rows["answers"], strict=True)
    chosen = [[] if isinstance(value, dict) else answers["text"] for value, answers in given]
    if note := places.choice_note(chosen, rows["context"]):
        warnings.warn(f"'{path}': {note}", stacklevel=2)
    rows.attrs["format"] = table.attrs["format"]
    return rows.assign(row=rows.index)


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The questions of a file with contexts and answers, as the task takes them; those on one context are one group."""
    return question_rows(grouped(read(path, **columns)))


def unlabelled(
    rows: pd.DataFrame,
    path: str | Path,
    question: str = "question",
    context: str = "context",
    format: str | None = None,
) -> Dataset:
    """The questions and contexts of a table, as `helpers.data.streams` reads it piece by piece from `path`."""
    return question_rows(_texts(shapes.as_columns(rows, path, SHAPES, format), question, context, path))


def check_apart(frames: files.Frames, paths: files.Paths) -> None:
    """InputError if a context stands in two files."""
    files.check_apart({name: frame[["context"]] for name, frame in frames.items()}, paths, "context")


def _texts(rows: pd.DataFrame, question: str, context: str, path: str | Path) -> pd.DataFrame:
    columns = {"question": question, "context": context}
    return pd.DataFrame({name: files.texts(rows, column, path) for name, column in columns.items()})


def _answers(value, context: str, row: int, path: str | Path) -> dict:
    """The lists `text` and `answer_start` of SQuAD from a cell that `_opened` has opened.

    A cell is a text, a list of texts, an object with both lists, or a list of objects with one text and place each.
    """
    if isinstance(value, dict):
        texts, starts = _both(value, row, path)
    else:
        items = shapes.items(value) if not isinstance(value, str) else None
        texts = [str(text) for text in items if str(text).strip()] if items is not None else []
        if items is None and not pd.isna(value) and str(value).strip():
            texts = [files.spelled(value)]
        starts = [places.place(text, context) for text in texts]
    for text, start in zip(texts, starts, strict=True):
        if wrong := places.misplaced(text, context, start):
            raise InputError(f"the answer '{text[:40]}' in row {row} of '{path}' {wrong}")
    return {"text": texts, "answer_start": starts}


def _opened(value):
    """What a cell spells as JSON, and a list of answers as the lists of SQuAD; any other value as it is."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[{")):
        with suppress(ValueError):
            value = json.loads(value)
    items = shapes.items(value) if not isinstance(value, str) else None
    if items and all(isinstance(item, dict) for item in items):
        return {key: [item.get(key) for item in items] for key in ("text", "answer_start")}
    return value


def _both(value: dict, row: int, path: str | Path) -> tuple[list[str], list[int]]:
    texts, starts = (shapes.items(value.get(key, [])) for key in ("text", "answer_start"))
    try:
        whole = [start if isinstance(start, (int, np.integer)) else int(_number(start)) for start in starts]
        if len(texts) == len(whole) and all(isinstance(text, str) for text in texts):
            return [str(text) for text in texts], whole
    except (TypeError, ValueError):
        pass
    raise InputError(
        f"the answers in row {row} of '{path}' are {str(value)[:60]}; write as many texts as whole numbers, "
        '{"text": ["Anna"], "answer_start": [0]}'
    )


def _number(value) -> str:
    if not isinstance(value, Number):
        raise ValueError(f"{value} is no number")
    return value
