"""Values keep the spelling that they have in the file, and near-equal spellings are told."""

import gzip
import json
import re
import time

import numpy as np
import pandas as pd
import pytest

from helpers.data import files
from helpers.data.formats import SUFFIXES
from helpers.data.labels import check_single, near_equal
from helpers.data.splits import normalised
from helpers.errors import InputError
from helpers.tasks.classification import files as labelled

SPELLED = ["1", "1.0", "1e0", "0.10", "-0", "9007199254740993", "9007199254740992", "12345678901234567890123", "true"]


def write(path, text: str):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_json_values_are_the_texts_that_stand_in_the_file(tmp_path):
    lines = [f'{{"text": {value}, "label": null, "n": [{value}]}}' for value in SPELLED]
    read = files.read(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert files.texts(read, "text", "a").tolist() == SPELLED


@pytest.mark.parametrize("seed", range(15))
def test_made_values_are_read_as_they_are_spelled_from_every_format(tmp_path, seed):
    random = np.random.default_rng(seed)
    letters = [*"aé 1.0-+e'\"\\,;|#{[\t", "\n", "\u2028", "😀", "NA", "null", "true", "007"]
    # No blank at the ends: a TSV file of these is refused where a mark looks lost, and that is tested elsewhere.
    values = ["x" + "".join(random.choice(letters, size=random.integers(1, 9))) + "x" for _ in range(12)]
    numbers = [str(int(random.integers(-(2**62), 2**62))) for _ in range(12)]
    rows = pd.DataFrame({"text": values, "label": numbers})
    text = [
        f'{{"text": {json.dumps(value)}, "label": {number}}}' for value, number in zip(values, numbers, strict=True)
    ]
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.assign(label=rows["label"].astype("int64")).to_parquet(tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", "\n".join(text) + "\n")
    write(tmp_path / "a.json", "[" + ",\n".join(text) + "]")
    for name in ("a.csv", "a.jsonl", "a.json"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    for path in sorted(tmp_path.iterdir()):
        read = files.read(path)
        assert files.texts(read, "text", path).tolist() == values, path
        assert files.texts(read, "label", path).tolist() == numbers, path
        assert read.index.tolist() == list(range(1, 13))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_of_many_lines_is_read_in_time_that_grows_with_it(tmp_path, end):
    path = write(tmp_path / "a.jsonl", f'{{"text": "a\u2028b", "n": 1}}{end}' * 20_000)
    began = time.process_time()
    rows = files.read(path)
    assert len(rows) == 20_000 and set(rows["text"]) == {"a\u2028b"}
    assert time.process_time() - began < 5  # some tenths; where each line looks through the file, minutes


def test_whole_numbers_beside_gaps_stay_whole_in_parquet(tmp_path):
    pd.DataFrame({"a": pd.array([1990, None, 3], dtype="Int64")}).to_parquet(tmp_path / "a.parquet")
    assert files.read(tmp_path / "a.parquet")["a"].tolist() == [1990, None, 3]


def test_rows_have_the_numbers_of_the_file(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n\n{"text": "b"}\n{"text": " "}\n')
    with pytest.raises(InputError, match="text in row 4 of"):
        files.texts(files.read(path), "text", path)


def test_a_blank_line_of_one_column_is_a_row_that_is_empty(tmp_path):
    path = write(tmp_path / "a.csv", "text\na\n\nb\n\n\n")
    with pytest.raises(InputError, match=r"text in row 2 of '.*' is empty; fill it"):
        files.texts(files.read(path), "text", path)


@pytest.mark.parametrize(
    "name, content",
    [("a.csv", "text,label,text\na,b,c\n"), ("a.tsv", "label\tlabel\na\tb\n"), ("a.jsonl", '{"a": 1, "a": 2}\n')],
)
def test_two_columns_of_one_name_are_refused(tmp_path, name, content):
    with pytest.raises(InputError, match=r"has 2 columns '(text|label)'; rename all|line 1 .* has the field 'a' twice"):
        files.read(write(tmp_path / name, content))


@pytest.mark.parametrize(
    "one, other",
    [("good", "good "), (" good", "good"), ("Good", "good"), ("1", "1.0"), ("true", "True"),
     ("caf\u00e9", "cafe\u0301"), ("a  b", "a b"), ("x\u200b", "x"), ("\uff21", "A")],
)  # fmt: skip
def test_labels_that_differ_in_spelling_alone_are_named_with_their_counts(tmp_path, one, other):
    rows = [{"text": f"w{i}", "label": [one, other, "else"][i % 3 if i else 0]} for i in range(20)]
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in rows))
    with pytest.raises(
        InputError, match=r"label '.*' \(7 times\) and label '.*' \([67] times\) of .* differ in"
    ) as error:
        labelled.read(path)
    assert repr(one) in str(error.value) and repr(other) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "labels", [["1.1", "1.10"], ["007", "7"], ["a", "b"], ["C", "C++"], ["NA", "null"], ["1", "10"]]
)
def test_labels_that_are_two_are_left_alone(labels):
    assert near_equal(dict.fromkeys(labels, 1)) == []


def test_made_variants_of_labels_are_found_and_no_others():
    random = np.random.default_rng(0)
    changes = [
        str.upper,
        lambda x: f" {x}",
        lambda x: f"{x} ",
        lambda x: x + "\u200b",
        lambda x: x.replace("é", "e\u0301"),
    ]
    for _ in range(300):
        labels = {"é" + "".join(random.choice(list("abcé"), size=5)) for _ in range(4)}
        assert near_equal(dict.fromkeys(labels, 2)) == []
        chosen = random.choice(sorted(labels))
        variant = changes[random.integers(len(changes))](chosen)
        assert near_equal(dict.fromkeys([*labels, variant], 2)) == ([[chosen, variant]] if variant != chosen else [])


@pytest.mark.parametrize("mark", [";", "|", ","])
def test_cells_that_hold_several_labels_are_asked_about(mark):
    labels = ["a", "b", f"a{mark}b", f"b{mark} a", f"a{mark}c"]
    with pytest.raises(InputError, match=r"--task multilabel with --separator '"):
        check_single(labels, "rows.csv")


@pytest.mark.parametrize(
    "labels", [["Sport, leisure", "News"], ["1,5", "1", "5"], ["a;", "a"], ["Health, Sport", "Health"]]
)
def test_names_with_a_comma_are_one_label(labels):
    check_single(labels, "rows.csv")


def test_signs_that_are_part_of_a_name_and_emoji_make_another_text():
    texts = pd.Series(["C", "C++", "C#", "F#", "g++", "fine", "fine 😀", "fine 😡"])
    assert normalised(texts).nunique() == len(texts)
    same = pd.Series(["## A title!", "a TITLE", "a + title", "A # title"])
    assert normalised(same).nunique() == 1


def test_all_rare_labels_are_named_at_once_and_can_be_left_out(tmp_path):
    labels = ["a"] * 20 + ["b"] * 20 + ["c", "c", "d"]
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"w{i},{label}\n" for i, label in enumerate(labels)))
    with pytest.raises(InputError, match=r"labels 'c' \(2\), 'd' \(1\) of .* leave such labels out with --min-rows 3"):
        labelled.corpus(path)
    corpus = labelled.corpus(path, min_rows=3)
    assert corpus.labels == ("a", "b") and corpus.card.removed["label with fewer than 3 rows"] == 3
    assert sum(corpus.card.rows.values()) + sum(corpus.card.removed.values()) == len(labels)


def test_rows_that_all_contradict_each_other_are_told(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"w{i},{label}\n" for i in range(9) for label in "ab"))
    with pytest.raises(InputError, match="holds each text with different labels, so that no row is left; correct"):
        labelled.corpus(path)


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_contradict_each_other_are_told_with_an_example(tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = [(f"w{random.integers(25)}{random.choice(['', '!'])}", random.choice(["a", "b"])) for _ in range(60)]
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    with pytest.warns(UserWarning, match="have the text of another row and another label, and are left out") as told:
        corpus = labelled.corpus(path)
    count, first, one, other, two, text = re.fullmatch(
        r"(\d+) rows of .*: row (\d+) is '(.)', row (\d+) is '(.)' \('(.*)'\)", str(told[0].message)
    ).groups()
    assert int(count) == corpus.card.removed["same text, other label"]
    assert rows[int(first) - 1] == (text, one) and rows[int(other) - 1][1] == two != one
    assert rows[int(other) - 1][0].strip("!") == text.strip("!")


def test_a_file_that_is_badly_packed_is_one_sentence(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(b"text,label\n")
    with pytest.raises(InputError, match=r"is no good \.gz file .*; pack it again"):
        files.read(tmp_path / "a.csv.gz")
    with pytest.raises(InputError, match=r"ends in '\.zip'; give a file"):
        files.read(tmp_path / "a.csv.zip")
    assert ".json" in SUFFIXES


@pytest.mark.parametrize("text", ['[\n {"a": 1},\n {"a": 2\n]', '{"data": [1,'])
def test_a_broken_array_is_named_by_its_line(tmp_path, text):
    with pytest.raises(InputError, match=r"line \d of '.*' is not JSON"):
        files.read(write(tmp_path / "a.json", text))
