"""Extractive answers: windows, offsets to exact characters, legal spans, the threshold, and the way through `fit`."""

import random
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
import regex
import tiny_extraction as tiny
import torch
from datasets import Dataset
from transformers import AutoModelForQuestionAnswering

from helpers import Extraction, Recipe, corpora, fit, models
from helpers.errors import InputError
from helpers.tasks.extraction import task as module
from helpers.tasks.extraction.spans import (
    NOTHING,
    Span,
    answering_curve,
    best_spans,
    cropped_contexts,
    legal_spans,
    unpack_offsets,
    whole_graphemes,
)
from helpers.tasks.registry import from_dict
from helpers.training.optimizer import new_parameters

LONG = (
    "One two three. " * 6
    + "Zo\u00eb paid 40,000 kr\u00f3nur in Reykjav\u00edk. "
    + "Four five six seven eight nine. " * 12
)
PIECES = [
    "cat",
    "naïve",
    "cafe\u0301",
    "e\u0301\u0323",
    "👍",
    "👩‍👩‍👧‍👦",
    "🇫🇷🇩🇪",
    "👍🏽",
    "漢字",
    "한국",
    "नमस्ते",
    "مرحبا",
]
PIECES += [
    "\u00a0",
    "\u3000",
    "\t",
    "\n",
    "\r\n",
    "  ",
    "-",
    "...",
    "ﬁ",
    "İ",
    "ß",
    "\u200b",
    "x" * 30,
    "1,000",
    "\ufeff",
    "\u0301",
]


def encode(*rows: dict, task: Extraction = tiny.TASK) -> Dataset:
    return task.encode(tiny.tokenizer(), Dataset.from_list(list(rows)))


def test_windows_cover_the_context_and_overlap_by_the_stride():
    windows = encode(tiny.row("Who paid?", LONG)).to_list()
    assert len(windows) > 3
    assert all(len(window["input_ids"]) <= 48 for window in windows)
    offsets = [unpack_offsets(window["offsets"]) for window in windows]
    for before, after in pairwise(offsets):
        np.testing.assert_array_equal(before[-8:], after[:8])
    tokens = tiny.tokenizer()(LONG, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    joined = [tuple(pair) for pair in np.concatenate([offsets[0], *(part[8:] for part in offsets[1:])]).tolist()]
    assert joined == tokens


def test_labels_point_at_the_answer_and_at_nothing_elsewhere():
    windows = encode(tiny.row("Who paid?", LONG, "40,000 krónur")).to_list()
    found = []
    for window in windows:
        if window["start"]:
            offsets, first = unpack_offsets(window["offsets"]), window["first"]
            found.append(LONG[offsets[window["start"] - first, 0] : offsets[window["end"] - first, 1]])
        else:
            assert window["end"] == 0
    assert found and set(found) == {"40,000 krónur"}
    assert len(found) < len(windows)


def test_an_answer_cut_by_a_window_is_no_answer_there():
    task = Extraction(max_length=24, stride=0)
    context = " ".join(f"w{i}" for i in range(40))
    for window in encode(tiny.row("Who?", context, "w9 w10 w11 w12"), task=task).to_list():
        offsets = unpack_offsets(window["offsets"])
        inside = offsets[0, 0] <= context.index("w9") and context.index("w12") + 3 <= offsets[-1, 1]
        assert bool(window["start"]) == inside


def test_an_answer_that_does_not_stand_where_it_should_is_named():
    bad = {"question": "Who?", "context": "Anna left", "answers": {"text": ["Boris"], "answer_start": [0]}}
    with pytest.raises(InputError, match="answer 'Boris' in row 2 does not stand in its context; copy"):
        encode(tiny.row("Who?", "Anna left", "Anna"), bad)


def test_long_questions_and_strange_rows_still_make_windows():
    rows = [tiny.row("why " * 100_000, LONG, "40,000"), tiny.row("", LONG), tiny.row("Who?", " \n"), tiny.row("Q", "")]
    encoded = encode(*rows)
    assert max(map(len, encoded["input_ids"])) <= 48
    assert sorted(set(encoded["example"])) == [0, 1, 2, 3]
    predicted = tiny.TASK.predict(tiny.model(), encoded)
    assert predicted[2:] == [NOTHING, NOTHING]
    assert predicted[0].text and predicted[0].text in LONG


def test_eq_span_loss_is_minus_the_mean_log_probability_of_both_ends_over_legal_positions():
    model, rows = tiny.model().eval(), encode(*tiny.rows(6).to_list()).to_list()
    batch = tiny.TASK.collate(rows, 0)
    output = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")})
    expected = 0
    for i, row in enumerate(rows):
        legal = [0, *range(row["first"], row["first"] + len(unpack_offsets(row["offsets"])))]
        for logits, target in ((output.start_logits[i], row["start"]), (output.end_logits[i], row["end"])):
            expected -= logits[legal].log_softmax(-1)[legal.index(target)] / 2
    torch.testing.assert_close(tiny.TASK.loss(model, batch), expected)


def test_eq_span_margin_the_best_legal_span_is_found_as_by_trying_all():
    task = Extraction(max_length=48, stride=8, max_answer=3)
    windows = encode(tiny.row("Who paid?", LONG), task=task).to_list()
    random_state = np.random.default_rng(0)
    for window in windows:
        start, end = random_state.normal(size=(2, len(window["input_ids"])))
        offsets, first = unpack_offsets(window["offsets"]), window["first"]
        tried = {}
        for i in range(len(offsets)):
            for j in range(i, min(i + 3, len(offsets))):
                place = whole_graphemes(LONG, offsets[i, 0], offsets[j, 1])
                margin = start[first + i] + end[first + j] - start[0] - end[0]
                tried[place] = max(margin, tried.get(place, -np.inf))
        best = sorted(tried, key=tried.get, reverse=True)[:5]
        found = best_spans(legal_spans(start, end, window, 3, 5), 5)
        assert [(span.start, span.end) for span in found] == best
        assert [span.margin for span in found] == pytest.approx([tried[place] for place in best])


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_every_answer_is_a_piece_of_its_context_and_cuts_no_character(role):
    draw, tokenizer = random.Random(1), models.tokenizer(role, scale="laptop")
    rows = []
    for i in range(60):
        glue = draw.choice(["", " "])
        context = glue.join(draw.choices(PIECES, k=draw.randrange(1, 80)))
        rows.append({"question": draw.choice(PIECES), "context": context, "number": i})
    encoded = tiny.TASK.encode(tokenizer, Dataset.from_list(rows))
    spans = 0
    for row, found in zip(rows, tiny.TASK.candidates(tiny.Dice(), encoded, k=8), strict=True):
        edges = {0} | {cluster.end() for cluster in regex.finditer(r"\X", row["context"])}
        for span in found:
            if span is NOTHING:
                continue
            spans += 1
            assert span.text == row["context"][span.start : span.end] != ""
            assert {span.start, span.end} <= edges, (row, span)
        assert len({(span.start, span.end) for span in found}) == len(found)
    assert spans > 200


@pytest.mark.slow
def test_every_answer_to_the_book_s_questions_is_a_piece_of_its_context():
    rows, task = corpora.load("questions", scale="laptop").data["test"], Extraction()
    found = task.predict(tiny.Dice(), task.encode(tiny.tokenizer(), rows))
    assert len(rows) > 700 and len(set(rows["source"])) > 1
    for row, span in zip(rows, found, strict=True):
        assert task.answer_text(span) == row["context"][span.start : span.end] != ""


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_the_labelled_tokens_of_any_word_give_the_word_back(role):
    words = ["cafe\u0301", "naïve", "👩‍👩‍👧‍👦", "漢字", "40,000", "Reykjavík", "नमस्ते"]
    context = "x " + " , ".join(words) + " y"
    rows = Dataset.from_list([tiny.row("Q", context, word) for word in words])
    task = Extraction(max_length=512, stride=8)
    for window, word in zip(task.encode(models.tokenizer(role, scale="laptop"), rows).to_list(), words, strict=True):
        offsets, first = unpack_offsets(window["offsets"]), window["first"]
        place = offsets[window["start"] - first, 0], offsets[window["end"] - first, 1]
        begin, stop = whole_graphemes(context, *map(int, place))
        assert unicodedata.normalize("NFC", context[begin:stop]) == unicodedata.normalize("NFC", word)


def test_the_label_takes_no_neighbour_that_touches_the_answer():
    (window,) = encode(tiny.row("Who?", "He (Boris)left.", "Boris")).to_list()
    tokens = tiny.tokenizer().convert_ids_to_tokens(window["input_ids"])
    assert tokens[window["start"] : window["end"] + 1] == ["boris"]


def test_windows_keep_their_examples_apart_and_in_order():
    rows = [tiny.row("Who?", f"{name} left. " + "So it was. " * 40) for name in ("Anna", "Boris", "Chen")]
    model, encoded = tiny.model().eval(), encode(*rows)
    together = tiny.TASK.predict(model, encoded, batch_tokens=100)
    alone = [tiny.TASK.predict(model, encode(row))[0] for row in rows]
    assert [(span.start, span.end) for span in together] == [(span.start, span.end) for span in alone]
    np.testing.assert_allclose([span.margin for span in together], [span.margin for span in alone], atol=1e-5)


def test_a_level_that_a_window_adds_to_its_logits_changes_nothing():
    windows = encode(tiny.row("Who paid?", LONG)).to_list()
    start, end = np.random.default_rng(0).normal(size=(2, len(windows[0]["input_ids"])))
    plain, shifted = (legal_spans(*both, windows[0], 8, 1) for both in ((start, end), (start + 5, end - 3)))
    assert plain[0].text == shifted[0].text
    assert plain[0].margin == pytest.approx(shifted[0].margin)


def test_references_are_one_list_an_example():
    rows = [tiny.row("Who?", LONG, "Zoë", "40,000"), tiny.row("Why?", LONG)]
    assert tiny.TASK.references(encode(*rows)) == [["Zoë", "40,000"], []]


def spans(*margins: float, text: str = "cat") -> list[Span]:
    return [Span(0, len(text), text, margin) for margin in margins]


def test_the_threshold_decides_between_span_and_no_answer():
    task = Extraction(threshold=1.0)
    assert [task.answer_text(span) for span in spans(2.0, 1.0, 0.0)] == ["cat", "", ""]
    assert [Extraction().answer_text(span) for span in spans(-9.0)] == ["cat"]
    assert task.score(spans(2.0, 0.0, 2.0), [["cat"], [], ["a cat", "x"]]) == {"f1": 1.0, "exact_match": 1.0}
    assert task.per_row(spans(2.0, 2.0), [["cat tail"], []]).tolist() == pytest.approx([2 / 3, 0])


def test_calibration_finds_the_best_threshold_of_all():
    draw = np.random.default_rng(0)
    for _ in range(20):
        predicted = spans(*draw.integers(-5, 6, size=30).astype(float))  # with equal margins among them
        right = [[["cat"], [], ["cat tail"]][i] for i in draw.integers(3, size=30)]
        best = max(Extraction(threshold=t).score(predicted, right)["f1"] for t in [None, *np.arange(-6.5, 7), np.inf])
        assert Extraction().calibrated(predicted, right).score(predicted, right)["f1"] == pytest.approx(best)


def test_where_all_have_answers_no_threshold_is_set():
    assert Extraction(threshold=3.0).calibrated(spans(1.0, -2.0), [["cat"], ["cat"]]).threshold is None


def test_the_curve_by_hand():
    curve = answering_curve(spans(3.0, 2.0, 1.0), [["cat"], [], ["cat tail"]])
    assert curve["answered"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert curve["precision"].tolist()[1:] == pytest.approx([1, 1 / 2, 5 / 9])
    assert curve["recall"].tolist() == pytest.approx([0, 1 / 2, 1 / 2, 5 / 6])
    assert curve["f1"].tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 3, 5 / 9])
    assert curve["threshold"].tolist() == [1e30, 2.5, 1.5, -np.inf]


def test_cropped_contexts_hold_the_answer_or_touch_none():
    rows = [tiny.row(f"Who {i}?", LONG, "40,000", "Zoë", "Reykjavík") for i in range(60)] + [tiny.row("Why?", LONG)]
    data = Dataset.from_list([*rows, tiny.row("Short?", "a b c", "b")])
    made = cropped_contexts(data, 12, empty=0.5, seed=1)
    assert made.to_list()[-1] == data.to_list()[-1]
    held = 0
    for row in made.to_list()[:-1]:
        assert row["context"] in LONG and len(row["context"].split()) == 12
        texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
        assert [row["context"][start : start + len(text)] for text, start in zip(texts, starts, strict=True)] == texts
        if texts:
            held += 1
            assert texts[0] == "40,000"
        else:
            assert not any(text in row["context"] for text in ("40,000", "Zoë", "Reykjavík"))
    assert 18 < held < 42
    assert len({row["context"] for row in made.to_list()}) > 10


def test_a_few_rows_can_be_learned_by_heart_and_a_saved_model_answers_the_same(tmp_path):
    rows, tokenizer, model = tiny.rows(), tiny.tokenizer(), tiny.model()
    recipe = Recipe(learning_rate=1e-2, epochs=25, batch_rows=8, dropout=0.0, attention_dropout=0.0, seed=1)
    run = fit(tiny.TASK, model, tokenizer, rows, rows, recipe)
    encoded = tiny.TASK.encode(tokenizer, rows)
    predicted, right = tiny.TASK.predict(run.model, encoded), tiny.TASK.references(encoded)
    task = tiny.TASK.calibrated(predicted, right)
    assert task.threshold is not None
    assert task.score(predicted, right)["f1"] > 0.95
    run.model.save_pretrained(tmp_path)
    again = AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    assert tiny.TASK.predict(again, encoded) == predicted


def test_the_head_is_drawn_under_the_seed_on_the_pretrained_body():
    first, again, other = (Extraction().build("encoder", seed=seed) for seed in (1, 1, 2))
    assert first.qa_outputs.weight.shape == (2, first.config.hidden_size)
    assert torch.equal(first.qa_outputs.weight, again.qa_outputs.weight)
    assert not torch.equal(first.qa_outputs.weight, other.qa_outputs.weight)
    assert new_parameters(first, tiny.TASK) == {name for name, _ in first.named_parameters() if "bert." not in name}


def test_a_task_is_what_its_dictionary_says():
    task = Extraction(128, 32, 20, 0.5)
    assert from_dict(task.to_dict()) == task


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 10}, "max_length 10 leaves no room"),
        ({"max_length": 64, "stride": 20}, "stride 20 must lie from 0 to a quarter of max_length 64"),
        ({"max_answer": 0}, "max_answer 0 allows no answer"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Extraction(**settings)


def test_rows_keep_their_numbers_over_batches_and_predicting_keeps_the_mode(monkeypatch):
    rows, model = tiny.rows(7), tiny.model().train()
    expected = tiny.TASK.encode(tiny.tokenizer(), rows).to_list()
    monkeypatch.setattr(module, "BATCH", 3)
    encoded = tiny.TASK.encode(tiny.tokenizer(), rows)
    assert encoded.to_list() == expected
    tiny.TASK.predict(model, encoded)
    assert model.training


def test_half_a_line_end_is_no_answer():
    assert whole_graphemes("a\r\nb", 1, 2) == (2, 2)
