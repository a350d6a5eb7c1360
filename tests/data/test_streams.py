"""Rows of files of any size: in order, each once, the bad ones with a reason, and the same as a whole file gives."""

import gzip
import json
import random

import pandas as pd
import pytest

from helpers.data import files, streams
from helpers.data.formats import unspelled
from helpers.errors import InputError

TEXTS = [
    "plain",
    'with "marks"',
    "a, b; c\td",
    "two\nlines",
    "  blanks  ",
    "é 👩‍👩‍👧‍👦",
    "007",
    "NA",
    "0.50",
    "[x]",
    '{"a": 1}',
]


def written(folder, suffix: str, rows: list[dict]):
    path = folder / f"rows{suffix}"
    frame = pd.DataFrame(rows)
    if suffix.startswith(".jsonl"):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    elif suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".jsonl", ".jsonl.gz", ".json", ".parquet"])
@pytest.mark.parametrize("seed", range(3))
def test_streamed_rows_are_those_of_the_whole_file(suffix, seed, tmp_path):
    draw = random.Random(seed)
    texts = [text for text in TEXTS if suffix != ".tsv" or not ("\n" in text and "\t" in text)]
    rows = [{"id": str(i), "text": draw.choice(texts), "more": draw.choice(texts)} for i in range(draw.randint(1, 60))]
    path = written(tmp_path, suffix, rows)
    streamed, total = streams.rows(path, None)
    streamed = list(streamed)
    assert total == len(rows) == len(streamed)
    assert [row.number for row in streamed] == list(range(1, len(rows) + 1))
    assert [unspelled(row.cells) for row in streamed] == rows
    assert [row.cells for row in streamed] == files.read(path).to_dict("records")


@pytest.mark.parametrize("seed", range(5))
def test_each_line_is_a_row_and_bad_ones_have_a_reason(seed, tmp_path):
    draw = random.Random(seed)
    bad = ["", "   ", "{", "[1]", '{"text": "\\ud800"}', "nonsense"]
    lines = [draw.choice(bad) if draw.random() < 0.4 else json.dumps({"text": f"t{i}"}) for i in range(50)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(["{}", *lines]) + "\n", encoding="utf-8")
    rows, total = streams.rows(path, None)
    rows = list(rows)[1:]
    assert total == len(lines) + 1 and len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert (row.error is None) == (line not in bad)
        assert row.error is None or f"line {row.number} " in row.error
    plain = list(streams.lines(((line + "\n").encode() for line in lines), lambda line: {"text": line}))
    for row, line in zip(plain, lines, strict=True):
        assert row.error is None
        assert row.cells == (json.loads(line) if line not in bad else {"text": line})


def test_blank_rows_between_separators_count(tmp_path):
    (tmp_path / "rows.csv").write_text("text\na\n\nb\n\n", encoding="utf-8")
    rows, total = streams.rows(tmp_path / "rows.csv", None)
    assert [(row.number, row.error is None) for row in rows] == [(1, True), (2, False), (3, True), (4, False)]
    assert total == 4


def test_a_line_that_is_not_utf_8_is_one_bad_row():
    rows = list(streams.lines([b"\xef\xbb\xbfa\r\n", b"Gr\xfc\n", b"b"], lambda line: {"text": line}))
    assert [row.cells for row in rows] == [{"text": "a"}, {}, {"text": "b"}]
    assert "line 2 is not UTF-8 (byte 2)" in rows[1].error


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b'text,n\n"open,1\nb,2\n"c,3\n', "a quotation mark opens a field"),
        ("a.tsv", b'text\tn\n"open\t1\nb\t2\nc"\t3\n', "runs over a tab and a line end"),
        ("a.csv", b"text,text\na,b\n", "has 2 columns 'text'"),
        ("a.csv", "text\nGrüße\n".encode("latin-1"), "is not UTF-8"),
        ("a.jsonl", b"\xff\xfe{}", "is not UTF-8"),
        ("a.csv.gz", b"text\na\n", "is no good .gz file"),
        ("a.parquet", b"PAR1", "is not a good .parquet file"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_before_its_first_row(name, content, says, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        streams.rows(tmp_path / name, None)
    with pytest.raises(InputError, match="there is no file"):
        streams.rows(tmp_path / f"other{name}", None)


def test_a_long_file_is_not_held(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n' * 1000, encoding="utf-8")
    rows, total = streams.rows(path, None)
    next(rows)
    with path.open("a") as stream:  # what is added later is read, since nothing has been read ahead of its turn
        stream.write('{"text": "b"}\n')
    assert total == 1000 and sum(1 for _ in rows) == 1000
