"""Words and sentences are cut by plain rules, and nothing of a text is lost."""

import random
from itertools import pairwise

import pytest
import regex

from helpers import text


def test_words_of_chinese_are_its_characters():
    assert text.words("Read the file.") == ["Read", "the", "file."]
    assert text.words("读取 JSON文件。") == ["读", "取", "JSON", "文", "件", "。"]


def test_sentences_keep_all_of_the_text():
    written = 'He said "no." Then, e.g. Monday, it (really!) rained. Mr. X left? Yes'
    assert text.sentences(written) == ['He said "no."', "Then, e.g. Monday, it (really!) rained.", "Mr. X left?", "Yes"]
    assert text.sentences("第一句。第二句。") == ["第一句。", "第二句。"]
    assert text.sentences("") == []


ODD = [
    "cat",
    "naïve",
    "cafe\u0301",
    "👩\u200d👩\u200d👧\u200d👦",
    "🇫🇷🇩🇪",
    "👍🏽",
    "漢字",
    "한국",
    "नमस्ते",
    "مرحبا",
    "ก็",
    "-",
    "...",
]
ODD += ["'", "3.5", "U.S.", "x-y", "\u00a0", "\u3000", "\t", "\n", "\r\n", " ", "\u200b", "\ufeff", "\u0301", "\u200d"]
ODD += ["\u00ad", "\x00", "\u2028"]


def test_words_and_signs_hold_all_of_a_text_but_blanks_and_cut_no_character():
    draw = random.Random(0)
    for _ in range(5000):
        written = "".join(draw.choices(ODD, k=draw.randrange(12)))
        spans = text.word_spans(written)
        assert all(a < b for a, b in spans) and all(a <= b for (_, a), (b, _) in pairwise(spans))
        inside = [place for start, end in spans for place in range(start, end)]
        blanks = [place for place, sign in enumerate(written) if regex.match(r"\s", sign)]
        assert sorted(inside + blanks) == list(range(len(written))), written
        edges = {0} | {cluster.end() for cluster in regex.finditer(r"\X", written)} | {place + 1 for place in blanks}
        assert {place for span in spans for place in span} <= edges, written


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Ann Lee sings in Paris, at 3.5 p.m.", ["Ann", "Lee", "sings", "in", "Paris", ",", "at", "3.5", "p.m."]),
        ("Jean-Luc's well-known e-mail", ["Jean-Luc's", "well-known", "e-mail"]),
        ("(don't!) 40,000 U.S. a--b -x", ["(", "don't", "!", ")", "40,000", "U.S.", "a", "-", "-", "b", "-", "x"]),
        ("", []),
    ],
)
def test_words_are_cut_as_corpora_with_tags_have_them(written, words):
    assert [written[start:end] for start, end in text.word_spans(written)] == words


@pytest.mark.parametrize("piece", ["a", "-", "a-", "U.", "\u0301", "🇫🇷", "a🇫🇷", "1.", "a'", "漢", "\u200d"])
def test_a_text_that_is_made_to_take_long_is_cut_at_once(piece):
    written = piece * (200_000 // len(piece))
    assert text.word_spans(written)[-1][1] == len(written)


@pytest.mark.parametrize(
    ("texts", "characters"),
    [
        (["\u623f\u95f4\u5f88\u5e72\u51c0\uff0cok"], True),
        (["\u0e2b\u0e49\u0e2d\u0e07\u0e2a\u0e30\u0e2d\u0e32\u0e14"], True),
        (["The room is clean.", "Die Zimmer sind sauber."], False),
        (["\u041d\u043e\u043c\u0435\u0440 \u0447\u0438\u0441\u0442\u044b\u0439"], False),
        (["\ubc29\uc774 \uae68\ub057\ud574\uc694"], False),  # Korean has blanks
        (["a name such as \u5f20 in an English text"], False),
        (["12", ""], False),
        ([], False),
    ],
)
def test_characters_are_counted_where_words_have_no_blanks_between_them(texts, characters):
    assert (text.counted_units(texts).get("analyzer") == "char") == characters
