"""Anyone's labelled texts: CSV, TSV, JSONL or Parquet files to a `Corpus`, with one sentence for each error."""

from functools import partial
from pathlib import Path

import pandas as pd
from datasets import Dataset

from helpers.data import files
from helpers.data.corpus import SPLITS, Corpus, text_corpus, text_rows
from helpers.data.labels import check_known, check_single, check_spelling, tell_contradictory, without_rare
from helpers.data.splits import deduplicated, split
from helpers.errors import InputError

unlabelled = files.unlabelled


def corpus(
    data: str | Path,
    *,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
    format: str | None = None,
    min_rows: int | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Corpus:
    """Labelled texts from files, split if no files are given for validation and test.

    Args:
        data: the training rows, or all rows if they are to be split.
        text, label, group: names of columns; rows of one group stay in one split.
        format: how rows are held, as `files.read` takes it; None finds out.
        min_rows: labels with fewer rows than this, duplicates removed, are left out before the split.
        validation, test: files with the same columns, both or neither.

    Raises InputError for a file that cannot be read, a missing column, an empty text or label, near-equal labels or
    several in a cell, fewer than two labels, a label with fewer than three rows if `min_rows` says nothing, a label
    that training lacks, and a text or group that stands in two splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        unique, removed = deduplicated(rows)
        tell_contradictory(rows, data)
        if not len(unique):
            raise InputError(
                f"'{data}' holds each text with different labels, so that no row is left; correct the labels, or name "
                "the right columns"
            )
        unique, rare = without_rare(unique, data, min_rows)
        removed |= rare
        _check_two_labels(unique, data)
        rule = f"stratified by label, seed {seed}" + (f", by {group}" if group else "")
        return split(unique, seed=seed), removed, rule

    frames, about = files.in_splits(
        data,
        validation,
        test,
        read=partial(read, text=text, label=label, group=group, format=format),
        cut=cut,
        check=_check_splits,
    )
    return text_corpus(frames, sorted(set(frames["train"]["label"])), unit="one row of the file", **about)


def read(
    path: str | Path, text: str = "text", label: str = "label", group: str | None = None, format: str | None = None
) -> pd.DataFrame:
    """The rows of a file with string columns `text`, `label` and, if asked for, `group`, and their number `row`.

    Raises InputError if labels differ in spelling alone, or seem to be several in a cell.
    """
    rows = files.read(path, format)
    columns = {"text": text, "label": label} | ({"group": group} if group else {})
    frame = pd.DataFrame({name: files.texts(rows, column, path) for name, column in columns.items()})
    check_spelling(frame["label"], path)
    check_single(frame["label"], path)
    return frame.assign(row=frame.index)


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The rows of a file whose labels the task knows, as it takes them."""
    rows = read(path, **columns)
    check_known(rows["label"].map(lambda label: [label]), task.labels, path)
    return text_rows(rows, task.labels)


def check_apart(frames: files.Frames, paths: files.Paths) -> None:
    """InputError if a text or a group stands in two files."""
    files.check_apart(frames, paths)


def _check_splits(frames: files.Frames, paths: files.Paths) -> None:
    _check_two_labels(frames["train"], paths["train"])
    names = sorted(set(frames["train"]["label"]))
    for name in SPLITS[1:]:
        check_known(frames[name]["label"].map(lambda label: [label]), names, paths[name])
    check_apart(frames, paths)


def _check_two_labels(rows: pd.DataFrame, path: str | Path) -> None:
    if rows["label"].nunique() < 2:
        only = f"only the label '{rows['label'].iloc[0]}'" if len(rows) else "no label"
        raise InputError(f"'{path}' holds {only}; classification needs at least two")
