"""Anyone's labelled texts: CSV, TSV, JSONL or Parquet files to a `Corpus`, with one sentence for each error."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from datasets import Dataset

from helpers.data import files
from helpers.data.corpus import SPLITS, Corpus, text_corpus, text_rows
from helpers.data.splits import deduplicated, split
from helpers.errors import InputError


def corpus(
    data: str | Path,
    *,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Corpus:
    """Labelled texts from files, split if no files are given for validation and test.

    Args:
        data: the training rows, or all rows if they are to be split.
        text, label, group: names of columns; rows of one group stay in one split.
        validation, test: files with the same columns, both or neither.

    Raises InputError for a file that cannot be read, a missing column, an empty text or label, fewer than two labels,
    a label that training lacks, and a text or group that stands in two splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        unique, removed = deduplicated(rows)
        _check_two_labels(unique, data)
        rule = f"stratified by label, seed {seed}" + (f", by {group}" if group else "")
        return split(unique, seed=seed), removed, rule

    frames, about = files.in_splits(
        data, validation, test, read=partial(read, text=text, label=label, group=group), cut=cut, check=_check_splits
    )
    return text_corpus(frames, sorted(set(frames["train"]["label"])), unit="one row of the file", **about)


def read(path: str | Path, text: str = "text", label: str = "label", group: str | None = None) -> pd.DataFrame:
    """The rows of a file with string columns `text`, `label` and, if asked for, `group`."""
    rows = files.read(path)
    columns = {"text": text, "label": label} | ({"group": group} if group else {})
    return pd.DataFrame({name: files.texts(rows, column, path) for name, column in columns.items()})


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The rows of a file whose labels the task knows, as it takes them."""
    rows = read(path, **columns)
    check_labels(rows, task.labels, path)
    return text_rows(rows, task.labels)


def unlabelled(path: str | Path, text: str = "text") -> Dataset:
    """The texts of a column."""
    return Dataset.from_dict({"text": files.texts(files.read(path), text, path).tolist()})


def from_lines(lines: Sequence[str], text: str = "text") -> Dataset:
    """One text a line."""
    return Dataset.from_dict({"text": list(lines)})


def check_apart(frames: files.Frames, paths: files.Paths) -> None:
    """InputError if a text or a group stands in two files."""
    files.check_apart(frames, paths)


def check_labels(rows: pd.DataFrame, labels: Sequence[str], path: str | Path) -> None:
    """InputError, naming the first row, if a label is not one of `labels`."""
    unseen = ~rows["label"].isin(labels)
    if unseen.any():
        row = int(unseen.argmax())
        raise InputError(
            f"label '{rows['label'].iloc[row]}' in row {row + 1} of '{path}' is not one of {', '.join(labels)}, "
            "which training has; fix the row or add training rows with this label"
        )


def _check_splits(frames: files.Frames, paths: files.Paths) -> None:
    _check_two_labels(frames["train"], paths["train"])
    for name in SPLITS[1:]:
        check_labels(frames[name], sorted(set(frames["train"]["label"])), paths[name])
    check_apart(frames, paths)


def _check_two_labels(rows: pd.DataFrame, path: str | Path) -> None:
    if rows["label"].nunique() < 2:
        only = f"only the label '{rows['label'].iloc[0]}'" if len(rows) else "no label"
        raise InputError(f"'{path}' holds {only}; classification needs at least two")
