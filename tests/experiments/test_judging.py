"""The experiment on judges: what is preferred follows from the scores that are kept, in both orders."""

import numpy as np
import pandas as pd
import pytest
import tiny_decoder

from experiments import derivation, judging, recording
from helpers.book import judging as judge
from helpers.book.ledger import Results

TEXTS, RIGHT, WRONG = ["a text", "b text", "c"], ["good", "fine", "well"], ["bad", "worse than bad", "no"]


@pytest.fixture
def small(monkeypatch):
    """A tiny decoder in place of the packaged one."""
    decoder = tiny_decoder.model(), tiny_decoder.tokenizer(window=900)
    monkeypatch.setattr(judging, "_decoder", lambda: decoder)
    return decoder


@pytest.mark.parametrize("system", [judging.LIKELY, *judge.WORDINGS])
def test_the_scores_that_are_kept_say_which_text_is_preferred(small, system):
    result = judging.judged(system, TEXTS, RIGHT, WRONG)
    kept = judge.from_counts(result["counts"])
    apart = np.abs(kept[:, 0] - kept[:, 1]) > 0.002
    assert ((kept[:, 0] > kept[:, 1]) == result["correct"])[apart].all()
    assert result["accuracy"] == result["correct"].mean() and result["n"] == 3


@pytest.mark.parametrize("system", [judging.LIKELY, judging.ASKED])
def test_a_judge_that_sees_the_sides_exchanged_prefers_the_other(small, system):
    first, second = (judging.judged(system, TEXTS, *pair)["correct"] for pair in ((RIGHT, WRONG), (WRONG, RIGHT)))
    assert (first != second).all()


def test_a_record_gives_its_score_back(small):
    result = recording.packed(judging.judged(judging.LIKELY, TEXTS, RIGHT, WRONG))
    results = Results(pd.DataFrame([result]))
    kept = derivation.kept(results)
    assert kept["accuracy"].value() == result["accuracy"] and len(derivation.recorded(result)) == 1


def test_every_judge_gets_every_wrong_edit_and_no_result_stands_twice():
    results = [tuple(about.values()) for about, _ in judging.judgements()]
    assert len(set(results)) == len(results)
    for system in (judging.ASKED, judging.LIKELY):
        for right in ("summary", "other words"):
            edits = {edit for name, side, edit in results if (name, side) == (system, right)}
            assert edits >= set(judging.WRONG), (system, right)
