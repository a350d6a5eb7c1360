"""What each byte of a file is, counted apart from how its rows are read, so that one checks the other."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from helpers.data import conll, formats
from helpers.errors import InputError

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # with its end
_MARK = b"\xef\xbb\xbf"  # a byte order mark


@dataclass(frozen=True)
class Account:
    """The bytes of a file by what they are, and its rows.

    Attributes:
        size: of the file, unpacked.
        bytes: by what they are: their sum is `size`.
        rows: as they are counted here.
        columns: their names; none for CoNLL columns.
        long: rows that run over several lines, in quotation marks.
    """

    size: int
    bytes: dict[str, int]
    rows: int
    columns: tuple[str, ...] = ()
    long: int = 0


def account(path: str | Path, format: str | None = None) -> Account:
    """The account of a file; InputError if it does not close, which would be a fault of this package.

    Args:
        format: as the wings' `files.read` take it.
    """
    content, kind = formats.content(path), formats.suffix(path)
    if kind == ".parquet":
        table = pq.ParquetFile(io.BytesIO(content))
        names = tuple(table.schema_arrow.names)
        return Account(len(content), {"columns": len(content)}, table.metadata.num_rows, names)
    text = formats.decoded(path)
    if format in conll.FORMATS or (format is None and kind in conll.SUFFIXES):
        sizes, *counts = _sentences(text, Path(path))
    elif kind in (".jsonl", ".json"):
        sizes, *counts = _objects(text, Path(path))
    else:
        sizes, *counts = _records(text, Path(path))
    sizes["byte order mark"] += len(_MARK) * content.startswith(_MARK)
    if sum(sizes.values()) != len(content):
        raise InputError(
            f"{sum(sizes.values()):,} of the {len(content):,} bytes of '{path}' are accounted for; please report this, "
            "with the file if you can"
        )
    return Account(len(content), {name: size for name, size in sizes.items() if size}, *counts)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _records(text: str, path: Path) -> tuple[Counter, int, tuple[str, ...], int]:
    """The lines of a table: header, rows, and blank ones behind them."""
    body = text.rstrip("\r\n")
    lines = io.StringIO(body, newline="").readlines()
    sizes, rows, long, before = Counter({"blank lines at the end": _size(text[len(body) :])}), -1, 0, 0
    names: tuple[str, ...] = ()
    if lines:  # the end of the last row is part of the row
        end = re.match(r"\r\n|\r|\n|", text[len(body) :])[0]
        sizes["blank lines at the end"] -= _size(end)
        lines[-1] += end
    with formats.fields_of_any_length(text):
        reader = csv.reader(lines, delimiter=formats.separator_of(text, path))
        for record in reader:
            names = tuple(record) if rows < 0 else names
            sizes["rows" if rows >= 0 else "header"] += _size("".join(lines[before : reader.line_num]))
            long += rows >= 0 and reader.line_num - before > 1
            rows, before = rows + 1, reader.line_num
    return sizes, max(0, rows), names, int(long)


def _objects(text: str, path: Path) -> tuple[Counter, int, tuple[str, ...], int]:
    """The lines of a JSON file, or all of it where it is one value."""
    array, lines = formats.whole(text, path), formats.lines_of(text)
    first = next(formats.json_rows(text, path), (0, {}))[1]
    if array is not None:
        return Counter({"rows": _size(text)}), len(array), tuple(first), 0
    rows = sum(bool(line.strip()) for line in lines)
    blank = sum(_size(line) + 1 for line in lines[:-1] if not line.strip())
    blank += _size(lines[-1]) if not lines[-1].strip() else 0
    return Counter({"rows": _size(text) - blank, "blank lines": blank}), rows, tuple(first), 0


def _sentences(text: str, path: Path) -> tuple[Counter, int, tuple[str, ...], int]:
    """The lines of a CoNLL file: words, comments and marks of documents, blank ones."""
    sentences = [lines for _, lines in conll.sentences(path)]
    words = {number for lines in sentences for number, _, _ in lines}
    sizes: Counter = Counter()
    for number, line in enumerate(_LINE.findall(text), start=1):
        kind = "words" if number in words else "comments and documents" if line.strip() else "blank lines"
        sizes[kind] += _size(line)
    return sizes, len(sentences), (), 0
