"""How answers are compared: by hand, and as an independent implementation of SQuAD's script compares them."""

import random

import pytest
from torchmetrics.functional.text import squad as reference

from helpers.metrics import squad


@pytest.mark.parametrize(
    ("text", "expected"),
    [("The  Cat.", "cat"), ("a-b", "ab"), ("an apple, a day", "apple day"), ("Theatre", "theatre"), ("the", "")],
)
def test_normalisation(text, expected):
    assert squad.normalised(text) == expected


def test_scores_by_hand():
    assert squad.f1("the red cat", ["a cat", "dog"]) == pytest.approx(2 / 3)
    assert squad.f1("cat cat", ["cat"]) == pytest.approx(2 / 3)
    assert squad.exact("The cat!", ["dog", "cat"]) == 1
    assert squad.exact("cat", ["cats"]) == 0


def test_a_question_without_answer_wants_the_empty_answer():
    for right in ([], ["the", "..."]):
        assert squad.f1("", right) == squad.exact("", right) == 1
        assert squad.f1("cat", right) == squad.exact("cat", right) == 0
    assert squad.f1("", ["cat"]) == squad.exact("", ["cat"]) == 0


def test_scores_agree_with_a_peer_on_random_texts():
    draw = random.Random(0)
    words = [
        "the",
        "a",
        "an",
        "The",
        "cat",
        "Cat,",
        "dog's",
        "3.5",
        "x-y",
        "...",
        "été",
        "ÉTÉ",
        "漢字",
        "👍",
        " ",
        "\n",
    ]

    def text() -> str:
        # The peer counts a text of which nothing is left otherwise (as version 1 of the script), so one word stays.
        return " ".join([*draw.choices(words, k=draw.randrange(6)), "cat"])

    for _ in range(500):
        answer, right = text(), [text() for _ in range(draw.randrange(1, 4))]
        target = {"answers": {"text": right, "answer_start": [0] * len(right)}, "id": "1"}
        peer = reference({"prediction_text": answer, "id": "1"}, target)
        assert squad.exact(answer, right) == pytest.approx(peer["exact_match"].item() / 100)
        assert squad.f1(answer, right) == pytest.approx(peer["f1"].item() / 100)
