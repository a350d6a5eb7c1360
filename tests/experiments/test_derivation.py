"""Every score of the ledger follows from the predictions that its record kept, so an edited record is found."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from experiments import derivation, gpt, pairs, recording, summarisation, translation
from helpers import corpora, metrics
from helpers.book import ledger
from helpers.book.ledger import Results
from helpers.corpora import parameters
from helpers.metrics import json_fields

# Scores of records that kept nothing from which they could be derived. The list may shrink; nothing is added to it.
NOT_KEPT = {"gpt-json": {"validation"}}
# Records that kept no predictions at all, by the same rule.
EMPTY = set()
KEPT = ("correct", "counts", "texts")


def rows(name: str) -> list[dict]:
    path = ledger._folder() / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one(row: dict) -> Results:
    return Results(pd.DataFrame([row]))


def disagreements(row: dict) -> dict[str, tuple[float, float | None]]:
    """The scores of a record that differ from what its predictions give, or that these do not give."""
    have, differ = derivation.kept(one(row)), {}
    for name, value in derivation.recorded(row).items():
        part = have.get(name)
        if part is None or abs(part.value() - value) > part.rounded:
            differ[name] = (value, part and part.value())
    return differ


@pytest.mark.parametrize("name", ledger.experiments())
def test_every_recorded_score_follows_from_the_kept_predictions(name):
    found = [disagreements(row) for row in rows(name)]
    assert [differ for differ in found if set(differ) - NOT_KEPT.get(name, set())] == []
    assert set().union(*found) == NOT_KEPT.get(name, set()), "an entry that is derived now must go"


def test_every_record_kept_predictions():
    scored = {name: [row for row in rows(name) if derivation.recorded(row)] for name in ledger.experiments()}
    empty = {name for name, found in scored.items() if not all(any(key in row for key in KEPT) for row in found)}
    assert empty == EMPTY


def test_each_kept_row_is_one_of_the_test_rows():
    for name in ledger.experiments():
        for row in rows(name):
            assert all(len(part.rows) in (row["n"], row["n"] // 2) for part in derivation.kept(one(row)).values())


def scored_anew(name: str) -> Callable[[list[str], list[int]], np.ndarray]:
    """From texts of a record, and the test rows that they were written for, to the counts of each row."""
    if name == "gpt-json":
        right = gpt.rows()["test"]
        return lambda texts, where: json_fields.counts(texts, right.select(where)["completion"], parameters.FIELDS)
    test, scores = {
        "docstrings": lambda: (summarisation.rows()["test"], summarisation.SCORES),
        "xsum": lambda: (corpora.load("xsum").data["test"], summarisation.SCORES),
        "strings-french": lambda: (corpora.load("strings").data["test"], translation.SCORES),
    }[name]()
    return lambda texts, where: pairs.scored(scores, texts, test.select(where))["counts"]


@pytest.mark.parametrize("name", ["gpt-json", "docstrings", "xsum", "strings-french"])
def test_the_kept_texts_have_the_kept_counts(name):
    """Of each record every tenth text, which saves a minute; another tenth of the next."""
    counts_of = scored_anew(name)
    for place, row in enumerate(rows(name)):
        texts, kept = one(row).texts()[0], one(row).counts()[0]
        where = list(range(place % 10, len(texts), 10))
        own = ~(kept == len(texts)).all(0)  # chrF and BLEU also count the texts themselves
        assert np.array_equal(counts_of([texts[i] for i in where], where)[:, own], kept[where][:, own]), row["system"]
    edited = ["{}" if name == "gpt-json" else "no such words"] * len(where)
    assert not np.array_equal(counts_of(edited, where)[:, own], kept[where][:, own])


def test_a_score_that_was_edited_is_found():
    edited = 0
    for name in ("reviews-curve", "brown-crf", "docstrings", "strings-french", "gpt-json"):
        row = rows(name)[-1]
        for score in set(derivation.recorded(row)) - NOT_KEPT.get(name, set()):
            assert score in disagreements(row | {score: row[score] + 0.002}), (name, score)
            edited += 1
    assert edited > 10


def test_predictions_that_were_edited_are_found():
    row = rows("reviews-curve")[0]
    other = f"{int(row['correct'][:2], 16) ^ 0x80:02x}" + row["correct"][2:]  # the first row right instead of wrong
    assert "accuracy" in disagreements(row | {"correct": other})
    row = rows("docstrings")[0]
    counts = one(row).counts()[0]
    counts[:50] += 100
    assert "rougeL" in disagreements(row | recording.packed({"counts": counts}))


def test_scores_of_texts_are_those_of_the_metrics():
    texts, references = ["the cat sat", "on a mat", "é è"], ["a cat sat", "on the mat", "é"]
    scores = (metrics.Chrf(), metrics.Bleu())
    result = {"n": 3, "counts": np.concatenate([score.per_row(texts, references) for score in scores], axis=1)}
    for score in scores:
        result |= score.compute(predictions=texts, references=references)
    assert set(derivation.recorded(result)) == {"chrf", "bleu"}
    assert disagreements(recording.packed(result)) == {}


def test_several_runs_share_an_interval():
    right = np.random.default_rng(0).uniform(size=(3, 200)) < 0.8
    parts = [derivation.Kept(row.astype(float)) for row in right]
    band, single = derivation.pooled(parts), derivation.pooled(parts[:1])
    assert band.low < right.mean() < band.high and band.value == pytest.approx(right.mean())
    assert single.low < right[0].mean() < single.high
