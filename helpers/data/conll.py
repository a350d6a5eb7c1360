"""Sentences with a word a line: CoNLL columns, and CoNLL-U."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from helpers.data import files, shapes
from helpers.errors import InputError

SUFFIXES = (".conll", ".conllu", ".iob", ".bio", ".iob2", ".txt")
FORMATS = ("conll", "conllu")
DOCUMENT = "-DOCSTART-"
# Columns of CoNLL-U (https://universaldependencies.org/format.html); `tags` is what the shell asks for by default.
FIELDS = {"form": 1, "lemma": 2, "tags": 3, "upos": 3, "xpos": 4, "feats": 5, "deprel": 7, "misc": 9}
_ID = re.compile(r"\d+([-.]\d+)?")
_REMARK = re.compile(r"# \w+ = ")  # as CoNLL-U files have above a sentence
_TAG = re.compile(r"O|[BIESULM]-\S+")

Line = tuple[int, str, list[str]]  # number in the file, text, columns


def read(path: Path, format: str | None = None, tags: str = "tags", tagged: bool = True) -> pd.DataFrame:
    """The sentences of a file: lists `tokens` and `tags`, and `group`, its document, if there are several.

    Args:
        format: conll or conllu; None finds out.
        tags: of CoNLL-U, the column to take.
        tagged: whether each word needs a tag.

    Raises InputError, with the line, for words without a tag and sentences whose lines differ in columns.
    """
    found = list(sentences(path))
    if format is None:
        format = "conllu" if found and all(map(_is_conllu, found[0][1])) else "conll"
    column = _column_of_conllu(path, tags) if format == "conllu" else -1
    rows = []
    for document, lines in found:
        if format == "conllu":  # 3-4 is a word of the text that 3 and 4 take apart, and 3.1 one that is not there
            lines = [line for line in lines if line[2][0].isdecimal()]
        if tagged:
            _check(lines, path)
        words = [fields[1 if format == "conllu" else 0] for _, _, fields in lines]
        marks = [fields[column] for _, _, fields in lines] if tagged else words
        rows.append({"tokens": words, "tags": marks, "group": str(document)})
    frame = pd.DataFrame(rows, index=range(1, len(rows) + 1))
    if frame.empty:
        raise InputError(f"'{path}' holds no sentences; give a file with at least one")
    if tagged and format == "conll":
        _check_order(frame, path)
    frame.attrs["format"] = format if format == "conllu" else shapes.PLAIN
    return frame if frame["group"].nunique() > 1 else frame.drop(columns="group")


def _is_conllu(line: Line) -> bool:
    return len(line[2]) == 10 and _ID.fullmatch(line[2][0]) is not None


def _column_of_conllu(path: Path, tags: str) -> int:
    if tags not in FIELDS:
        raise InputError(f"'{path}' is CoNLL-U, without a column '{tags}'; choose one of {', '.join(FIELDS)}")
    return FIELDS[tags]


def sentences(path: Path) -> Iterator[tuple[int, list[Line]]]:
    """The lines of each sentence, comments left out, and the number of its document."""
    block, document = [], 0
    for number, line in enumerate([*files.text_of(path).split("\n"), ""], start=1):
        cells = [cell.strip() for cell in re.split("\t" if "\t" in line else " +", line.strip(" "))]
        if any(cells) and cells[0] != DOCUMENT:
            block.append((number, line, cells))
            continue
        lines = _without_comments(block)
        if lines:
            yield document, lines
        block = []
        document += cells[0] == DOCUMENT


def _without_comments(block: list[Line]) -> list[Line]:
    """The lines of a sentence without the comments above it.

    A comment begins with `#` and has another number of columns than the sentence, or is of the form `# key = value`; a
    sentence may well begin with the word #.
    """
    rows = [row for row in block if not _REMARK.match(row[1])]
    width = Counter(len(cells) for _, line, cells in rows if not line.startswith("#")).most_common(1)
    first = 0
    while first < len(rows) and rows[first][1].startswith("#") and width and len(rows[first][2]) != width[0][0]:
        first += 1
    return rows[first:]


def _check(lines: list[Line], path: Path) -> None:
    """InputError if a line has no word or no tag, or another number of columns than the one above it."""
    for place, (number, text, fields) in enumerate(lines):
        if len(fields) < 2 or not fields[0] or not fields[-1]:
            raise InputError(f"line {number} of '{path}' is '{text[:40]}'; write a word, a tab, and its tag")
        above = lines[max(0, place - 1)][2]
        if len(fields) != len(above):
            raise InputError(
                f"line {number} of '{path}' has {len(fields)} columns and the line above it {len(above)} "
                f"('{text[:40]}'); write as many in each line of a sentence"
            )


def _check_order(rows: pd.DataFrame, path: Path) -> None:
    """InputError if the first column looks like the tags."""
    firsts = {word for row in rows["tokens"] for word in row}
    lasts = {tag for row in rows["tags"] for tag in row}
    if len(firsts) > 1 and all(map(_TAG.fullmatch, firsts)) and not all(map(_TAG.fullmatch, lasts)):
        raise InputError(f"the first column of '{path}' holds tags; write the word first, and the tag last")
