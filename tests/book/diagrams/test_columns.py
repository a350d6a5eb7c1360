"""Drawings of tokens with something below each: within their width, and true to what they get."""

from xml.etree import ElementTree

import pytest

from helpers.book.diagrams import canvas
from helpers.book.diagrams.columns import hidden, numbered
from helpers.errors import InputError

TEXT = ["[CLS]", "an", "un", "##rep", "##ent", "##antly", "goofy", "film", "and", "a", "wonderful", "one", "[SEP]"]
SEEN = [*TEXT[:6], "[MASK]", "film", "piano", "a", "wonderful", "one", "[SEP]"]
WAYS = [*[""] * 6, "masked", "", "random", "", "kept", "", ""]
DRAWN = {"numbered": numbered(TEXT, range(1000, 1013)), "hidden": hidden(TEXT, SEEN, WAYS)}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("form", ["wide", "narrow"])
def test_every_token_has_room_for_its_text_and_lies_within_the_drawing(name, form):
    svg = ElementTree.fromstring(getattr(DRAWN[name], form))
    _, _, width, height = map(float, svg.get("viewBox").split())
    boxes = [tuple(float(box.get(key)) for key in ("x", "y", "width", "height")) for box in svg.iter("rect")]
    assert all(x >= 0 and x + wide <= width and y + high <= height for x, y, wide, high in boxes)
    overlap = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if abs(a[1] - b[1]) < a[3] and a[0] < b[0] + b[2] and b[0] < a[0] + a[2]
    ]
    assert not overlap
    for text in svg.iter("text"):
        if text.get("class") == "mono":
            assert canvas.span(text.text, canvas.SMALL, mono=True) <= max(wide for _, _, wide, _ in boxes)


def test_what_is_asked_for_is_coloured_by_what_was_done_to_it_and_the_rest_is_faint():
    svg = ElementTree.fromstring(DRAWN["hidden"].wide)
    kinds = [box.get("class") for box in svg.iter("rect")]
    assert [kinds.count(f"token {kind}") for kind in ("new", "bad", "good", "faint")] == [2, 2, 2, 20]
    words = [text.text for text in svg.iter("text")]
    assert [words.count(way) for way in ("masked", "random", "kept")] == [1, 1, 1]
    assert "“goofy” masked, “and” random, “wonderful” kept" in DRAWN["hidden"].description


def test_ids_stand_below_their_tokens():
    svg = ElementTree.fromstring(DRAWN["numbered"].narrow)
    place = {text.text: (float(text.get("x")), float(text.get("y"))) for text in svg.iter("text")}
    for token, number in zip(TEXT, range(1000, 1013), strict=True):
        (x, y), (u, v) = place[token], place[str(number)]
        assert x == u and 0 < v - y < 40
    assert "[CLS] 1000, an 1001" in DRAWN["numbered"].description


def test_numbers_that_differ_and_an_unknown_way_are_refused():
    with pytest.raises(InputError, match="2 tokens and 1 ids; give one id a token"):
        numbered(["a", "b"], [1])
    with pytest.raises(InputError, match="2 tokens, 1 seen and 2 ways; give one of each a token"):
        hidden(["a", "b"], ["a"], ["", ""])
    with pytest.raises(InputError, match="'eaten' is no way to hide a token; take masked, random, kept or nothing"):
        hidden(["a"], ["a"], ["eaten"])
