"""The corpora of questions leak nothing and have their answers in place."""

import pandas as pd
import pytest
from datasets import Dataset

from helpers import corpora
from helpers.corpora import questions
from helpers.data import splits


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
