"""A reader's tagged sentences become a corpus, or are refused in one sentence."""

import json

import pandas as pd
import pytest

from helpers.errors import InputError
from helpers.tasks.tagging import files
from helpers.tasks.tagging.windows import words_of

CONLL = "-DOCSTART- O\n\nRome NNP B-LOC\nfell VBD O\n\nMary NNP B-PER\nAnn NNP I-PER\n"


def write(path, text: str):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def sentences(count: int) -> list[dict]:
    words = [["Rome", f"fell{i}", "."] if i % 2 else [f"No{i}", "news"] for i in range(count)]
    return [{"tokens": row, "tags": ["B-LOC" if word == "Rome" else "O" for word in row]} for row in words]


def jsonl(path, rows: list[dict]):
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_columns_and_documents_of_a_conll_file_are_read(tmp_path):
    rows = files.read(write(tmp_path / "a.conll", CONLL.replace("\n", "\r\n") + "\n-DOCSTART- O\n\nGo\tB-X\n"))
    assert rows["tokens"].tolist() == [["Rome", "fell"], ["Mary", "Ann"], ["Go"]]
    assert rows["tags"].tolist() == [["B-LOC", "O"], ["B-PER", "I-PER"], ["B-X"]]
    assert rows["group"].nunique() == 2


def test_a_file_without_splits_is_split_and_each_document_stays_whole(tmp_path):
    text = "".join("-DOCSTART- O\n\n" + "".join(f"Rome B-LOC\nfell{i}x{j} O\n\n" for j in range(4)) for i in range(24))
    read = files.corpus(write(tmp_path / "a.conll", text))
    groups = [set(part["group"]) for part in read.data.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 24
    assert read.labels == ("O", "B-LOC")


def test_given_splits_stay_as_they_are(tmp_path):
    paths = [jsonl(tmp_path / f"{name}.jsonl", rows) for name, rows in zip("abc", _parts(), strict=True)]
    read = files.corpus(paths[0], validation=paths[1], test=paths[2])
    assert read.card.rows == {"train": 8, "validation": 4, "test": 4}


def _parts() -> list[list[dict]]:
    rows = sentences(16)
    return [rows[:8], rows[8:12], rows[12:]]


def test_each_mistake_is_one_sentence(tmp_path):
    good = jsonl(tmp_path / "good.jsonl", sentences(16))
    cases = [
        (write(tmp_path / "a.conll", "Rome B-LOC\nfell\n"), "line 2 of '.*a.conll' is 'fell'; write a word"),
        (write(tmp_path / "b.conll", "\n\n"), "holds no sentences"),
        (jsonl(tmp_path / "c.jsonl", [{"tokens": ["a", "b"], "tags": ["O"]}]), "row 1 of .* has 2 words and 1 tags"),
        (jsonl(tmp_path / "d.jsonl", [{"tokens": "a b", "tags": ["O"]}]), "tokens in row 1 of .* 'a b'; write a list"),
        (jsonl(tmp_path / "e.jsonl", [{"words": ["a"], "tags": ["O"]}]), "no column 'tokens'; it has words, tags"),
        (jsonl(tmp_path / "f.jsonl", [{"tokens": ["a"], "tags": ["O"]}]), "only the tag 'O'"),
        (tmp_path / "g.conll", "there is no file"),
    ]
    for path, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            files.corpus(path)
    (tmp_path / "h.conll").write_bytes(b"Z\xfcrich B-LOC\n")
    with pytest.raises(InputError, match="is not UTF-8"):
        files.corpus(tmp_path / "h.conll")
    with pytest.raises(InputError, match="no validation file"):
        files.corpus(good, test=good)
    other = jsonl(tmp_path / "i.jsonl", [{"tokens": ["a"], "tags": ["B-ORG"]}])
    with pytest.raises(InputError, match=r"tag 'B-ORG' in sentence 1 of .* is not one of O, B-LOC"):
        files.corpus(good, validation=other, test=other)


def test_a_long_sentence_in_two_splits_is_a_leak(tmp_path):
    long = [{"tokens": [f"w{i}" for i in range(12)], "tags": ["O"] * 12}]
    paths = [jsonl(tmp_path / f"{name}.jsonl", rows + long) for name, rows in zip("abc", _parts(), strict=True)]
    with pytest.raises(InputError, match=r"stand in .*a.jsonl' too \(1 of them\), the first is sentence 5"):
        files.corpus(paths[0], validation=paths[1], test=paths[2])


def test_odd_lines_of_a_conll_file(tmp_path):
    text = "# sent_id = 1\n1\u00a0000\tB-X\nyes\tO\n-DOCSTART- O\nGo\u2028on\tO\nB\tB-X\n"
    rows = files.read(write(tmp_path / "a.conll", text))
    assert rows["tokens"].tolist() == [["1\u00a0000", "yes"], ["Go\u2028on", "B"]]
    assert rows["group"].tolist() == ["0", "1"]
    with pytest.raises(InputError, match=r"line 1 of .*; write a word"):
        files.read(write(tmp_path / "b.conll", "Rome\tB-LOC\t\n"))


def test_a_row_without_tags_is_a_list_of_words_or_a_text():
    table = pd.DataFrame({"tokens": [["Ann", "sings"], "in Paris, now", ["."]]}, index=[1, 2, 3])
    rows = files.unlabelled(table, "a.jsonl").to_list()
    assert [words_of(row)[0] for row in rows] == ["Ann sings", "in Paris, now", "."]
    assert [len(words_of(row)[1]) for row in rows] == [2, 4, 1]
    with pytest.raises(InputError, match="tokens in row 2 of"):
        files.unlabelled(pd.DataFrame({"tokens": ["Ann", " "]}, index=[1, 2]), "a.jsonl")


def test_a_named_group_stays_in_one_split(tmp_path):
    rows = [row | {"doc": str(i // 4)} for i, row in enumerate(sentences(64))]
    read = files.corpus(jsonl(tmp_path / "a.jsonl", rows), group="doc")
    groups = [set(part["group"]) for part in read.data.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 16


def test_a_named_group_in_two_files_is_a_leak_and_the_numbers_of_documents_are_not(tmp_path):
    rows = [[row | {"doc": f"{name}{i // 4}"} for i, row in enumerate(sentences(16))] for name in "abc"]
    rows[2][5]["doc"] = "a1"
    paths = [jsonl(tmp_path / f"{name}.jsonl", part) for name, part in zip("abc", rows, strict=True)]
    with pytest.raises(InputError, match=r"groups of '.*c.jsonl' stand in '.*a.jsonl' too \(1 of them.* 'a1'\)"):
        files.corpus(paths[0], validation=paths[1], test=paths[2], group="doc")
    assert files.corpus(paths[0], validation=paths[1], test=paths[2]).card.rows["test"] == 16
    text = "Go O\nRome B-X\n\n-DOCSTART- O\n\nB B-X\n"
    conll = [write(tmp_path / f"{name}.conll", text) for name in "abc"]
    found = files.corpus(conll[0], validation=conll[1], test=conll[2])
    assert found.data["test"]["group"][:] == ["0", "1"]
    with pytest.raises(InputError, match=r"a.conll' has no field 'doc'; leave the group out, and mark"):
        files.corpus(conll[0], group="doc")
