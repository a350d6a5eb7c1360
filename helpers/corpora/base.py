"""What a corpus is: rows in three splits, and a card that says where they come from and what was done to them."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from helpers.errors import InputError
from helpers.texts import words

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DataCard:
    """What a reader must know of a data set before believing a score on it.

    Attributes:
        rows: rows in each split.
        words: for each column of texts, quantiles 5, 50, 95 and 100 % of the words in it, over all splits.
        labels: for each split, how many rows carry each label; empty where rows have none.
        removed: rows left out, by reason.
        sha256: hash of all texts and labels in their order, so that two runs can tell whether they saw the same data.
    """

    name: str
    source: str
    licence: str
    unit: str
    split_rule: str
    rows: dict[str, int]
    words: dict[str, dict[str, int]]
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    sha256: str = ""

    def to_json(self) -> str:
        """The card as JSON text, as it is saved beside a model."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def table(self) -> pd.DataFrame:
        """The card as two columns to show in a notebook."""
        shown = asdict(self) | {f"words in a {column}": found for column, found in self.words.items()}
        shown |= {"sha256": self.sha256[:12]}
        for name in ("words",) if self.labels else ("words", "labels"):
            del shown[name]
        pairs = [(key.replace("_", " "), _flat(value)) for key, value in shown.items()]
        return pd.DataFrame(pairs, columns=["data card", ""]).set_index("data card")


@dataclass(frozen=True)
class Corpus:
    """Rows in splits, and their card.

    Labelled texts have the columns `text` and `label` (an id), tagged ones `tokens` and `tags` (ids), pairs of texts
    `prompt` and `completion`; where rows belong together, `group` names what they belong to; `date` says when they were
    written, where that is known.
    """

    data: DatasetDict
    card: DataCard

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes or tags, in the order of their ids."""
        features = self.data["train"].features
        return tuple((features["label"] if "label" in features else features["tags"].feature).names)

    def drawn(self, rows: int, seed: int) -> "Corpus":
        """The corpus with so many of its training rows, at random; the other splits, and the hash, are as before.

        Raises InputError if `rows` is below 1 or above what there are, or if all rows that are drawn have one label.
        """
        train = self.data["train"]
        if not 1 <= rows <= len(train):
            raise InputError(f"there are {len(train):,} rows to train on, not {rows:,}; draw from 1 to so many of them")
        kept = train.shuffle(seed=seed).select(range(rows))
        counts, others = _counted(kept), {name: found for name, found in self.card.labels.items() if name != "train"}
        if "label" in train.column_names and len(counts) < 2:
            raise InputError(f"all {rows:,} rows that are drawn for training have the label '{min(counts)}'; draw more")
        card = replace(
            self.card,
            rows=self.card.rows | {"train": rows},
            labels=({"train": counts} if counts else {}) | others,
            removed=self.card.removed | {"not drawn for training": len(train) - rows},
        )
        return replace(self, data=DatasetDict(self.data | {"train": kept}), card=card)


def build(frames: dict[str, pd.DataFrame], labels: list[str], **about) -> Corpus:
    """A corpus from one frame a split, with string columns `text` and `label`, and perhaps `group` and `date`.

    `about` holds the fields of the card that the rows do not tell: name, source, licence, unit, split_rule, removed.
    """
    data = DatasetDict({split: dataset(frame, labels) for split, frame in frames.items()})
    counts = {split: dict(Counter(frame["label"]).most_common()) for split, frame in frames.items()}
    return Corpus(data, _card(frames, ["text"], ["label"], labels=counts, **about))


def pairs(frames: dict[str, pd.DataFrame], **about) -> Corpus:
    """A corpus of what goes in and what shall come out, with string columns `prompt`, `completion` and `group`.

    `about` as in `build`. A corpus that only ever is a test set has that split alone.
    """
    columns = ["prompt", "completion", "group"]
    data = {name: Dataset.from_pandas(frame[columns], preserve_index=False) for name, frame in frames.items()}
    return Corpus(DatasetDict(data), _card(frames, columns[:2], [], **about))


def framed(data: Dataset, frame: str) -> Dataset:
    """Rows of pairs with each prompt in a frame such as `"{}\\nFrench:\\n"`, which tells a decoder what to write."""
    return Dataset.from_dict({**data.to_dict(), "prompt": [frame.format(text) for text in data["prompt"]]})


def _counted(rows: Dataset) -> dict[str, int]:
    """How often each label stands in rows with the column `label` or `tags`; nothing for others."""
    if "label" in rows.column_names:
        names, found = rows.features["label"].names, rows["label"]
    elif "tags" in rows.column_names:
        names, found = rows.features["tags"].feature.names, [tag for row in rows["tags"] for tag in row]
    else:
        return {}
    return {names[number]: count for number, count in Counter(found).most_common()}


def _card(frames: dict[str, pd.DataFrame], texts: list[str], rest: list[str], **about) -> DataCard:
    """The card of frames with columns of texts to be measured and a `rest` that only the hash covers."""
    rows = pd.concat(frames.values())
    found = {column: quantiles(rows[column]) for column in texts}
    sizes = {split: len(frame) for split, frame in frames.items()}
    everything = "\0".join(text for column in texts + rest for text in rows[column])
    sha256 = hashlib.sha256(everything.encode("utf-8", "surrogatepass")).hexdigest()
    return DataCard(rows=sizes, words=found, sha256=sha256, **about)


def quantiles(texts: pd.Series) -> dict[str, int]:
    """Words in a text: the 5, 50, 95 and 100 % quantiles over all texts, for a card."""
    lengths = [len(words(text)) for text in texts]
    return {f"{share:.0%}": int(np.quantile(lengths, share)) for share in (0.05, 0.5, 0.95, 1)}


def dataset(frame: pd.DataFrame, labels: list[str]) -> Dataset:
    """The rows of a frame with the ids of their labels; columns as in `Corpus`."""
    columns = {"text": frame["text"].tolist(), "label": [labels.index(label) for label in frame["label"]]}
    features = {"text": Value("string"), "label": ClassLabel(names=labels)}
    for name in ("group", "date"):
        if name in frame:
            columns[name], features[name] = frame[name].tolist(), Value("string")
    return Dataset.from_dict(columns, features=Features(features))


def _flat(value) -> str:
    if not isinstance(value, dict):
        return str(value)
    return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items()) or "none"
