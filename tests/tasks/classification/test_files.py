"""A reader's labelled texts become a corpus, or are refused in one sentence."""

import pandas as pd
import pytest

from helpers.errors import InputError
from helpers.tasks.classification import files


def write(path, content: str | bytes):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


GOOD = [{"text": f"text number {i}, with a comma", "label": ["no", "yes"][i % 2]} for i in range(24)]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_corpus(tmp_path, suffix):
    rows, path = pd.DataFrame(GOOD), tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        rows.to_parquet(path)
    elif suffix == ".jsonl":
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_csv(path, sep="\t" if suffix in (".tsv", ".tab") else ",", index=False)
    found = files.corpus(path)
    assert found.card.rows == {"train": 18, "validation": 3, "test": 3}
    assert found.labels == ("no", "yes")
    assert set(found.data["train"]["text"]) <= {row["text"] for row in GOOD}


def test_line_ends_quoted_newlines_and_a_byte_order_mark_are_read(tmp_path):
    lines = ["text,label", *(f'"line one of {i}\nline ""two""",{"ab"[i % 2]}' for i in range(9))]
    path = write(tmp_path / "mine.csv", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    rows = files.read(path)
    assert rows["text"].iloc[0] == 'line one of 0\nline "two"'
    assert len(rows) == 9


def test_labels_stay_as_they_are_written(tmp_path):
    path = write(tmp_path / "mine.csv", "text,label\na,007\nb,NA\nc,1.0\n")
    assert files.read(path)["label"].tolist() == ["007", "NA", "1.0"]


CASES = {
    "a missing file": ("none.csv", None, r"there is no file '.*none.csv'; check the path"),
    "another kind of file": ("mine.xlsx", "x", r"ends in '.xlsx'; give a file that ends in .csv"),
    "an empty file": ("mine.csv", "", r"holds no rows; give a file with at least one"),
    "a header alone": ("mine.csv", "text,label\n", r"holds no rows"),
    "an empty JSONL": ("mine.jsonl", "\n\n", r"holds no rows"),
    "a missing column": ("mine.csv", "body,label\na,b\n", r"has no column 'text'; it has body, label"),
    "an empty text": ("mine.csv", "text,label\na,b\n  ,c\n", r"text in row 2 of '.*' is empty; fill it or delete"),
    "a null text": ("mine.jsonl", '{"text": "a", "label": 1}\n{"text": null, "label": 2}\n', r"text in row 2 of"),
    "an empty label": ("mine.csv", "text,label\na,\n", r"label in row 1 of '.*' is empty"),
    "one class": ("mine.csv", "text,label\na,x\nb,x\n", r"holds only the label 'x'; classification needs at least two"),
    "not UTF-8": ("mine.csv", "text,label\nGr\xfc\xdfe,a\n".encode("latin-1"), r"is not UTF-8 \(byte 13: .*save it as"),
    "not UTF-8 JSONL": ("mine.jsonl", b'{"text": "\xff"}\n', r"is not UTF-8"),
    "broken JSON": ("mine.jsonl", '{"text": "a", "label": 1}\n{"text": \n', r"line 2 of '.*' is not JSON .*repair the"),
    "JSON that is no object": ("mine.jsonl", "[1, 2]\n", r"item 1 of '.*' is not a JSON object"),
    "a list for a label": (
        "mine.jsonl",
        '{"text": "a", "label": ["x", "y"]}\n',
        r"label in row 1 of .* is a list or an obj",
    ),
    "a ragged CSV": ("mine.csv", "text,label\na,b\na,b,c,d\n", r"is not a good .csv file .*repair it"),
    "a broken Parquet": ("mine.parquet", "PAR1nonsense", r"is not a good .parquet file"),
}


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_csv_file_with_other_marks_between_columns_is_read(tmp_path, mark):
    path = tmp_path / "mine.csv"
    write(path, f"text{mark}label\n" + f'"a, b; c\n d"{mark}x\r\n')
    assert files.read(path).to_dict("records") == [{"text": "a, b; c\n d", "label": "x", "row": 1}]


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path, case):
    name, content, sentence = CASES[case]
    path = tmp_path / name
    if content is not None:
        write(path, content)
    with pytest.raises(InputError, match=sentence) as error:
        files.corpus(path)
    assert "\n" not in str(error.value)


def written(tmp_path, **texts: str) -> dict:
    return {name: write(tmp_path / f"{name}.csv", "text,label\n" + rows) for name, rows in texts.items()}


def test_files_for_all_splits_are_taken_as_given(tmp_path):
    given = written(tmp_path, train="a,x\nb,y\n", validation="c,x\n", test="d,y\ne,y\n")
    found = files.corpus(given["train"], validation=given["validation"], test=given["test"])
    assert found.card.rows == {"train": 2, "validation": 1, "test": 2}
    assert found.card.split_rule == "as given"


def test_one_file_of_two_is_refused(tmp_path):
    given = written(tmp_path, train="a,x\nb,y\n", test="d,y\n")
    with pytest.raises(InputError, match="a test file is given but no validation file; give both"):
        files.corpus(given["train"], test=given["test"])


def test_a_label_that_training_lacks_is_named(tmp_path):
    given = written(tmp_path, train="a,x\nb,y\n", validation="c,x\n", test="d,y\ne,urgent\n")
    with pytest.raises(InputError, match=r"label 'urgent' in row 2 of '.*test.csv' is not one of x, y, which training"):
        files.corpus(given["train"], validation=given["validation"], test=given["test"])


def test_a_text_in_two_splits_is_named(tmp_path):
    given = written(tmp_path, train="A text!,x\nb,y\n", validation="c,x\n", test="d,y\na text,x\n")
    with pytest.raises(InputError, match=r"texts of '.*test.csv' stand in '.*train.csv' too \(1 of .*first in row 2"):
        files.corpus(given["train"], validation=given["validation"], test=given["test"])


def test_empty_texts_are_counted(tmp_path):
    rows = pd.DataFrame({"text": ["a", " ", "b", "", ""], "label": list("xyxyx")})
    path = write(tmp_path / "a.csv", rows.to_csv(index=False))
    with pytest.raises(InputError, match=r"text in row 2 of .* is empty, and in 2 more rows; fill them or delete"):
        files.read(path)
