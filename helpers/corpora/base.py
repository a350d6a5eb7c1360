"""What a corpus is: rows in three splits, and a card that says where they come from and what was done to them."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DataCard:
    """What a reader must know of a data set before believing a score on it.

    Attributes:
        rows: rows in each split.
        labels: for each split, how many rows carry each label.
        words: quantiles 5, 50, 95 and 100 % of the words in a text, over all splits.
        removed: rows left out, by reason.
        sha256: hash of all texts and labels in their order, so that two runs can tell whether they saw the same data.
    """

    name: str
    source: str
    licence: str
    unit: str
    split_rule: str
    rows: dict[str, int]
    labels: dict[str, dict[str, int]]
    words: dict[str, int]
    removed: dict[str, int] = field(default_factory=dict)
    sha256: str = ""

    def to_json(self) -> str:
        """The card as JSON text, as it is saved beside a model."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def table(self) -> pd.DataFrame:
        """The card as two columns to show in a notebook."""
        shown = asdict(self) | {"words in a text": self.words, "sha256": self.sha256[:12]}
        del shown["words"]
        pairs = [(key.replace("_", " "), _flat(value)) for key, value in shown.items()]
        return pd.DataFrame(pairs, columns=["data card", ""]).set_index("data card")


@dataclass(frozen=True)
class Corpus:
    """Rows with columns `text` and `label` (an id), or `tokens` and `tags` (ids), and where rows belong together
    `group`; and their card."""

    data: DatasetDict
    card: DataCard

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes or tags, in the order of their ids."""
        features = self.data["train"].features
        return tuple((features["label"] if "label" in features else features["tags"].feature).names)


def build(frames: dict[str, pd.DataFrame], labels: list[str], **about) -> Corpus:
    """A corpus from one frame a split, with string columns `text` and `label` and optionally `group`.

    `about` holds the fields of the card that the rows do not tell: name, source, licence, unit, split_rule, removed.
    """
    data = DatasetDict({split: dataset(frame, labels) for split, frame in frames.items()})
    rows = pd.concat(frames.values())
    words = rows["text"].str.split().str.len()
    quantiles = {f"{share:.0%}": int(np.quantile(words, share)) for share in (0.05, 0.5, 0.95, 1)}
    counts = {split: dict(Counter(frame["label"]).most_common()) for split, frame in frames.items()}
    sizes = {split: len(frame) for split, frame in frames.items()}
    sha256 = hashlib.sha256("\0".join([*rows["text"], *rows["label"]]).encode("utf-8", "surrogatepass")).hexdigest()
    return Corpus(data, DataCard(rows=sizes, labels=counts, words=quantiles, sha256=sha256, **about))


def dataset(frame: pd.DataFrame, labels: list[str]) -> Dataset:
    """The rows of a frame with the ids of their labels; columns as in `Corpus`."""
    columns = {"text": frame["text"].tolist(), "label": [labels.index(label) for label in frame["label"]]}
    features = {"text": Value("string"), "label": ClassLabel(names=labels)}
    if "group" in frame:
        columns["group"], features["group"] = frame["group"].tolist(), Value("string")
    return Dataset.from_dict(columns, features=Features(features))


def _flat(value) -> str:
    if not isinstance(value, dict):
        return str(value)
    return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items()) or "none"
