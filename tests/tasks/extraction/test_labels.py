"""An answer is found in the tokens of its windows, wherever it stands."""

import random
import unicodedata

import pytest
import tiny_extraction as tiny
from datasets import Dataset

from helpers import Extraction
from helpers.errors import InputError
from helpers.tasks.extraction.spans import unpack_offsets, whole_graphemes

# The last characters of each are without a token in an uncased vocabulary, or are part of a letter before.
ODD = [
    "cafe\u0301",
    "ก็",
    "नमस्ते",
    "\u2764\ufe0f",
    "end\u200b",
    "e\u0301\u0323",
    "한국",
    "קָטָן",
    "مُحَمَّد",
    "i\u0307",
    "a\u00ad",
    "ở",
    "x\u200d",
]


def encode(*rows: dict, task: Extraction = tiny.TASK) -> list[dict]:
    return task.encode(tiny.tokenizer(), Dataset.from_list(list(rows))).to_list()


@pytest.mark.parametrize("word", ODD)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_answer_at_either_end_of_a_context_is_learnt(word, form):
    word = unicodedata.normalize(form, word)
    for context in (f"He said {word}", f"{word} he said", word):
        (window,) = encode(tiny.row("What?", context, word))
        (inside,) = encode({**tiny.row("What?", f"He {word} it"), "answers": {"text": [word], "answer_start": [3]}})
        assert window["start"] > 0 and window["end"] - window["start"] == inside["end"] - inside["start"]


def test_the_tokens_of_an_answer_lie_in_one_window_at_least_and_nowhere_are_others():
    draw = random.Random(0)
    rows, task = [], Extraction(max_length=32, stride=8)
    for _ in range(300):
        words = [
            unicodedata.normalize(draw.choice(("NFC", "NFD")), word)
            for word in draw.choices([*ODD, "so", "He"], k=draw.randrange(1, 30))
        ]
        number = draw.randrange(len(words))
        start = len(" ".join([*words[:number], ""]))
        answers = {"text": [words[number]], "answer_start": [start]}
        rows.append({"question": "Q", "context": " ".join(words), "answers": answers})
    tokens = tiny.tokenizer()([row["context"] for row in rows], add_special_tokens=False, return_offsets_mapping=True)
    found = dict.fromkeys(range(len(rows)), 0)
    for window in encode(*rows, task=task):
        row, example = rows[window["example"]], window["example"]
        begin = row["answers"]["answer_start"][0]
        begin, stop = whole_graphemes(row["context"], begin, begin + len(row["answers"]["text"][0]))
        touched = {(a, b) for a, b in tokens["offset_mapping"][example] if a < stop and b > begin}
        offsets, first = unpack_offsets(window["offsets"]), window["first"]
        own = set(map(tuple, offsets.tolist()))
        assert bool(window["start"]) == (touched <= own)
        if window["start"]:
            found[example] += 1
            assert set(map(tuple, offsets[window["start"] - first : window["end"] - first + 1].tolist())) == touched
    assert all(found.values())


def test_an_answer_that_the_model_cannot_read_is_named():
    with pytest.raises(InputError, match="answer '\u200b' in row 1 has no token"):
        encode(tiny.row("What?", "a \u200b b", "\u200b"))
