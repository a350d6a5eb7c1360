"""Every byte and row of a file is accounted for, by a count that knows nothing of how rows are read."""

import csv
import io
import json

import numpy as np
import pytest

from helpers.data import accounts, conll, files
from helpers.data.accounts import Account

LETTERS = ['"', "'", ",", ";", "\t", "a", " ", "\n", "\r\n", "é", "😀", "#", "{", "[", "\u2028", "0"]


def text(random, most: int = 8) -> str:
    return "x" + "".join(random.choice(LETTERS, size=random.integers(0, most))) + "x"


def delimited(random) -> tuple[str, str, int]:
    mark, end = str(random.choice([",", ";"])), str(random.choice(["\n", "\r\n"]))
    quoting = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL][random.integers(2)]
    stream, count = io.StringIO(newline=""), int(random.integers(1, 7))
    writer = csv.writer(stream, delimiter=mark, quoting=quoting, lineterminator=end)
    writer.writerows([["text", "label"], *([text(random), "y"] for _ in range(count))])
    content = stream.getvalue()
    return "a.csv", content + end * int(random.integers(0, 3)) if random.random() < 0.5 else content[: -len(end)], count


def objects(random) -> tuple[str, str, int]:
    rows = [
        json.dumps({"text": text(random)}, ensure_ascii=bool(random.integers(2))) for _ in range(random.integers(1, 7))
    ]
    if random.random() < 0.3:
        return (
            "a.json",
            "[" + random.choice([",", ", ", ",\n"]).join(rows) + "]\n" * int(random.integers(2) + 1),
            len(rows),
        )
    ends = random.choice(["\n", "\n\n", "\r\n", "\n \n"], size=len(rows))
    return "a.jsonl", "".join(row + end for row, end in zip(rows, ends, strict=True)).rstrip("x"), len(rows)


def columns(random) -> tuple[str, str, int]:
    end, count = str(random.choice(["\n", "\r\n", "\r"])), int(random.integers(1, 7))
    head = [f"-DOCSTART- O{end}{end}", f"# sent_id = 1{end}", ""]
    blocks = [
        str(random.choice(head)) + "".join(f"w{i}\tO{end}" for i in range(random.integers(1, 4))) for _ in range(count)
    ]
    return "a.conll", (end * int(random.integers(1, 3))).join(blocks) + end * int(random.integers(0, 3)), count


@pytest.mark.parametrize("made", [delimited, objects, columns])
def test_bytes_and_rows_of_made_files_close(tmp_path, made):
    for seed in range(700):
        random = np.random.default_rng(seed)
        name, content, count = made(random)
        if name == "a.json" and content.endswith("]\n]\n"):
            content = content[:-2]
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" * bool(random.integers(2)) + content.encode("utf-8"))
        found = accounts.account(path)
        assert sum(found.bytes.values()) == found.size == path.stat().st_size, (seed, content)
        assert found.rows == count, (seed, content)
        if seed % 10 == 0:
            read = conll.read(path) if name == "a.conll" else files.read(path)
            assert len(read) == count, (seed, content)


def test_what_lies_in_a_file_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbftext,label\n"a\nb",x\nc,y\n\n\n')
    assert accounts.account(path) == Account(
        28, {"header": 11, "rows": 12, "blank lines at the end": 2, "byte order mark": 3}, 2, ("text", "label"), 1
    )


def test_blank_lines_of_a_json_file_are_no_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n\n \n{"a": 2}\n')
    assert accounts.account(path) == Account(21, {"rows": 18, "blank lines": 3}, 2, ("a",))


def test_the_columns_of_conllu_are_taken_by_name(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("1\tForm\tLemma\tUPOS\tXPOS\tFeats\t0\tDeprel\t_\tMisc\n", encoding="utf-8")
    for name in ("lemma", "upos", "xpos", "feats", "deprel", "misc"):
        assert conll.read(path, tags=name)["tags"][1][0].lower() == name
