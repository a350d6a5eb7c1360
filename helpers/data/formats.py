"""From the bytes of a file to its rows: values keep the spelling of the file, and rows the numbers they have there."""

import csv
import gzip
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from datasets import ClassLabel, Features

from helpers.errors import InputError
from helpers.text import half_character

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".json", ".parquet")
PACKED = ".gz"
_TABBED = (".tsv", ".tab")


class Number(str):
    """A number of a JSON file as the file spells it: 1, 1.0 and 1e0 are three texts."""

    __slots__ = ()


def unspelled(value):
    """Any value of a JSON file with its numbers as numbers, for what does not come to be read as text."""
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, dict):
        return {key: unspelled(item) for key, item in value.items()}
    return [unspelled(item) for item in value] if isinstance(value, list) else value


def suffix(path: str | Path) -> str:
    """What a file's name ends in, in lower case and without `.gz`."""
    path = Path(path)
    return (Path(path.stem) if path.suffix.lower() == PACKED else path).suffix.lower()


def content(path: str | Path) -> bytes:
    """The bytes of a file, unpacked if it ends in `.gz`; InputError if it is missing or badly packed."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; check the path")
    if path.suffix.lower() != PACKED:
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"'{path}' is no good {PACKED} file ({error}); pack it again") from error


def decoded(path: str | Path) -> str:
    """The text of a file, with its own line ends and without a byte order mark; InputError if it is not UTF-8."""
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8") from error


def parse(path: Path) -> pd.DataFrame:
    """The rows of a file, one column per field; the index holds their numbers in the file, from 1.

    Lines of a JSONL file are counted with the blank ones, rows of a CSV file without its header. Fields of CSV files
    and numbers of JSON files are texts as the file spells them. Ids whose names the file's metadata, or a file
    `dataset_info.json` beside it, hold (the feature ClassLabel of Hugging Face datasets) become those names.

    Raises ValueError, or InputError, for bytes that are not of the format.
    """
    kind = suffix(path)
    if kind == ".parquet":
        table = pq.read_table(io.BytesIO(content(path)))
        _check_names(table.column_names, path)
        rows = pd.DataFrame(table.to_pylist(), dtype=object)  # whole numbers beside gaps stay whole
        rows = rows[[name for name in rows if not str(name).startswith("__index_level_")]]
        rows.index += 1
        return named(rows, Features.from_arrow_schema(table.schema), path)
    if kind in (".jsonl", ".json"):
        numbered = list(json_rows(decoded(path), path))
        rows = pd.DataFrame([row for _, row in numbered], dtype=object, index=[number for number, _ in numbered])
        return named(rows, _features_beside(path), path)
    return _delimited(decoded(path), path)


def named(rows: pd.DataFrame, features: Features, path: Path) -> pd.DataFrame:
    """The rows with names for the ids of each column that the features name, which a warning tells.

    Raises InputError for an id without a name.
    """
    for column, feature in features.items():
        inner, many = getattr(feature, "feature", feature), hasattr(feature, "feature")
        if column not in rows or not isinstance(inner, ClassLabel) or not inner.names:
            continue
        cells = []
        for row, cell in rows[column].items():
            where = f"in row {row} of '{path}'"
            ids = [cell] if not many else [] if cell is None else cell
            own = [_name(value, inner.names, f"{column} {value} {where}") for value in ids]
            cells.append(own if many else own[0])
        if cells != rows[column].tolist():
            told = ", ".join(inner.names[:5]) + (", ..." if len(inner.names) > 5 else "")
            warnings.warn(f"ids in {column} of '{path}' are read as the names in its metadata: {told}", stacklevel=2)
        rows[column] = pd.Series(cells, index=rows.index, dtype=object)
    return rows


def _name(value, names: list[str], what: str):
    """The name of an id; a name, or nothing, stays as it is."""
    if value is None or (isinstance(value, str) and not isinstance(value, Number)):
        return value
    if isinstance(value, (int, Number)) and str(value).isdecimal() and int(value) < len(names):
        return names[int(value)]
    raise InputError(
        f"{what} is no id from 0 to {len(names) - 1}, which the file's metadata name; a test set of the Hub may hide "
        "its labels: leave such rows out"
    )


def _features_beside(path: Path) -> Features:
    """The features that a file `dataset_info.json` in the same folder names, as `datasets` writes it; else none."""
    beside = path.parent / "dataset_info.json"
    if not beside.is_file() or beside == path:
        return Features()
    try:
        return Features.from_dict(json.loads(beside.read_text(encoding="utf-8"))["features"])
    except (ValueError, KeyError, TypeError, AttributeError):  # other programs keep other things under this name
        return Features()


def _check_names(names: list[str], path: Path) -> None:
    """InputError if two columns have one name."""
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise InputError(f"'{path}' has {names.count(repeated[0])} columns '{repeated[0]}'; rename all but one")


# JSON


def json_rows(text: str, path: Path) -> Iterator[tuple[int, dict]]:
    """The objects of a JSON file and their numbers: those of an array or of a list `data`, or one a line.

    Raises InputError for what is not JSON, or no object.
    """
    array = whole(text, path)
    if array is None:
        lines = enumerate(lines_of(text), start=1)
        numbered = ((number, _loads(line, number, path)) for number, line in lines if line.strip())
    else:
        numbered = enumerate(array, start=1)
    unit, escapes = "line" if array is None else "item", "\\u" in text
    for number, row in numbered:
        if not isinstance(row, dict):
            raise InputError(f"{unit} {number} of '{path}' is not a JSON object; write one object a row")
        if escapes and half_character(json.dumps(row, ensure_ascii=False)):
            raise InputError(f"{unit} {number} of '{path}' holds half a character (a lone surrogate); write whole ones")
        yield number, row


def lines_of(text: str) -> list[str]:
    """The lines of a JSON file without their ends; a string in it may hold other characters that look like ends."""
    return text.split("\n" if "\n" in text else "\r")


def whole(text: str, path: Path) -> list | None:
    """The rows of a JSON file that is one array, or one object; None for a file with a row a line."""
    start = text.lstrip()[:1]
    if start != "[" and suffix(path) != ".json":
        return None
    try:
        value = _AS_SPELLED.decode(text)
    except InputError as error:
        raise InputError(f"'{path}' {error}") from None
    except (ValueError, RecursionError) as error:
        first = text.strip().partition("\n")[0].strip()
        if first[:1] + first[-1:] in ("{}", "[]"):  # one value a line, whatever the file's name says
            return None
        line = getattr(error, "lineno", 1)
        raise InputError(f"line {line} of '{path}' is not JSON ({error}); repair the line") from error
    if isinstance(value, dict):
        return value["data"] if isinstance(value.get("data"), list) else [value]
    return value if isinstance(value, list) else [value]


def _loads(line: str, number: int, path: Path):
    try:
        return _AS_SPELLED.decode(line)
    except InputError as error:
        raise InputError(f"line {number} of '{path}' {error}") from None
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", error)  # without the line that the parser counts within this one
        raise InputError(f"line {number} of '{path}' is not JSON ({why}); repair the line") from error


def _object(pairs: list[tuple]) -> dict:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in row if names.count(name) > 1)
        raise InputError(f"has the field '{twice}' twice; rename one of them")
    return row


_AS_SPELLED = json.JSONDecoder(parse_int=Number, parse_float=Number, object_pairs_hook=_object)


# Columns between commas, semicolons or tabs


def _delimited(text: str, path: Path) -> pd.DataFrame:
    """Rows of texts, so that a label 007 or NA is not taken for a number or a gap; a blank line is an empty row."""
    separator = separator_of(text, path)
    text = text.rstrip("\r\n")
    if not text.strip():
        return pd.DataFrame()
    with fields_of_any_length(text):
        _check_names(next(csv.reader(io.StringIO(text, newline=""), delimiter=separator)), path)
    options = {"sep": separator, "dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    rows = pd.read_csv(io.StringIO(text, newline=""), **options)
    if not isinstance(rows.index, pd.RangeIndex):  # pandas takes fields that have no column for the rows' names
        raise ValueError(f"its rows have more fields than the {rows.shape[1]} columns of the header")
    rows.index += 1
    if suffix(path) in _TABBED and len(rows):
        _check_quotes(rows, text)
    elif _holds_line_ends(rows) and not _quoted_well(text, separator):
        raise ValueError("a quotation mark opens a field and none closes it, which swallows rows; close its quotes")
    return rows


def separator_of(text: str, path: Path) -> str:
    """A tab by the file's name; else the comma, or what parts the columns where the header holds none.

    Many spreadsheets write semicolons.
    """
    if suffix(path) in _TABBED:
        return "\t"
    header = text[: text.find("\n")] if "\n" in text else text
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _check_quotes(rows: pd.DataFrame, text: str) -> None:
    """ValueError if a lone quotation mark seems to swallow the rows that follow.

    A field may run over tabs, or over line ends, if the quotes of the whole file are in order. One that runs over both
    looks like rows.
    """
    tab = rows.apply(lambda column: column.str.contains("\t", regex=False))
    line = rows.apply(lambda column: column.str.contains("\n", regex=False))
    doubtful = tab | line
    if doubtful.any(axis=None) and _quoted_well(text, "\t"):
        doubtful = tab & line
    for name, torn in doubtful.items():
        if torn.any():
            raise ValueError(f"{name} in row {torn.idxmax()} runs over a tab or line end; close its quotes")


def _holds_line_ends(rows: pd.DataFrame) -> bool:
    """Whether a field runs over a line end, as a quoted one may, and one that swallows rows does."""
    return any(rows.iloc[:, place].str.contains("\n", regex=False).any() for place in range(rows.shape[1]))


def _quoted_well(text: str, separator: str) -> bool:
    """Whether each quotation mark that opens a field of a text has one that closes it (RFC 4180)."""
    with fields_of_any_length(text):
        try:
            return sum(1 for _ in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)) > 0
        except csv.Error:
            return False


@contextmanager
def fields_of_any_length(text: str) -> Iterator[None]:
    """Let the reader of CSV take fields as long as a text; its own limit is 131,072 characters."""
    before = csv.field_size_limit(len(text) + 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
