"""Questions with answers in a context: corpora, and anyone's own files."""

import hashlib
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict, Features, List, Value

from helpers.corpora import tables
from helpers.corpora.base import SPLITS, Corpus, DataCard, quantiles
from helpers.corpora.splits import normalised, split_groups
from helpers.errors import InputError

_FEATURES = {
    "question": Value("string"),
    "context": Value("string"),
    "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    "group": Value("string"),
    "source": Value("string"),
}


def build(frames: dict[str, pd.DataFrame], **about) -> Corpus:
    """A corpus from one frame a split, with columns as in SQuAD and, where there is one, `group` and `source`.

    `about` holds the fields of the card that the rows do not tell: name, source, licence, unit, split_rule, removed.
    The card counts as labels how many questions have an answer, in each source if there are several.
    """
    data = DatasetDict({name: dataset(frame) for name, frame in frames.items()})
    rows = pd.concat(frames.values())
    words = {column: quantiles(rows[column]) for column in ("question", "context")}
    texts = [*rows["question"], *rows["context"], *("\1".join(given["text"]) for given in rows["answers"])]
    sha256 = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    labels = {name: dict(Counter(_kinds(frame)).most_common()) for name, frame in frames.items()}
    sizes = {name: len(frame) for name, frame in frames.items()}
    return Corpus(data, DataCard(rows=sizes, labels=labels, words=words, sha256=sha256, **about))


def _kinds(frame: pd.DataFrame) -> list[str]:
    kinds = ["answer" if len(given["text"]) else "no answer" for given in frame["answers"]]
    if "source" not in frame:
        return kinds
    return [f"{source}, {kind}" for source, kind in zip(frame["source"], kinds, strict=True)]


def dataset(frame: pd.DataFrame) -> Dataset:
    """The rows of a frame that `labelled` or a corpus has made."""
    columns = {name: frame[name].tolist() for name in _FEATURES if name in frame}
    return Dataset.from_dict(columns, features=Features({name: _FEATURES[name] for name in columns}))


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

    Raises InputError as `labelled` does, for a validation file without a test file or the other way round, for fewer
    than three contexts to split, and for a context that stands in two splits.
    """
    tables.check_pair(validation, test)
    names = {"question": question, "context": context, "answer": answer}
    about = {"name": Path(data).name, "source": str(data), "licence": "the owner's", "unit": "one row of the file"}
    rows = labelled(data, **names)
    rows = grouped(rows)
    if validation is None:
        contexts = rows["group"].nunique()
        if contexts < 3:
            raise InputError(f"'{data}' holds {contexts} different contexts; a split into three needs at least three")
        repeated = normalised(rows["question"]).add("\n").add(rows["group"]).duplicated()
        frames = split_groups(rows[~repeated], seed=seed)
        about |= {"split_rule": f"by context, seed {seed}", "removed": {"duplicate": int(repeated.sum())}}
        return build(frames, **about)
    paths = dict(zip(SPLITS, (data, validation, test), strict=True))
    frames = {"train": rows} | {name: labelled(paths[name], **names) for name in SPLITS[1:]}
    tables.check_apart({name: frame[["context"]] for name, frame in frames.items()}, paths, "context")
    return build({name: grouped(frame) for name, frame in frames.items()}, split_rule="as given", **about)


def grouped(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the number of their context as `group`, which means nothing beyond these rows."""
    return rows.assign(group=pd.factorize(normalised(rows["context"]))[0].astype(str))


def labelled(path: str | Path, question: str, context: str, answer: str) -> pd.DataFrame:
    """The rows of a file with `question`, `context` and `answers`.

    An answer is a text that stands in the context, an empty one for none, or what SQuAD has: lists `text` and
    `answer_start`. Of a text that stands in several places the first is taken.

    Raises InputError, naming the row, for a missing column, an empty question or context, and an answer that does not
    stand in its context.
    """
    rows = unlabelled(path, question, context)
    read = tables.read(path)
    if answer not in read:
        raise InputError(f"'{path}' has no column '{answer}'; it has {', '.join(map(str, read.columns))}")
    given = zip(read[answer], rows["context"], strict=True)
    rows["answers"] = [_answers(value, text, row, path) for row, (value, text) in enumerate(given, start=1)]
    return rows


def unlabelled(path: str | Path, question: str, context: str) -> pd.DataFrame:
    """The columns `question` and `context` of a file; InputError if one is missing or a value is empty."""
    rows = tables.read(path)
    columns = {"question": question, "context": context}
    return pd.DataFrame({name: tables.texts(rows, column, path) for name, column in columns.items()})


def _answers(value, context: str, row: int, path: str | Path) -> dict:
    """The lists of SQuAD from whatever stands in a cell."""
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
        starts = [context.find(text) for text in texts]
    for text, start in zip(texts, [*starts, *[-1] * (len(texts) - len(starts))], strict=False):
        if start < 0 or context[start : start + len(text)] != text:
            raise InputError(
                f"the answer '{text[:40]}' in row {row} of '{path}' does not stand in its context; copy it letter by "
                "letter from there, or leave it empty for a question without an answer"
            )
    return {"text": texts, "answer_start": starts}
