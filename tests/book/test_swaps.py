"""A text about another person differs from the first in words of the lists alone, and twice swapped it is the same."""

import numpy as np
import pytest

from helpers import corpora
from helpers.book import swaps


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("She gave her best to him, and he saw her.", "He gave his best to her, and she saw him."),
        ("HIS mother Mary left her at home", "HER father John left him at home"),
        ("Her films, herself", "His films, himself"),
        ("Mr. Smith is an actor; the actress is Susan.", "Ms. Smith is an actress; the actor is Michael."),
        ("Nothing changes here, not even in the theatre or a shepherd's hut.", None),
    ],
)
def test_pronouns_nouns_and_names_are_exchanged(text, other):
    assert swaps.other_gender(text) == (other or text)


def test_the_control_keeps_gender_and_all_but_names():
    text = "John met Mary, and he liked her."
    assert swaps.other_name(text) == "James met Jennifer, and he liked her."
    first, second = zip(*swaps.NAMES, strict=True)
    for names in (first, second):
        assert {swaps.other_name(name) for name in names} == set(names), "of the same gender, each once"


def test_no_name_or_word_stands_twice():
    for pairs in (swaps.NAMES, swaps.PAIRS):
        words = [word for pair in pairs for word in pair]
        assert len(words) == len(set(words))


def test_what_is_swapped_twice_is_what_it_was_but_for_her():
    texts = [text for text in corpora.load("reviews").data["test"]["text"] if " her" not in f" {text.lower()}"]
    # him and his both become her, which cannot be told apart on the way back
    texts = [text for text in texts if not {"him", "his"} & set(text.lower().replace("'", " ").split())][:400]
    lower = [swaps.other_gender(swaps.other_gender(text)).lower() for text in texts]
    assert sum(a == b.lower() for a, b in zip(lower, texts, strict=True)) > 0.98 * len(texts)


def test_only_what_changes_is_returned():
    places, new = swaps.changed(["a cat", "he sat", "a mat", "she ran"], swaps.other_gender)
    assert (places, new) == ([1, 3], ["she sat", "he ran"])


def test_a_verdict_turns_where_the_likelier_label_does():
    chances = np.array([[0.9, 0.6, 0.1], [0.6, 0.4, 0.6], [0.2, 0.8, 0.2], [0.5, 0.5, 0.5]])
    assert swaps.turned(chances).tolist() == [False, True, True, False]
    assert swaps.turned(chances[:, [0, 2]]).tolist() == [True, False, False, False]
