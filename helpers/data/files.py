"""Tables of rows from CSV, TSV, JSONL or Parquet files, with one sentence for each error in them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.data import formats, shapes
from helpers.data.corpus import SPLITS
from helpers.data.splits import normalised
from helpers.errors import ColumnError, InputError
from helpers.text import check_name

Frames = Mapping[str, pd.DataFrame]  # by split
Paths = Mapping[str, str | Path]


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
    for path in filter(None, (data, validation, test)):
        check_name(path)  # the card of the data tells it
    rows = read(data)
    shape = rows.attrs.get("format", shapes.PLAIN)
    source = str(data) if shape == shapes.PLAIN else f"{data}, read as {shape}"
    about = {"name": Path(data).name, "source": source, "licence": "the owner's"}
    if validation is None:
        frames, removed, rule = cut(rows)
        return frames, about | {"removed": removed, "split_rule": rule}
    paths = dict(zip(SPLITS, (data, validation, test), strict=True))
    frames = {"train": rows} | {name: read(paths[name]) for name in SPLITS[1:]}
    check(frames, paths)
    return frames, about | {"split_rule": "as given"}


def read(path: str | Path, format: str | None = None, others: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a file as they stand there, one column per field; the suffix determines how it is parsed.

    The index holds the numbers that the rows have in the file, from 1. Values are texts as the file spells them, or
    lists and objects of such texts. `attrs["format"]` names the shape that was found.

    Args:
        format: a shape of `shapes.NAMES`; None finds out which of `others` it is, if any.
        others: shapes that become the columns of the task at hand.

    Raises InputError if the file is missing, empty, not UTF-8, or not of that format.
    """
    path = Path(path)
    if formats.suffix(path) not in formats.SUFFIXES:
        endings = ", ".join(formats.SUFFIXES)
        raise InputError(
            f"'{path}' ends in '{path.suffix}'; give a file that ends in {endings}, or one of them and .gz"
        )
    try:
        rows = formats.parse(path)
    except InputError:  # is a ValueError, and says what is wrong already
        raise
    except pd.errors.EmptyDataError:
        rows = pd.DataFrame()
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"'{path}' is not a good {formats.suffix(path)} file ({reason}); repair it") from error
    if rows.empty:
        raise InputError(f"'{path}' holds no rows; give a file with at least one")
    return shapes.as_columns(rows, path, others, format)


def unlabelled(rows: pd.DataFrame, path: str | Path, text: str = "text", format: str | None = None) -> Dataset:
    """The texts of a column of a table, as `helpers.data.streams` reads it piece by piece from `path`."""
    return Dataset.from_dict({"text": texts(shapes.as_columns(rows, path, (), format), text, path).tolist()})


def text_of(path: str | Path) -> str:
    """The content of a text file with line ends as newlines; InputError if it is missing or not UTF-8."""
    return formats.decoded(path).replace("\r\n", "\n").replace("\r", "\n")


def column(rows: pd.DataFrame, name: str, path: str | Path) -> pd.Series:
    """One column, or the value at the end of a dotted path: `input.1.content` goes into lists and objects.

    Raises InputError if the file has no such column, or a row has nothing there.
    """
    if name in rows:
        return rows[name]
    first, _, rest = name.partition(".")
    if not rest or first not in rows:
        raise ColumnError(f"'{path}' has no column '{name}'; it has {', '.join(map(str, rows.columns))}")
    return pd.Series([_inside(cell, rest, row, name, path) for row, cell in rows[first].items()], rows.index, object)


def _inside(value, steps: str, row: int, name: str, path: str | Path):
    for step in steps.split("."):
        try:
            value = value[step] if isinstance(value, dict) else value[int(step)]
        except (KeyError, IndexError, TypeError, ValueError):
            raise InputError(f"row {row} of '{path}' has nothing at '{name}'; give a path that all rows have") from None
    return value


def spelled(value) -> str:
    """A value of a file as text, true and false as JSON spells them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(rows: pd.DataFrame, name: str, path: str | Path) -> pd.Series:
    """One column as texts; InputError if it is missing, or if a value is empty or holds several."""
    values = column(rows, name, path)
    nested = values.map(lambda value: isinstance(value, (list, dict, np.ndarray)))
    if nested.any():
        raise InputError(
            f"{name} in row {nested.idxmax()} of '{path}' is a list or an object; give one text or number, or the "
            f"path to one, such as {name}.0"
        )
    written = values.map(spelled)
    empty = values.isna() | (written.str.strip() == "")
    if empty.any():
        others = int(empty.sum()) - 1
        more = (
            f", and in {others:,} more rows; fill them or delete the rows" if others else "; fill it or delete the row"
        )
        raise InputError(f"{name} in row {empty.idxmax()} of '{path}' is empty{more}")
    return written


def check_pair(validation: str | Path | None, test: str | Path | None) -> None:
    """InputError if only one of the two files is given."""
    if (validation is None) != (test is None):
        present, missing = ("test", "validation") if validation is None else ("validation", "test")
        raise InputError(f"a {present} file is given but no {missing} file; give both, or neither to have data split")


def check_apart(frames: Frames, paths: Paths, name: str = "text") -> None:
    """InputError if a text of a column, or a group, stands in two splits: a score would say nothing about new rows."""
    keys = {split: normalised(frame[name]) for split, frame in frames.items()}
    for later, earlier in pairs_of(frames):
        shared = keys[later].isin(set(keys[earlier]))
        if shared.any():
            row = shared.idxmax()
            raise InputError(
                f"{name}s of '{paths[later]}' stand in '{paths[earlier]}' too ({shared.sum()} of them), "
                f"the first in row {row} ('{frames[later][name][row][:40]}'); remove them from one file"
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
