"""The rows of a file of any size, one after the other, of which one may be bad without the others being lost.

CSV, TSV, JSONL and lines of text are read as they are asked for, Parquet by groups of rows. Files whose rows are known
only at their end (a JSON array, CoNLL columns) are read whole.
"""

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from helpers.data import conll, files, formats
from helpers.errors import InputError
from helpers.text import half_character

BATCH = 1024  # rows of a Parquet file in memory
Cells = Callable[[str], dict[str, Any]]
_LINES, _DELIMITED = (".txt",), (".csv", ".tsv", ".tab")


@dataclass(frozen=True)
class Row:
    """A row of a file: its number there, from 1, and its cells by column; where it is bad, why."""

    number: int
    cells: dict[str, Any]
    error: str | None = None


def rows(path: str | Path, cells: Cells | None, format: str | None = None) -> tuple[Iterator[Row], int]:
    """The rows of a file, and how many there are. Blank lines are rows; they are counted, so that none is lost.

    Args:
        cells: of a file of plain lines (`.txt`), as `lines` takes it.
        format: of the rows, as `files.read` takes it.

    Raises InputError, before the first row, for what makes a whole file unreadable: one that is missing or not UTF-8,
    two columns of one name, a quotation mark that swallows rows.
    """
    path, kind = Path(path), formats.suffix(path)
    if format in conll.FORMATS or (format is None and kind in conll.SUFFIXES and kind not in _LINES):
        return _table(conll.read(path, format, tagged=False))
    if kind in _LINES:
        return _counted(lambda stream: lines(stream, cells), path)
    if kind == ".jsonl" and _first_mark(path) != "[":
        return _counted(lambda stream: (_object(*pair) for pair in enumerate(stream, start=1)), path)
    if kind in _DELIMITED:
        return _delimited(path)
    if kind == ".parquet":
        return _parquet(path)
    return _table(files.read(path))


def lines(stream: Iterable[str | bytes], cells: Cells | None) -> Iterator[Row]:
    """Lines of text as rows.

    Args:
        cells: what makes cells of a line. A line that is a JSON object with the same columns is read as such. None
            where a plain line cannot be a row: then each must be an object.
    """
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8") if isinstance(line, bytes) else line
        except UnicodeDecodeError as error:
            yield Row(number, {}, f"line {number} is not UTF-8 (byte {error.start}); convert it to UTF-8")
            continue
        text = text.rstrip("\r\n")
        if cells is None:
            yield _object(number, text)
            continue
        plain = Row(number, cells(text))
        row = _object(number, text) if text.lstrip().startswith("{") else plain
        yield row if plain.cells.keys() <= row.cells.keys() else plain


def _object(number: int, line: str) -> Row:
    """A line of a JSONL file; numbers keep their spelling."""
    if not line.strip():
        return Row(number, {}, f"line {number} is blank; fill it or delete it")
    try:
        cells = json.loads(line, parse_int=formats.Number, parse_float=formats.Number)
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"line {number} is not JSON ({getattr(error, 'msg', error)}); repair the line")
    if not isinstance(cells, dict):
        return Row(number, {}, f"line {number} is not a JSON object; write one object a line")
    if "\\u" in line and half_character(json.dumps(cells, ensure_ascii=False)):
        return Row(number, {}, f"line {number} holds half a character (a lone surrogate); write whole ones")
    return Row(number, cells)


def _table(table) -> tuple[Iterator[Row], int]:
    named = (Row(int(number), cells) for number, cells in zip(table.index, table.to_dict("records"), strict=True))
    return named, len(table)


def _counted(read, path: Path) -> tuple[Iterator[Row], int]:
    """The rows that `read` makes of an open file, and the number of its lines; the whole is checked to be UTF-8."""
    with _opened(path) as stream:
        total = sum(1 for _ in stream)

    def opened() -> Iterator[Row]:
        with _opened(path) as stream:
            yield from read(stream)

    return opened(), total


def _delimited(path: Path) -> tuple[Iterator[Row], int]:
    with _opened(path, newline="") as stream:
        head = stream.readline()
    separator = formats.separator_of(head, path)
    with _fields(path, separator) as fields:
        header = next(fields, [])
        twice = next((name for place, name in enumerate(header) if name in header[:place]), None)
        if twice is not None:
            raise InputError(f"'{path}' has {header.count(twice)} columns '{twice}'; rename all but one")
        total, torn = 0, False
        for row in fields:
            total, torn = total + 1, torn or any("\n" in cell for cell in row)
    if torn:
        _check_quotes(path, separator)

    def read() -> Iterator[Row]:
        with _fields(path, separator) as fields:
            next(fields, None)
            for number, row in enumerate(fields, start=1):
                yield _cells(number, row, header)

    return read(), total


def _cells(number: int, row: list[str], header: list[str]) -> Row:
    if len(row) > len(header):
        return Row(number, {}, f"row {number} has {len(row)} fields and the header {len(header)}; repair the row")
    if not any(cell.strip() for cell in row):
        return Row(number, {}, f"row {number} is blank; fill it or delete it")
    return Row(number, dict(zip(header, row, strict=False)))


def _check_quotes(path: Path, separator: str) -> None:
    """InputError if a quotation mark that opens a field over line ends is not closed well (RFC 4180).

    Between tabs, a field that runs over a tab and a line end looks like rows that a lone mark has swallowed.
    """
    try:
        with _fields(path, separator, strict=True) as fields:
            for number, row in enumerate(fields):
                if separator == "\t" and any("\t" in cell and "\n" in cell for cell in row):
                    raise InputError(
                        f"a field in row {number} of '{path}' runs over a tab and a line end; close its quotes"
                    )
    except csv.Error as error:
        raise InputError(
            f"'{path}' is not a good {formats.suffix(path)} file (a quotation mark opens a field and none closes it, "
            "which swallows rows; close its quotes); repair it"
        ) from error


@contextmanager
def _fields(path: Path, separator: str, strict: bool = False) -> Iterator[Iterator[list[str]]]:
    """The fields of each row of a file, the header first; a field may be of any length."""
    csv.field_size_limit(sys.maxsize)  # of the process; Python's own limit is a guard that this package does not need
    with _opened(path, newline="") as stream:
        yield csv.reader(stream, delimiter=separator, strict=strict)


def _parquet(path: Path) -> tuple[Iterator[Row], int]:
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; check the path")
    try:
        file = pq.ParquetFile(path)
    except (ValueError, OSError) as error:
        raise InputError(f"'{path}' is not a good .parquet file ({' '.join(str(error).split())}); repair it") from error

    def read() -> Iterator[Row]:
        number = 0
        for batch in file.iter_batches(batch_size=BATCH):
            for cells in batch.to_pylist():
                number += 1
                yield Row(number, cells)

    return read(), file.metadata.num_rows


@contextmanager
def _opened(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """A text file, unpacked if it ends in `.gz`; InputError if it is missing, badly packed or not UTF-8."""
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; check the path")
    try:
        unpack = gzip.open if path.suffix.lower() == formats.PACKED else open
        with unpack(path, "rt", encoding="utf-8-sig", newline=newline) as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"'{path}' is no good {formats.PACKED} file ({error}); pack it again") from error


def _first_mark(path: Path) -> str:
    """The first character of a file that is no blank."""
    with _opened(path) as stream:
        return next((line.lstrip()[0] for line in stream if line.strip()), "")
