"""Questions with answers in a context: anyone's files to a `Corpus`."""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.data import files
from helpers.data.corpus import Corpus, question_corpus, question_rows
from helpers.data.splits import normalised, split_groups
from helpers.errors import InputError
from helpers.text import half_character, whole_word_spans


def corpus(
    data: str | Path,
    *,
    question: str = "question",
    context: str = "context",
    answer: str = "answers",
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

    names = {"question": question, "context": context, "answer": answer}
    frames, about = files.in_splits(data, validation, test, read=partial(read, **names), cut=cut, check=check_apart)
    frames = {name: frame if "group" in frame else grouped(frame) for name, frame in frames.items()}
    return question_corpus(frames, unit="one row of the file", **about)


def grouped(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the number of their context as `group`, which means nothing beyond these rows."""
    return rows.assign(group=pd.factorize(normalised(rows["context"]))[0].astype(str))


def read(
    path: str | Path, question: str = "question", context: str = "context", answer: str = "answers"
) -> pd.DataFrame:
    """The rows of a file with `question`, `context` and `answers`.

    An answer is a text that stands in the context, an empty one for none, or what SQuAD has: lists `text` and
    `answer_start`. Of a text that stands in several places the first is
    taken, words of their own before parts of other words.

    Raises InputError, naming the row, for a missing column, an empty question or context, and an answer that does not
    stand in its context.
    """
    rows = _texts(path, question, context)
    table = files.read(path)
    if answer not in table:
        raise InputError(f"'{path}' has no column '{answer}'; it has {', '.join(map(str, table.columns))}")
    values = zip(table[answer], rows["context"], strict=True)
    rows["answers"] = [_answers(value, text, row, path) for row, (value, text) in enumerate(values, start=1)]
    return rows


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The questions of a file with contexts and answers, as the task takes them; those on one context are one group."""
    return question_rows(grouped(read(path, **columns)))


def unlabelled(path: str | Path, question: str = "question", context: str = "context") -> Dataset:
    """The columns `question` and `context` of a file; InputError if one is missing or a value is empty."""
    return question_rows(_texts(path, question, context))


def from_lines(lines: Sequence[str], question: str = "question", context: str = "context") -> Dataset:
    """A JSON object a line with both fields."""
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            rows.append({"question": fields[question], "context": fields[context]})
            if not all(isinstance(text, str) for text in rows[-1].values()):
                raise TypeError("a text is no string")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"line {number} of standard input is no JSON object with {question} and {context}; "
                'write {"question": "...", "context": "..."} on each line, or give --data'
            ) from error
        if any(map(half_character, rows[-1].values())):
            raise InputError(
                f"line {number} of standard input holds half a character (a lone surrogate); write whole ones"
            )
    return Dataset.from_list(rows)


def check_apart(frames: files.Frames, paths: files.Paths) -> None:
    """InputError if a context stands in two files."""
    files.check_apart({name: frame[["context"]] for name, frame in frames.items()}, paths, "context")


def _texts(path: str | Path, question: str, context: str) -> pd.DataFrame:
    rows = files.read(path)
    columns = {"question": question, "context": context}
    return pd.DataFrame({name: files.texts(rows, column, path) for name, column in columns.items()})


def _answers(value, context: str, row: int, path: str | Path) -> dict:
    """The lists `text` and `answer_start` of SQuAD from a cell: a text, a list of texts, or an object with both."""
    if isinstance(value, str) and value.lstrip().startswith("{"):  # a cell of a CSV file that was written from SQuAD
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, dict):
        texts, starts = value.get("text", []), value.get("answer_start", [])
        lists = all(isinstance(part, (list, tuple, np.ndarray)) for part in (texts, starts))
        whole = lists and all(isinstance(start, (int, np.integer)) for start in starts)
        whole = whole and all(isinstance(text, str) for text in texts)
        if not whole or len(texts) != len(starts):
            raise InputError(
                f"the answers in row {row} of '{path}' are {str(value)[:60]}; write as many texts as whole numbers, "
                '{"text": ["Anna"], "answer_start": [0]}'
            )
        texts, starts = list(texts), list(starts)
    else:
        listed = isinstance(value, (list, tuple, np.ndarray))
        texts = [str(text) for text in value if str(text).strip()] if listed else []
        if not listed and not pd.isna(value) and str(value).strip():
            texts = [str(value)]
        # The first place where no letter or digit stands beside it: 10 is no answer inside of 2010.
        starts = [next((start for start, _ in whole_word_spans(text, context)), context.find(text)) for text in texts]
    for text, start in zip(texts, [*starts, *[-1] * (len(texts) - len(starts))], strict=False):
        if start < 0 or context[start : start + len(text)] != text:
            raise InputError(
                f"the answer '{text[:40]}' in row {row} of '{path}' does not stand in its context; copy it letter by "
                "letter from there, or leave it empty for a question without an answer"
            )
    return {"text": texts, "answer_start": starts}
