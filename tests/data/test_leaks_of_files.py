"""What other people's files hold is found as the model sees it: beginnings of chats, words, comments, hidden labels."""

import json

import numpy as np
import pytest
import tiny
from datasets import Dataset

from helpers import fit
from helpers.corpora.mail import read as read_mail
from helpers.errors import InputError
from helpers.tasks.extraction import files as questions
from helpers.tasks.generation import files as chats
from helpers.tasks.tagging import files as tags
from helpers.tasks.tagging.task import Tagging


def write(path, rows: list[dict]):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def conversation(number: int, exchanges: int) -> dict:
    turns = []
    for place in range(exchanges):
        turns.append({"role": "user", "content": f"question {place} of {number}"})
        turns.append({"role": "assistant", "content": f"answer {place} of {number}"})
    return {"messages": turns}


def supervised(row: dict) -> set[str]:
    """Every answer of a chat with what stands before it."""
    texts = [turn["content"] for turn in row["messages"]]
    return {"|".join(texts[: place + 1]) for place, turn in enumerate(row["messages"]) if turn["role"] == "assistant"}


def test_a_conversation_and_its_own_beginnings_stay_on_one_side(tmp_path):
    rows = [conversation(number, length) for number in range(60) for length in (1, 2, 3)]
    data = chats.corpus(write(tmp_path / "a.jsonl", rows)).data
    answers = [set.union(*(supervised(row) for row in part)) for part in data.values()]
    assert sum(map(len, answers)) == len(set.union(*answers)) == 180


def test_a_test_file_of_beginnings_of_training_chats_is_refused(tmp_path):
    whole = write(tmp_path / "train.jsonl", [conversation(number, 3) for number in range(30)])
    other = write(tmp_path / "validation.jsonl", [conversation(number, 2) for number in range(90, 99)])
    begun = write(tmp_path / "test.jsonl", [conversation(number, 1) for number in (80, 3, 4)])
    with pytest.raises(InputError, match=r"2 chats of .*test.* share a beginning, answer included, .* in row 2; move"):
        chats.corpus(whole, validation=other, test=begun)
    fresh = write(tmp_path / "fresh.jsonl", [conversation(number, 1) for number in (80, 81)])
    assert chats.corpus(whole, validation=other, test=fresh).card.rows["test"] == 2


def test_chats_that_only_greet_alike_are_no_leak(tmp_path):
    rows = [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"Hello {number}"}]
         + conversation(number, 1)["messages"]}
        for number in range(40)
    ]  # fmt: skip
    assert sum(chats.corpus(write(tmp_path / "a.jsonl", rows)).card.rows.values()) == 40


@pytest.mark.parametrize(
    "context, answer, start",
    [
        ("In 2010 there were 10 people", "10", 19),
        ("She started an art school", "art", 15),
        ("They said he came", "he", 10),
        ("only inside: 2010", "10", 15),
    ],
)
def test_an_answer_is_placed_where_it_is_a_word(tmp_path, context, answer, start):
    rows = [{"question": "What?", "context": context, "answers": answer}]
    assert questions.read(write(tmp_path / "a.jsonl", rows))["answers"].iloc[0] == {
        "text": [answer],
        "answer_start": [start],
    }


CONLL = (
    "# id 5239-ab\tdomain=train\n# a comment of some words\nAnn\t_\t_\tB-PER\nsings\t_\t_\tO\n\n"
    "#\t_\t_\tO\n1\t_\t_\tO\n"
)


def test_comments_above_a_sentence_are_no_words_and_a_word_may_be_a_hash(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(CONLL, encoding="utf-8")
    rows = tags.read(path)
    assert rows["tokens"].tolist() == [["Ann", "sings"], ["#", "1"]]
    names = tags.tag_names(rows, path)
    assert Tagging(tuple(names)).spans


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_that_is_no_id_is_named_with_its_row(label):
    rows = Dataset.from_dict({"text": ["w1", "w2"], "label": [0, label]})
    with pytest.raises(InputError, match=f"label {label} in row 2 is no id from 0 to 1"):
        fit(tiny.TASK, tiny.model(), tiny.tokenizer(), rows)
    assert len(tiny.TASK.predict(tiny.model(), tiny.TASK.encode(tiny.tokenizer(), rows))) == 2  # it is not read


@pytest.mark.parametrize("date", ["Fri, 1 Jan 99999 00:00:00 +0000", "Fri, 1 Jan 2002 00:00:00 +99999999999", "never"])
def test_a_mail_with_an_impossible_date_has_none(date):
    assert read_mail(f"Date: {date}\nSubject: x\n\nbody\n".encode())["date"] == ""


def test_spans_over_random_contexts_are_words_wherever_there_is_one():
    from helpers.text import whole_word_spans

    random = np.random.default_rng(0)
    for _ in range(500):
        context = "".join(random.choice(list("ab 1."), size=30))
        word = "".join(random.choice(list("ab1"), size=2))
        spans = whole_word_spans(word, context)
        padded = f" {context} "
        tried = [i for i in range(len(context)) if context.startswith(word, i)
                 and not padded[i].isalnum() and not padded[i + len(word) + 1].isalnum()]  # fmt: skip
        assert [start for start, _ in spans] == tried
