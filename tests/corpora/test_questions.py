"""The corpora of questions leak nothing and have their answers in place; a reader's files are read or refused."""

import json

import pandas as pd
import pytest
from datasets import Dataset

from helpers import corpora
from helpers.corpora import questions
from helpers.data import splits
from helpers.errors import InputError
from helpers.tasks.extraction import files


@pytest.fixture(scope="module")
def corpus():
    return corpora.load("questions")


@pytest.fixture(scope="module")
def boolq():
    return corpora.load("boolq")


def test_the_questions_are_as_counted(corpus):
    # NarrativeQA and QuAC hold 3,000 questions each, Disfl-QA 1,000.
    assert sum(corpus.card.rows.values()) + sum(corpus.card.removed.values()) == 7_000
    for split, count in corpus.card.rows.items():
        assert len(corpus.data[split]) == count == sum(corpus.card.labels[split].values())
    kinds = pd.DataFrame(corpus.card.labels).sum(axis=1)
    assert kinds["QuAC, no answer"] > 400 and kinds["Disfl-QA, no answer"] > 200
    assert "NarrativeQA, no answer" not in kinds
    assert kinds["QuAC, answer"] > 2_400 and kinds["Disfl-QA, answer"] > 700 and kinds["NarrativeQA, answer"] > 1_700


def test_every_answer_stands_where_it_says(corpus):
    for part in corpus.data.values():
        for row in part:
            for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True):
                assert row["context"][start : start + len(text)] == text != ""


@pytest.mark.parametrize(("name", "column"), [("questions", "context"), ("boolq", "text")])
def test_no_passage_stands_in_two_splits(name, column, request):
    data = request.getfixturevalue("corpus" if name == "questions" else name).data
    groups = [set(part["group"]) for part in data.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    texts = [set(splits.normalised(pd.Series(part[column][:]))) for part in data.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))


def test_the_yes_no_questions_are_as_counted(boolq):
    assert boolq.labels == ("no", "yes")
    assert sum(boolq.card.rows.values()) + sum(boolq.card.removed.values()) == 15_942
    shares = [counts["yes"] / sum(counts.values()) for counts in boolq.card.labels.values()]
    assert max(shares) - min(shares) < 0.03


def test_answers_of_several_people_are_taken_apart():
    passage = "She went to Rome in May. She stayed there, in a hotel. Then she left."
    glued = "in May. She stayed there, in a hotel. She stayed there, Then she left."
    assert questions._pieces(glued, passage) == [
        "in May. She stayed there, in a hotel.",
        "She stayed there",
        "Then she left.",
    ]
    assert questions._pieces("CANNOTANSWER CANNOTANSWER", passage) == ["CANNOTANSWER", "CANNOTANSWER"]


def test_an_answer_is_found_whatever_its_case_and_blanks():
    context = "It cost 40 , 000 pounds , said Ann ' s friend ."
    for text, found in (("40,000", "40 , 000"), ("ann's Friend", "Ann ' s friend"), ("POUNDS", "pounds")):
        start, end = questions._find(text, context, "?")
        assert context[start:end] == found
    assert questions._find("pound", context, "?") is None
    assert questions._find(" ", context, "?") is None


def test_of_several_places_the_one_near_the_question_s_words_is_taken():
    context = "Ann slept. " + "So it was. " * 30 + "A ship brought Ann home."
    assert questions._find("Ann", context, "Whom did the ship bring?")[0] > 100


def test_the_gpu_scale_reads_the_hub_s_layout(tmp_path):
    for split, count in (("train", 60), ("validation", 12)):
        rows = [
            {
                "id": str(i),
                "title": f"{split} {i // 3}",
                "question": f"Which number is {i}?",
                "context": f"It is {i} here",
                "answers": {"text": [str(i)] if i % 3 else [], "answer_start": [6] if i % 3 else []},
            }
            for i in range(count)
        ]
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    found = corpora.load("questions", path=str(tmp_path))
    assert found.card.rows["test"] == 12
    assert found.card.rows["train"] + found.card.rows["validation"] == 60
    assert found.data["test"][1]["answers"] == {"text": ["1"], "answer_start": [6]}


def test_the_gpu_scale_reads_boolq_in_the_hub_s_layout(tmp_path):
    for split, count in (("train", 80), ("validation", 10)):
        rows = [{"question": f"is it {i}", "passage": f"{split} {i}", "answer": i % 2 == 0} for i in range(count)]
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    found = corpora.load("boolq", path=str(tmp_path))
    assert found.card.rows["test"] == 10
    assert found.data["test"][0]["text"] == "is it 0? validation 0"


def test_a_passage_of_the_published_test_set_leaves_training(tmp_path):
    for split, count in (("train", 80), ("validation", 10)):
        rows = [{"question": f"is it {i}", "passage": f"{split} {i}", "answer": i % 2 == 0} for i in range(count)]
        rows.append({"question": f"is this of {split}", "passage": "Shared passage.", "answer": True})
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    found = corpora.load("boolq", path=str(tmp_path))
    assert found.card.removed == {"passage stands in the test set": 1}
    assert found.card.rows["train"] + found.card.rows["validation"] == 80
    assert [text for part in found.data.values() for text in part["text"] if "Shared" in text] == [
        "is this of validation? Shared passage."
    ]


# Anyone's own files


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
    found = files.labelled(path, "q", "c", "a")["answers"].tolist()
    assert found[:3] == [
        {"text": ["cat"], "answer_start": [10]},
        {"text": ["cat", "dog"], "answer_start": [10, 20]},
        {"text": ["a"], "answer_start": [18]},
    ]
    assert found[3:] == [{"text": [], "answer_start": []}] * 4


def test_a_csv_file_may_hold_squad_s_answers_as_json(tmp_path):
    row = {"question": "What?", "context": "a cat", "answers": json.dumps({"text": ["cat"], "answer_start": [2]})}
    pd.DataFrame([row, row | {"answers": "cat"}, row | {"answers": ""}]).to_csv(tmp_path / "q.csv", index=False)
    found = files.labelled(tmp_path / "q.csv", "question", "context", "answers")["answers"].tolist()
    assert found == [{"text": ["cat"], "answer_start": [2]}] * 2 + [{"text": [], "answer_start": []}]


@pytest.mark.parametrize("answer", ["dog", {"text": ["cat"], "answer_start": [3]}])
def test_an_answer_that_does_not_stand_in_its_context_is_named(tmp_path, answer):
    path = jsonl(
        tmp_path / "q.jsonl", {"q": "What?", "c": "a cat", "a": "cat"}, {"q": "What?", "c": "a cat", "a": answer}
    )
    with pytest.raises(InputError, match=r"the answer '\w+' in row 2 of '.*' does not stand in its context; copy it"):
        files.labelled(path, "q", "c", "a")


def test_answers_that_are_numbers_are_named(tmp_path):
    answer = {"text": [1999], "answer_start": [3]}
    path = jsonl(tmp_path / "q.jsonl", {"q": "When?", "c": "in 1999", "a": answer})
    with pytest.raises(InputError, match=r"the answers in row 1 of '.*' are \{'text': \[1999\]"):
        files.labelled(path, "q", "c", "a")


def test_a_missing_column_is_named(tmp_path):
    path = jsonl(tmp_path / "q.jsonl", {"q": "What?", "c": "a cat"})
    with pytest.raises(InputError, match=r"has no column 'answers'; it has q, c"):
        files.labelled(path, "q", "c", "answers")


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
        files.labelled(data, "question", "context", "answers")
