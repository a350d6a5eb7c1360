"""Anyone's texts with several labels each: CSV, TSV, JSONL or Parquet files to a `Corpus`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, Features, List, Value

from helpers.data import files
from helpers.data.corpus import SPLITS, Corpus, build, count_labels
from helpers.data.formats import Number
from helpers.data.labels import check_known, check_spelling, tell_contradictory
from helpers.data.splits import deduplicated, split_groups
from helpers.errors import InputError

unlabelled = files.unlabelled
_BETWEEN = "\x1f"  # joins the labels of a row to one text, by which rows are compared


def corpus(
    data: str | Path,
    *,
    text: str = "text",
    labels: str = "labels",
    separator: str = "|",
    group: str | None = None,
    format: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Corpus:
    """Texts with several labels from files, split at random, by group where there is one, if no split is given.

    Args:
        data: the training rows, or all rows if they are to be split.
        text, labels, group: names of columns; rows of one group stay in one split.
        separator: what stands between the labels of a cell that is no list.
        format: how rows are held, as `files.read` takes it; None finds out.
        validation, test: files with the same columns, both or neither.

    Raises InputError for a file that cannot be read, a missing column, an empty text, rows without any label, a label
    that training lacks, and a text or group that stands in two splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        unique, removed = deduplicated(rows)
        tell_contradictory(rows.assign(label=rows["label"].str.replace(_BETWEEN, ", ")), data)
        own = unique if group else unique.assign(group=[str(row) for row in range(len(unique))])
        frames = split_groups(own, seed=seed)
        frames = frames if group else {name: frame.drop(columns="group") for name, frame in frames.items()}
        _check_known(frames, dict.fromkeys(SPLITS, data))
        return frames, removed, f"at random, seed {seed}" + (f", by {group}" if group else "")

    columns = {"text": text, "labels": labels, "separator": separator, "group": group, "format": format}
    frames, about = files.in_splits(data, validation, test, read=partial(read, **columns), cut=cut, check=_check_splits)
    names = _names(frames["train"], data)
    rows = {name: _rows(frame, names) for name, frame in frames.items()}
    counts = {name: count_labels(part) for name, part in rows.items()}
    texts = {column: [value for frame in frames.values() for value in frame[column]] for column in ("text", "label")}
    measured, hashed = {"text": texts["text"]}, {"label": texts["label"]}
    return build(rows, measured, hashed, labels=counts, unit="one row of the file", **about)


def read(
    path: str | Path,
    text: str = "text",
    labels: str = "labels",
    separator: str = "|",
    group: str | None = None,
    format: str | None = None,
) -> pd.DataFrame:
    """The rows of a file: text and group as strings, `labels` as lists, `label`, all of a row's labels as one,
    and their number `row`.

    Raises InputError if labels differ in spelling alone.
    """
    rows = files.read(path, format)
    cells = files.column(rows, labels, path)
    columns = {"text": text} | ({"group": group} if group else {})
    frame = pd.DataFrame({name: files.texts(rows, column, path) for name, column in columns.items()})
    frame["labels"] = [_cell(value, separator, row, path) for row, value in cells.items()]
    check_spelling((label for own in frame["labels"] for label in own), path)
    frame["label"] = frame["labels"].str.join(_BETWEEN)
    return frame.assign(row=frame.index)


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The rows of a file whose labels the task knows, as it takes them."""
    rows = read(path, **columns)
    check_known(rows["labels"], task.labels, path)
    return _rows(rows, task.labels)


def check_apart(frames: files.Frames, paths: files.Paths) -> None:
    """InputError if a text or a group stands in two files."""
    files.check_apart(frames, paths)


def _cell(value, separator: str, row: int, path: str | Path) -> list[str]:
    """The different labels of a cell, sorted; none where it is empty."""
    if isinstance(value, (list, tuple, np.ndarray)):
        names = [label for label in value if isinstance(label, str) and not isinstance(label, Number) and label.strip()]
        if len(names) < len(value):
            shown = f"[{', '.join(map(str, value))}]"[:60]
            raise InputError(f"labels in row {row} of '{path}' are {shown}; write a list of names")
        return sorted({label.strip() for label in value})
    if isinstance(value, dict):
        raise InputError(f"labels in row {row} of '{path}' are an object; write a list of names")
    names = [] if pd.isna(value) else [name.strip() for name in files.spelled(value).split(separator)]
    return sorted({name for name in names if name})


def _names(rows: pd.DataFrame, path: str | Path) -> list[str]:
    names = sorted({label for own in rows["labels"] for label in own})
    if not names:
        raise InputError(f"no row of '{path}' has a label; multi-label classification needs at least one")
    return names


def _check_known(frames: files.Frames, paths: files.Paths) -> None:
    names = _names(frames["train"], paths["train"])
    for name in SPLITS[1:]:
        unseen = sorted({label for own in frames[name]["labels"] for label in own} - set(names))
        if unseen:
            raise InputError(
                f"label '{unseen[0]}' is so rare in '{paths[name]}' that no training row has it after the split; add "
                "rows with it, drop the label, or give the splits as files"
            )


def _check_splits(frames: files.Frames, paths: files.Paths) -> None:
    names = _names(frames["train"], paths["train"])
    for name in SPLITS[1:]:
        check_known(frames[name]["labels"], names, paths[name])
    check_apart(frames, paths)


def _rows(frame: pd.DataFrame, labels: Sequence[str]) -> Dataset:
    """The rows of a frame with their number, the ids of their labels, and their group where there is one."""
    ids = {label: index for index, label in enumerate(labels)}
    columns = {"text": frame["text"].tolist(), "labels": [[ids[label] for label in own] for own in frame["labels"]]}
    columns["row"] = frame["row"].tolist()
    features = {"text": Value("string"), "labels": List(ClassLabel(names=list(labels))), "row": Value("int64")}
    if "group" in frame:
        columns["group"], features["group"] = frame["group"].tolist(), Value("string")
    return Dataset.from_dict(columns, features=Features(features))
