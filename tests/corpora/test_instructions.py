"""The mixture of tasks keeps each task's answers, and nothing that one task tests on is trained on by another."""

import json

import pandas as pd
import pytest

from helpers import corpora
from helpers.corpora import instructions
from helpers.data.corpus import tag_rows
from helpers.data.splits import normalised
from helpers.errors import InputError

pytestmark = pytest.mark.slow  # eight corpora are read


@pytest.fixture(scope="module")
def corpus():
    return corpora.load("instructions")


def of(corpus, task: str, split: str = "train") -> list[dict]:
    rows = [row for row in corpus.data[split] if row["group"].startswith(f"{task}/")]
    assert rows, f"no row of {task}"
    return rows


def test_every_task_is_in_every_split_and_none_outweighs_the_others(corpus):
    for split, part in corpus.data.items():
        sizes = pd.Series(part["group"][:]).str.split("/").str[0].value_counts()
        assert set(sizes.index) == set(instructions.WORDINGS)
        assert sizes.max() == instructions.ROWS[split]


def test_no_prompt_and_no_group_stands_in_two_splits(corpus):
    for column in ("prompt", "group"):
        sides = [set(normalised(pd.Series(part[column][:]))) for part in corpus.data.values()]
        assert sum(map(len, sides)) == len(set.union(*sides))


def test_a_library_that_one_task_holds_out_is_not_trained_on_by_another(corpus):
    libraries = {
        split: {name.split("/")[1] for name in part["group"] if name.startswith(("docstrings/", "parameters/"))}
        for split, part in corpus.data.items()
    }
    assert not libraries["train"] & (libraries["validation"] | libraries["test"])
    assert not libraries["validation"] & libraries["test"]
    assert corpus.card.removed["held out by another task"] > 100


def test_answers_are_what_the_instruction_asks_for(corpus):
    assert {row["completion"] for row in of(corpus, "boolq")} == {"yes", "no"}
    assert {row["completion"] for row in of(corpus, "reviews")} == {"fresh", "rotten"}
    assert all(row["completion"] in row["prompt"] for row in of(corpus, "news"))  # the wordings name the sections
    assert all(set(json.loads(row["completion"])) == {"name", "type", "default"} for row in of(corpus, "parameters"))
    for row in of(corpus, "questions"):
        assert row["completion"] == "none" or row["completion"] in row["prompt"]
    for row in of(corpus, "brown"):
        assert all(name == "none" or name in row["prompt"] for name in row["completion"].split("; "))


def test_all_wordings_of_a_task_are_used(corpus):
    for task, wordings in instructions.WORDINGS.items():
        for wording in wordings:
            fixed = max(wording.split("{}"), key=len).strip()
            assert any(fixed in row["prompt"] for row in of(corpus, task)), f"{task} never asks: {fixed}"


def test_names_are_read_from_their_tags():
    tokens, tags = ["Ann", "Lee", "met", "Bo", "Ed", "."], ["B-PER", "I-PER", "O", "B-PER", "B-PER", "O"]
    frame = pd.DataFrame({"tokens": [tokens], "tags": [tags], "group": ["a"]})
    rows = instructions._names(tag_rows(frame, ["O", "B-PER", "I-PER"]))
    assert rows["answer"].tolist() == ["Ann Lee; Bo; Ed"]


def test_what_a_later_split_has_leaves_the_earlier_ones():
    def frame(*rows):
        return pd.DataFrame(rows, columns=["text", "group"])

    kept, removed = instructions._apart(
        {
            "train": frame(("one", "docstrings/numpy"), ("two", "reviews/a"), ("Three!", "reviews/b")),
            "validation": frame(("two", "reviews/c")),
            "test": frame(("four", "parameters/numpy"), ("three", "news/d")),
        }
    )
    assert {name: list(part["text"]) for name, part in kept.items()} == {
        "train": [],
        "validation": ["two"],
        "test": ["four", "three"],
    }
    assert removed == {"held out by another task": 1, "text seen before": 2}


def test_the_rows_are_the_same_each_time(corpus):
    assert corpora.load("instructions").card.sha256 == corpus.card.sha256


def test_a_path_is_refused_with_the_remedy():
    with pytest.raises(InputError, match="not of 'x'; leave it out"):
        corpora.load("instructions", path="x")
