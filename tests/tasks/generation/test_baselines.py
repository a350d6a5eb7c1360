"""The baselines of pairs look texts up and invent nothing."""

import pytest
from datasets import Dataset

from helpers.tasks.generation import baselines

TRAIN = Dataset.from_dict(
    {
        "prompt": ["Open the garage door.", "Restart the server now.", "The battery is low."],
        "completion": ["Ouvrez la porte du garage.", "Redémarrez le serveur.", "La batterie est faible."],
    }
)
BODY = "It opens a file. The file is read line by line, and the lines of the file are kept. Errors are raised."


def rows(*prompts: str) -> Dataset:
    return Dataset.from_dict({"prompt": list(prompts)})


def test_copying_returns_the_prompts():
    assert baselines.copied_prompt(rows("a b", "c")) == ["a b", "c"]


def test_the_memory_returns_what_stands_beside_the_nearest_prompt():
    found = baselines.translation_memory(
        TRAIN, rows("Low battery", "Open the door of the garage", "Restart the server now.")
    )
    assert found == [TRAIN["completion"][i] for i in (2, 0, 1)]


def test_the_memory_answers_even_where_nothing_is_similar():
    assert baselines.translation_memory(TRAIN, rows("zzz")) == [TRAIN["completion"][0]]


def test_lead_takes_the_first_sentence():
    assert baselines.lead(rows(BODY, "no stop", "")) == ["It opens a file.", "no stop", ""]


def test_the_central_sentence_shares_most_with_the_others():
    train = rows(BODY, "Something else is said here.", "Errors are rare. Words differ.")
    assert baselines.centroid_sentence(train, rows(BODY, "Only one sentence.")) == [
        "The file is read line by line, and the lines of the file are kept.",
        "Only one sentence.",
    ]


def test_a_memory_says_how_similar_the_string_is_that_it_answers_with():
    train = Dataset.from_dict({"prompt": ["Restart the server", "Open the door"], "completion": ["a", "b"]})
    asked = Dataset.from_dict({"prompt": ["Open the doors", "Restart the server", "Zyx"]})
    texts, similarities = baselines.remembered(train, asked)
    assert texts == baselines.translation_memory(train, asked) == ["b", "a", "a"]
    assert similarities[1] == pytest.approx(1) and 0.5 < similarities[0] < 1 and similarities[2] == 0
