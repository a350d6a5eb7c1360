"""An answer given as a text gets its place, and a place that is wrong is told with the unit that fits."""

import random

import pytest

from helpers.tasks.extraction import places


def test_an_answer_is_placed_as_a_word_before_parts_of_words():
    for text, context, place in (
        ("10", "In 2010 there were 10 people", 19),
        ("art", "She started an art school", 15),
        ("he", "They said he came", 10),
        ("art", "She started", 6),
        ("x", "no", -1),
    ):
        assert places.place(text, context) == place
    assert [places.ambiguous("art", text) for text in ("an art school", "started", "art and art")] == [
        False,
        True,
        True,
    ]


def test_rows_in_which_a_place_was_chosen_are_counted():
    contexts = ["art and art", "an art", "started", "none"]
    assert places.choice_note([["art"], ["art"], ["art"], []], contexts).startswith(
        "in 2 of 4 rows an answer stands more"
    )
    assert places.choice_note([["art"], []], contexts[1:3]) is None


COUNTS = {
    "UTF-16 units": lambda before: len(before.encode("utf-16-le")) // 2,
    "bytes": lambda before: len(before.encode()),
    "characters from 1": lambda before: len(before) + 1,
}


@pytest.mark.parametrize("unit", COUNTS)
def test_a_place_in_another_unit_is_recognised(unit):
    draw = random.Random(1)
    for _ in range(200):
        before = "".join(draw.choices(["\U0001f44d", "é", "a", " ", "漢"], k=draw.randrange(1, 30))) + "\U0001f44d "
        start = COUNTS[unit](before)
        said = places.misplaced("Anna", before + "Anna left", start)
        assert said.startswith(f"does not stand at character {start} of its context but at {len(before)};")
        assert (
            "answer_start seems to count" in said and unit in said.partition(", so count the characters before it")[0]
        )
        assert places.misplaced("Anna", before + "Anna left", len(before)) is None


@pytest.mark.parametrize(
    ("text", "context", "start", "said"),
    [
        ("Anna", "x Anna", 9, "does not stand at character 9 of its context but at 2; count the characters"),
        ("a", "a a a a a", 1, "but at 0 and 2 and 4 and elsewhere; answer_start"),
        ("left", "one\r\ntwo\r\nleft", 8, "seems to count line ends as one character"),
        ("caf\u00e9", "the cafe\u0301", 4, "stands in its context in another Unicode form only"),
        ("anna", "Anna left", 0, "stands in its context in other capitals only"),
        ("Boris", "Anna left", 0, "does not stand in its context; copy it letter by letter"),
        ("Anna", "Anna left", -9, "does not stand at character -9 of its context but at 0"),
        (" ", "Anna left", 4, "does not stand in its context"),
    ],
)
def test_what_is_wrong_with_a_place_is_said(text, context, start, said):
    assert said in places.misplaced(text, context, start)
