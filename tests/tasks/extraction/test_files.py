"""A reader's questions become a corpus with its answers in place, or are refused in one sentence."""

import json

import pandas as pd
import pytest

from helpers.errors import InputError
from helpers.tasks.extraction import files


def jsonl(path, *rows: dict) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_answers_are_read_as_text_as_list_or_as_squad_has_them(tmp_path):
    context = "Zoë saw a cat and a dog"
    given = [
        "cat",
        ["cat", "dog"],
        {"text": ["a"], "answer_start": [18]},
        "",
        None,
        [],
        {"text": [], "answer_start": []},
    ]
    path = jsonl(tmp_path / "q.jsonl", *({"q": "What?", "c": context, "a": answer} for answer in given))
    found = files.read(path, "q", "c", "a")["answers"].tolist()
    assert found[:3] == [
        {"text": ["cat"], "answer_start": [10]},
        {"text": ["cat", "dog"], "answer_start": [10, 20]},
        {"text": ["a"], "answer_start": [18]},
    ]
    assert found[3:] == [{"text": [], "answer_start": []}] * 4


def test_rows_in_which_an_answer_has_several_places_are_counted(tmp_path):
    rows = [
        {"q": "What?", "c": "art and art", "a": answer}
        for answer in ("art", ["and"], {"text": ["art"], "answer_start": [8]})
    ]
    path = jsonl(tmp_path / "q.jsonl", *rows, {"q": "What?", "c": "It started", "a": "art"})
    with pytest.warns(
        UserWarning, match="q.jsonl': in 2 of 4 rows an answer stands more than once in its context"
    ) as told:
        found = files.read(path, "q", "c", "a")["answers"].tolist()
    assert len(told) == 1 and [answers["answer_start"] for answers in found] == [[0], [4], [8], [5]]


def test_a_csv_file_may_hold_squad_s_answers_as_json(tmp_path):
    row = {"question": "What?", "context": "a cat", "answers": json.dumps({"text": ["cat"], "answer_start": [2]})}
    pd.DataFrame([row, row | {"answers": "cat"}, row | {"answers": ""}]).to_csv(tmp_path / "q.csv", index=False)
    found = files.read(tmp_path / "q.csv", "question", "context", "answers")["answers"].tolist()
    assert found == [{"text": ["cat"], "answer_start": [2]}] * 2 + [{"text": [], "answer_start": []}]


@pytest.mark.parametrize("answer", ["dog", {"text": ["dog"], "answer_start": [2]}])
def test_an_answer_that_does_not_stand_in_its_context_is_named(tmp_path, answer):
    path = jsonl(
        tmp_path / "q.jsonl", {"q": "What?", "c": "a cat", "a": "cat"}, {"q": "What?", "c": "a cat", "a": answer}
    )
    with pytest.raises(InputError, match=r"the answer '\w+' in row 2 of '.*' does not stand in its context; copy it"):
        files.read(path, "q", "c", "a")


def test_answers_that_are_numbers_keep_their_spelling(tmp_path):
    answer = {"text": [1999], "answer_start": [3]}
    path = jsonl(tmp_path / "q.jsonl", {"q": "When?", "c": "in 1999", "a": answer})
    assert files.read(path, "q", "c", "a")["answers"].iloc[0] == {"text": ["1999"], "answer_start": [3]}


def test_an_answer_at_another_place_is_told_where_it_stands(tmp_path):
    answer = {"text": ["cat"], "answer_start": [3]}
    path = jsonl(tmp_path / "q.jsonl", {"q": "What?", "c": "a cat", "a": answer})
    with pytest.raises(InputError, match="does not stand at character 3 of its context but at 2;"):
        files.read(path, "q", "c", "a")


def test_a_missing_column_is_named(tmp_path):
    path = jsonl(tmp_path / "q.jsonl", {"q": "What?", "c": "a cat"})
    with pytest.raises(InputError, match=r"has no column 'answers'; it has q, c"):
        files.read(path, "q", "c", "answers")


def test_a_file_is_split_by_context(tmp_path):
    rows = [{"question": f"What {i}?", "context": f"cat {i // 3}", "answers": "cat"} for i in range(60)]
    found = files.corpus(jsonl(tmp_path / "q.jsonl", *rows, rows[0]))
    assert sum(found.card.rows.values()) == 60
    assert found.card.removed == {"duplicate": 1}
    groups = [set(part["group"]) for part in found.data.values()]
    assert all(groups) and sum(map(len, groups)) == len(set.union(*groups))


def test_two_contexts_cannot_be_split(tmp_path):
    rows = [{"question": f"What {i}?", "context": f"cat {i % 2}", "answers": "cat"} for i in range(20)]
    with pytest.raises(InputError, match="holds 2 different contexts; a split into three needs at least three"):
        files.corpus(jsonl(tmp_path / "q.jsonl", *rows))


def test_a_context_in_two_files_is_named(tmp_path):
    row = {"question": "What?", "context": "a cat", "answers": "cat"}
    paths = {
        name: jsonl(tmp_path / f"{name}.jsonl", row | {"context": context})
        for name, context in (("train", "a cat"), ("validation", "one cat"), ("test", "A cat!"))
    }
    with pytest.raises(InputError, match=r"test.jsonl' stand in '.*train.jsonl' too"):
        files.corpus(paths["train"], validation=paths["validation"], test=paths["test"])


@pytest.mark.parametrize(
    "answers",
    [
        {"text": "Anna", "answer_start": 0},
        {"text": None, "answer_start": None},
        {"text": ["Anna"], "answer_start": [0.0]},
        {"text": [], "answer_start": [0]},
        {"text": ["Anna"], "answer_start": []},
    ],
)
def test_answers_that_are_not_squad_s_are_refused(tmp_path, answers):
    data = jsonl(tmp_path / "a.jsonl", {"question": "Who?", "context": "Anna ran.", "answers": answers})
    with pytest.raises(InputError, match=r"the answers in row 1 of .*a.jsonl' are .*; write as many texts"):
        files.read(data, "question", "context", "answers")
