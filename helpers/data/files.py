"""Tables of rows from CSV, TSV, JSONL or Parquet files, with one sentence for each error in them."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.data.corpus import SPLITS
from helpers.data.splits import normalised
from helpers.errors import InputError
from helpers.text import half_character

Frames = Mapping[str, pd.DataFrame]  # by split
Paths = Mapping[str, str | Path]
SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".parquet")
_TABBED = (".tsv", ".tab")


def in_splits(
    data: Path | str,
    validation: Path | str | None,
    test: Path | str | None,
    *,
    read: Callable[[Path | str], pd.DataFrame],
    cut: Callable[[pd.DataFrame], tuple[Frames, dict[str, int], str]],
    check: Callable[[Frames, Paths], None],
) -> tuple[Frames, dict]:
    """Rows of files in three splits, and the fields of the card that say how they were split.

    Args:
        data: the training rows, or all rows if they are to be split.
        validation, test: files of the same kind, both or neither.
        read: the function from a path to its rows.
        cut: cleans rows and splits them; returns the splits, what was removed by reason, and the rule in words.
        check: raises InputError for given splits that do not fit each other.
    """
    check_pair(validation, test)
    about = {"name": Path(data).name, "source": str(data), "licence": "the owner's"}
    rows = read(data)
    if validation is None:
        frames, removed, rule = cut(rows)
        return frames, about | {"removed": removed, "split_rule": rule}
    paths = dict(zip(SPLITS, (data, validation, test), strict=True))
    frames = {"train": rows} | {name: read(paths[name]) for name in SPLITS[1:]}
    check(frames, paths)
    return frames, about | {"split_rule": "as given"}


def standard_lines(content: bytes) -> list[str]:
    """The lines of standard input that hold more than blanks; InputError if there are none, or if it is not UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8 (byte {error.start}); convert it to UTF-8") from error
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise InputError("standard input holds no text; write one text a line, or give --data")
    return lines


def read(path: str | Path) -> pd.DataFrame:
    """The rows of a file as they stand there, one column per field; the suffix determines the format.

    Raises InputError if the file is missing, empty, not UTF-8, or not of that format.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"'{path}' ends in '{path.suffix}'; give a file that ends in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; check the path")
    try:
        rows = _parse(path)
    except InputError:  # is a ValueError, and says what is wrong already
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from error
    except pd.errors.EmptyDataError:
        rows = pd.DataFrame()
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"'{path}' is not a good {path.suffix} file ({reason}); repair it") from error
    if rows.empty:
        raise InputError(f"'{path}' holds no rows; give a file with at least one")
    return rows


def text_of(path: str | Path) -> str:
    """The content of a text file with line ends as newlines; InputError if it is missing or not UTF-8."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; check the path")
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from error


def texts(rows: pd.DataFrame, column: str, path: str | Path) -> pd.Series:
    """One column as texts; InputError if it is missing, or if a value is empty or holds several."""
    if column not in rows:
        raise InputError(f"'{path}' has no column '{column}'; it has {', '.join(map(str, rows.columns))}")
    values = rows[column]
    nested = values.map(lambda value: isinstance(value, (list, dict, np.ndarray)))
    if nested.any():
        raise InputError(
            f"{column} in row {int(nested.argmax()) + 1} of '{path}' is a list or an object; give one text or number"
        )
    empty = values.isna() | (values.astype(str).str.strip() == "")
    if empty.any():
        others = int(empty.sum()) - 1
        more = (
            f", and in {others:,} more rows; fill them or delete the rows" if others else "; fill it or delete the row"
        )
        raise InputError(f"{column} in row {int(empty.argmax()) + 1} of '{path}' is empty{more}")
    return values.astype(str)


def check_pair(validation: str | Path | None, test: str | Path | None) -> None:
    """InputError if only one of the two files is given."""
    if (validation is None) != (test is None):
        present, missing = ("test", "validation") if validation is None else ("validation", "test")
        raise InputError(f"a {present} file is given but no {missing} file; give both, or neither to have data split")


def _parse(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return pd.read_parquet(path).reset_index(drop=True)  # a shuffled frame keeps its old numbers in the file
    if suffix == ".jsonl":
        return pd.DataFrame(_json_rows(path))
    # Every field stays text, so that a label 007 or NA is not taken for a number or a gap.
    separator = "\t" if suffix in _TABBED else _separator(path)
    rows = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if not isinstance(rows.index, pd.RangeIndex):  # pandas takes fields that have no column for the rows' names
        raise ValueError(f"its rows have more fields than the {rows.shape[1]} columns of the header")
    if suffix in _TABBED and len(rows):
        _check_quotes(rows, path)
    elif _holds_line_ends(rows) and not _quoted_well(path, separator):
        raise ValueError("a quotation mark opens a field and none closes it, which swallows rows; close its quotes")
    return rows


def _check_quotes(rows: pd.DataFrame, path: Path) -> None:
    """ValueError if a lone quotation mark seems to swallow the rows that follow.

    A field may run over tabs, or over line ends, if the quotes of the whole file are in order. One that runs over both
    looks like rows.
    """
    tab = rows.apply(lambda column: column.str.contains("\t", regex=False))
    line = rows.apply(lambda column: column.str.contains("\n", regex=False))
    doubtful = tab | line
    if doubtful.any(axis=None) and _quoted_well(path, "\t"):
        doubtful = tab & line
    for name, torn in doubtful.items():
        if torn.any():
            raise ValueError(f"{name} in row {int(torn.argmax()) + 1} runs over a tab or line end; close its quotes")


def _holds_line_ends(rows: pd.DataFrame) -> bool:
    """Whether a field runs over a line end, as a quoted one may, and one that swallows rows does."""
    return any(rows.iloc[:, place].str.contains("\n", regex=False).any() for place in range(rows.shape[1]))


def _quoted_well(path: Path, separator: str) -> bool:
    """Whether each quotation mark that opens a field of a file has one that closes it (RFC 4180)."""
    text = text_of(path)
    before = csv.field_size_limit(len(text) + 1)
    try:
        return sum(1 for _ in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)) > 0
    except csv.Error:
        return False
    finally:
        csv.field_size_limit(before)


def _separator(path: Path) -> str:
    """The comma, or what parts the columns where the header holds none: many spreadsheets write semicolons."""
    with path.open(encoding="utf-8-sig") as stream:
        header = stream.readline()
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _json_rows(path: Path) -> list[dict]:
    rows = []
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"line {number} of '{path}' is not JSON ({error}); repair the line") from error
            if not isinstance(row, dict):
                raise InputError(f"line {number} of '{path}' is not a JSON object; write one object a line")
            if half_character(json.dumps(row, ensure_ascii=False)):
                raise InputError(
                    f"line {number} of '{path}' holds half a character (a lone surrogate); write whole ones"
                )
            rows.append(row)
    return rows


def check_apart(frames: Frames, paths: Paths, column: str = "text") -> None:
    """InputError if a text of a column, or a group, stands in two splits: a score would say nothing about new rows."""
    keys = {name: normalised(frame[column]) for name, frame in frames.items()}
    for later, earlier in pairs_of(frames):
        shared = keys[later].isin(set(keys[earlier]))
        if shared.any():
            row = int(shared.argmax())
            raise InputError(
                f"{column}s of '{paths[later]}' stand in '{paths[earlier]}' too ({shared.sum()} of them), "
                f"the first in row {row + 1} ('{frames[later][column].iloc[row][:40]}'); remove them from one file"
            )
    check_groups_apart(frames, paths)


def check_groups_apart(frames: Frames, paths: Paths) -> None:
    """InputError if rows of one group, where frames have that column, stand in two splits."""
    for later, earlier in pairs_of(frames):
        if "group" not in frames[later] or "group" not in frames[earlier]:
            continue
        held, shared = set(frames[earlier]["group"]), frames[later]["group"]
        shared = shared[shared.isin(held)].unique()
        if len(shared):
            raise InputError(
                f"groups of '{paths[later]}' stand in '{paths[earlier]}' too ({len(shared)} of them, for example "
                f"'{shared[0][:40]}'); move all rows of a group into one file"
            )


def pairs_of(frames: Frames) -> list[tuple[str, str]]:
    """The pairs of the existing splits by name, the later one first."""
    return [(later, earlier) for earlier, later in combinations([name for name in SPLITS if name in frames], 2)]
