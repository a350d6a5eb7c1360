"""Cheap ways to find an answer give pieces of the context, and the best sentence is the best."""

import tiny_extraction as tiny
from datasets import Dataset

from helpers import Extraction
from helpers.tasks.extraction import baselines
from helpers.tasks.extraction.spans import NOTHING

CONTEXT = "Dr. Ames left Oslo in May. The ship 👍 sank.\nA cat slept there. A cat slept there. Nobody was hurt!"
ROWS = [
    tiny.row("Did the ship sink?", CONTEXT, "sank"),
    tiny.row("Who slept?", CONTEXT, "A cat"),
    tiny.row("Why?", " "),
]
TEST = Dataset.from_list(ROWS)


def test_every_finder_answers_with_a_piece_of_the_context():
    found = [baselines.random_span(TEST, TEST, seed=seed) for seed in range(20)]
    found += [baselines.overlapping_sentence(TEST), baselines.closest_sentence(TEST)]
    for spans in found:
        assert spans[2] is NOTHING
        for span in spans[:2]:
            assert span.text == CONTEXT[span.start : span.end] != ""
            assert Extraction(threshold=1e9).answer_text(span) == span.text
    assert {len(spans[0].text.split()) for spans in found[:20]} == {1, 2}
    assert len({spans[0].start for spans in found[:20]}) > 5


def test_the_sentence_is_the_nearest_one():
    assert baselines.overlapping_sentence(TEST)[0].text == "The ship 👍 sank."
    assert baselines.closest_sentence(TEST)[0].text == "The ship 👍 sank."
    assert baselines.overlapping_sentence(TEST)[1].start == CONTEXT.index("A cat")


def test_never_answering_is_right_where_there_is_no_answer():
    assert Extraction().per_row(baselines.no_answer(TEST), [["sank"], [], []]).tolist() == [0, 1, 1]
