"""Judging: how often the packaged decoder tells the right one of two texts, asked in words and by likelihood.

All is computed in fp32, because the two orders of a pair differ by hundredths of a nat.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib import resources

import numpy as np

from helpers import Generation, corpora, models, sample
from helpers.book import judging

CORPUS, MODEL = "docstrings", "decoder"
DOCSTRINGS = 80  # pairs of a docstring's own summary and of another's
FEW = ("another summary", "the opposite", "words shuffled")  # on which all wordings are tried
WRONG = [edit for edit, right in judging.EDITS.items() if not right]
ASKED, LIKELY = "A or B", "likelihood"


def judgements() -> Iterator[tuple[dict, Callable]]:
    """Each judge on pairs of a right text and an edit: the right one is the summary, or the same in other words."""
    for edit in (*WRONG, "more words"):
        yield _pairs(ASKED, "summary", edit)
    for edit in (*WRONG, "more words", "other words"):
        yield _pairs(LIKELY, "summary", edit)
    for system in (ASKED, LIKELY):
        for edit in WRONG:
            yield _pairs(system, "other words", edit)
    for system in (wording for wording in judging.WORDINGS if wording != ASKED):
        for edit in FEW:
            yield _pairs(system, "summary", edit)
    for system in (ASKED, LIKELY):
        yield {"system": system, "right": "docstring", "edit": "another summary"}, partial(_docstrings, system)


EXPERIMENTS = {"judging": judgements}


def _pairs(system: str, right: str, edit: str) -> tuple[dict, Callable]:
    return {"system": system, "right": right, "edit": edit}, partial(_notes, system, right, edit)


def _notes(system: str, right: str, edit: str) -> dict:
    items = judging.notes()
    edits = judging.edited(items)
    first = items["summary"].tolist() if right == "summary" else edits[right]
    file = resources.files("helpers.book") / "notes.csv"
    made_of = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return judged(system, items["note"].tolist(), first, edits[edit]) | {"notes_sha256": made_of}


def _docstrings(system: str) -> dict:
    rows = sample(corpora.load(CORPUS).data["test"], DOCSTRINGS, seed=0)
    own = rows["completion"][:]
    return judged(system, rows["prompt"][:], own, own[1:] + own[:1])


def judged(system: str, texts: Sequence[str], right: Sequence[str], wrong: Sequence[str]) -> dict:
    """Of each pair two scores, and whether the judge prefers the right text.

    Asked in words, the scores are log p of naming what is shown first minus that of the other, with the right text
    first and with it second: their difference is free of what the judge thinks of places. By likelihood, they are the
    mean log p of the tokens of the right text and of the wrong one.
    """
    model, tokenizer = _decoder()
    if system == LIKELY:
        sides = [judging.likelihoods(model, tokenizer, texts, candidates) for candidates in (right, wrong)]
    else:
        orders = zip(texts, right, wrong, strict=True), zip(texts, wrong, right, strict=True)
        sides = [judging.margins(model, tokenizer, list(order), system) for order in orders]
    correct = sides[0] > sides[1]
    counts = judging.as_counts(np.column_stack(sides))
    return {
        "n": len(texts),
        "correct": correct,
        "accuracy": float(correct.mean()),
        "counts": counts,
        "precision": "fp32",
    }


@cache
def _decoder() -> tuple:
    return Generation().build(), models.tokenizer("decoder")
