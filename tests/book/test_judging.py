"""Edits change what their name says and nothing else; a judge's scores are those of the model, one text at a time."""

import re

import numpy as np
import pytest
import tiny_decoder
import torch
from torch.nn import functional

from helpers.book import judging

NUMBER = re.compile(r"\d+")


@pytest.fixture(scope="module")
def items():
    return judging.notes()


@pytest.fixture(scope="module")
def edits(items):
    return judging.edited(items)


def test_every_summary_has_its_names_and_its_word_once_and_one_number(items):
    assert len(items) == 40 and items["note"].is_unique
    for row in items.itertuples():
        assert row.summary.count(row.one) == row.summary.count(row.other) == 1
        assert len(re.findall(rf"\b{row.word}\b", row.summary)) == len(NUMBER.findall(row.summary)) == 1


def test_what_is_right_keeps_number_and_names_of_the_note(items, edits):
    right = [items["summary"], *(edits[name] for name, holds in judging.EDITS.items() if holds)]
    for texts in right:
        for text, row in zip(texts, items.itertuples(), strict=True):
            assert set(NUMBER.findall(text)) <= set(NUMBER.findall(row.note))
            assert row.one in text and row.other in text


def test_every_edit_changes_every_summary(items, edits):
    assert list(edits) == list(judging.EDITS)
    for name, texts in edits.items():
        assert all(text != summary for text, summary in zip(texts, items["summary"], strict=True)), name


def test_an_edit_changes_one_thing(items, edits):
    for i, row in enumerate(items.itertuples()):
        words = row.summary.rstrip(".").split()
        assert sorted(edits["words shuffled"][i].rstrip(".").split()) == sorted(words)
        assert NUMBER.sub("#", edits["a number changed"][i]) == NUMBER.sub("#", row.summary)
        assert (
            edits["two names exchanged"][i].replace(row.one, "\0").replace(row.other, row.one).replace("\0", row.other)
            == row.summary
        )
        assert row.summary.startswith(edits["cut in half"][i].rstrip("."))
        added = set(edits["the opposite"][i].lower().rstrip(".").split()) - {word.lower() for word in words}
        assert added & {"not", "no", "cannot"}, row.summary


def test_the_same_seed_gives_the_same_edits_and_another_gives_others(items, edits):
    assert judging.edited(items) == edits
    assert judging.edited(items, seed=1)["words shuffled"] != edits["words shuffled"]


TRIPLES = [("a b", "a", "b"), ("a long text, longer than the rest", "some", "c"), ("x", "y", "z")]


@pytest.mark.parametrize("wording", judging.WORDINGS)
def test_a_margin_is_that_of_the_question_alone_whatever_stands_beside_it(wording):
    model, tokenizer = tiny_decoder.model(), tiny_decoder.tokenizer(window=900)
    margins = judging.margins(model, tokenizer, TRIPLES, wording)
    ids = [ord(answer[0]) for answer in judging.ANSWERS[wording]]
    first, second = (tokenizer.convert_tokens_to_ids(chr(number)) for number in ids)
    for triple, margin in zip(TRIPLES, margins, strict=True):
        turns = [{"role": "user", "content": judging.WORDINGS[wording].format(*triple)}]
        asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
        with torch.no_grad():
            log_p = model(**asked).logits[0, -1].log_softmax(-1)
        assert margin == pytest.approx(float(log_p[first] - log_p[second]), abs=1e-4)


def test_a_likelihood_is_the_mean_log_p_of_the_candidates_tokens():
    model, tokenizer = tiny_decoder.model(), tiny_decoder.tokenizer(window=900)
    texts, candidates = ["one text", "another"], ["short", "a longer candidate"]
    found = judging.likelihoods(model, tokenizer, texts, candidates)
    for text, candidate, value in zip(texts, candidates, found, strict=True):
        turns = [{"role": "user", "content": judging.TELLING + text}]
        head = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        tail = tokenizer(candidate + "<|end|>", add_special_tokens=False)["input_ids"]
        ids = torch.tensor([tokenizer(head, add_special_tokens=False)["input_ids"] + tail])
        with torch.no_grad():
            logits = model(ids).logits[0, -len(tail) - 1 : -1]
        assert value == pytest.approx(-float(functional.cross_entropy(logits, torch.tensor(tail))), abs=1e-4)


def test_what_the_ledger_keeps_of_scores_is_read_as_they_were():
    scores = np.array([[-2.3456, 0.0], [31.9, -0.0004]])
    counts = judging.as_counts(scores)
    assert counts.min() >= 0 and counts.max() < 65_536
    assert np.allclose(judging.from_counts(counts), scores, atol=0.0005)
