"""What a corpus is: rows in three splits, and a card that says where they come from and what was done to them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from helpers.errors import InputError
from helpers.text import words

SPLITS = ("train", "validation", "test")
HELD_OUT = 50  # validation or test rows below which a score says next to nothing
QUESTION_FEATURES = {
    "question": Value("string"),
    "context": Value("string"),
    "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    "group": Value("string"),
    "source": Value("string"),
    "row": Value("int64"),
}

Frames = Mapping[str, pd.DataFrame]  # by split
Texts = Mapping[str, list[str]]  # by column


@dataclass(frozen=True)
class DataCard:
    """What a reader must know about a data set before trusting a score on it.

    Attributes:
        rows: rows in each split.
        words: for each column of texts, quantiles 5, 50, 95 and 100 % of the words in it, over all splits.
        labels: for each split, how many rows carry each label; empty where rows have none.
        removed: rows left out, by reason.
        sha256: hash of all texts and labels in their order, so that two runs can be checked to have read the same data.
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
        fields = asdict(self) | {f"words in a {column}": quantiles for column, quantiles in self.words.items()}
        fields |= {"sha256": self.sha256[:12]}
        for name in ("words",) if self.labels else ("words", "labels"):
            del fields[name]
        pairs = [(key.replace("_", " "), _flat(value)) for key, value in fields.items()]
        names, values = zip(*pairs, strict=True)
        return pd.DataFrame({"": values}, index=names).rename_axis(columns="data card")


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
        """The names of the classes or tags, in the order of their ids; none for rows without labels."""
        label = label_feature(self.data["train"])
        return tuple(label[1].names) if label else ()

    def drawn(self, rows: int, seed: int = 0, *, held_out: bool = False) -> "Corpus":
        """The corpus with `rows` random rows of its training split; the hash is unchanged.

        With `held_out`, the same share of the other splits is drawn, but at least `HELD_OUT` rows each where there are
        so many; without it they stay whole.

        Raises InputError if `rows` is not from 1 to the number of training rows, or if all drawn rows have one label.
        """
        train = self.data["train"]
        if not 1 <= rows <= len(train):
            raise InputError(f"there are {len(train):,} rows to train on, not {rows:,}; draw from 1 to so many of them")
        subset = train.shuffle(seed=seed).select(range(rows))
        counts, others = (
            count_labels(subset),
            {name: frequencies for name, frequencies in self.card.labels.items() if name != "train"},
        )
        if len(counts) == 1 and "label" in train.column_names:
            raise InputError(f"all {rows:,} rows that are drawn for training have the label '{min(counts)}'; draw more")
        card = replace(
            self.card,
            rows=self.card.rows | {"train": rows},
            labels=({"train": counts} if counts else {}) | others,
            removed=self.card.removed | {"not drawn for training": len(train) - rows},
        )
        found = replace(self, data=DatasetDict(self.data | {"train": subset}), card=card)
        return _held_out_drawn(found, rows / len(train), seed) if held_out else found


def text_corpus(frames: Frames, labels: Sequence[str], **about) -> Corpus:
    """A corpus from one frame per split, with string columns `text` and `label`, and perhaps `group` and `date`.

    `about` holds the fields of the card that the rows do not contain: name, source, licence, unit, split_rule, removed.
    """
    counts = {split: dict(Counter(frame["label"]).most_common()) for split, frame in frames.items()}
    data = {split: text_rows(frame, labels) for split, frame in frames.items()}
    return build(data, _column(frames, "text"), _column(frames, "label"), labels=counts, **about)


def pair_corpus(frames: Frames, **about) -> Corpus:
    """A corpus of inputs and their target texts, with string columns `prompt`, `completion` and `group`.

    `about` as in `text_corpus`. A corpus that is a test set has that split alone.
    """
    columns = ["prompt", "completion"]
    data = {
        name: Dataset.from_pandas(frame[[*columns, "group"]], preserve_index=False) for name, frame in frames.items()
    }
    return build(data, {name: rows for column in columns for name, rows in _column(frames, column).items()}, **about)


def tag_corpus(frames: Frames, tags: Sequence[str], **about) -> Corpus:
    """A corpus from one frame per split, with columns `tokens` and `tags` (lists of words) and perhaps `group`.

    `about` as in `text_corpus`. The card counts, as labels, the words with each tag.
    """
    counts = {name: dict(Counter(tag for row in frame["tags"] for tag in row)) for name, frame in frames.items()}
    data = {name: tag_rows(frame, tags) for name, frame in frames.items()}
    words = {"sentence": [" ".join(row) for row in _column(frames, "tokens")["tokens"]]}
    joined = {"tags": [" ".join(row) for row in _column(frames, "tags")["tags"]]}
    lengths = {"sentence": [len(row) for row in _column(frames, "tokens")["tokens"]]}
    return build(data, words, joined, lengths=lengths, labels=counts, **about)


def question_corpus(frames: Frames, **about) -> Corpus:
    """A corpus from one frame per split, with the columns of SQuAD and optionally `group` and `source`.

    `about` as in `text_corpus`. The card counts, as labels, the questions with and without an answer, by source.
    """
    counts = {name: dict(Counter(_kinds(frame)).most_common()) for name, frame in frames.items()}
    data = {name: question_rows(frame) for name, frame in frames.items()}
    answers = {"answers": ["\1".join(row["text"]) for row in _column(frames, "answers")["answers"]]}
    return build(data, _column(frames, "question") | _column(frames, "context"), answers, labels=counts, **about)


def text_rows(frame: pd.DataFrame, labels: Sequence[str]) -> Dataset:
    """The rows of a frame of labelled texts, with the ids of their labels; `row` is their number in a file."""
    ids = {label: index for index, label in enumerate(labels)}
    columns = {"text": frame["text"].tolist(), "label": [ids[label] for label in frame["label"]]}
    features = {"text": Value("string"), "label": ClassLabel(names=list(labels))}
    for name, kind in {"group": "string", "date": "string", "row": "int64"}.items():
        if name in frame:
            columns[name], features[name] = frame[name].tolist(), Value(kind)
    return Dataset.from_dict(columns, features=Features(features))


def tag_rows(frame: pd.DataFrame, tags: Sequence[str]) -> Dataset:
    """The rows of a frame of tagged sentences, with the ids of their tags and, if the frame has them, group and row."""
    ids = {tag: index for index, tag in enumerate(tags)}
    columns = {"tokens": frame["tokens"].tolist(), "tags": [[ids[tag] for tag in row] for row in frame["tags"]]}
    features = {"tokens": List(Value("string")), "tags": List(ClassLabel(names=list(tags)))}
    for name, kind in {"group": "string", "row": "int64"}.items():
        if name in frame:
            columns[name], features[name] = frame[name].tolist(), Value(kind)
    return Dataset.from_dict(columns, features=Features(features))


def question_rows(frame: pd.DataFrame) -> Dataset:
    """The rows of a frame of questions: `question`, `context` and, where they are known, answers, group and source."""
    columns = {name: frame[name].tolist() for name in QUESTION_FEATURES if name in frame}
    return Dataset.from_dict(columns, features=Features({name: QUESTION_FEATURES[name] for name in columns}))


def sample(rows: Dataset, n: int, seed: int = 0) -> Dataset:
    """The first `n` rows, or all, in an order that depends on the seed alone: smaller samples lie in larger ones."""
    return rows.shuffle(seed=seed).select(range(min(n, len(rows))))


def framed(data: Dataset, frame: str) -> Dataset:
    """Rows of pairs with each prompt in a frame such as `"{}\\nFrench:\\n"`, which a decoder is to continue."""
    return Dataset.from_dict({**data.to_dict(), "prompt": [frame.format(text) for text in data["prompt"]]})


def label_feature(rows: Dataset) -> tuple[str, ClassLabel] | None:
    """The column of label ids, one id or a list per row, and the feature with their names; None if there is none."""
    for name, feature in rows.features.items():
        inner = getattr(feature, "feature", feature)
        if isinstance(inner, ClassLabel):
            return name, inner
    return None


def count_labels(rows: Dataset) -> dict[str, int]:
    """How often each label occurs in the rows, the most frequent first; empty for rows without labels."""
    label_column = label_feature(rows)
    if label_column is None:
        return {}
    column, feature = label_column
    ids = rows[column][:]
    ids = ids if isinstance(rows.features[column], ClassLabel) else [label for row in ids for label in row]
    return {feature.names[number]: count for number, count in Counter(ids).most_common()}


def build(data: dict[str, Dataset], measured: Texts, hashed: Texts | None = None, *, lengths=None, **about) -> Corpus:
    """A corpus with its card.

    Args:
        measured: texts by column over all splits; the card has quantiles of their words, and hashes them.
        hashed: texts that only the hash covers, after those.
        lengths: words of each measured text by column, where they are known already.
    """
    lengths = lengths or {column: [len(words(text)) for text in values] for column, values in measured.items()}
    content = "\0".join(text for values in (measured | (hashed or {})).values() for text in values)
    card = DataCard(
        rows={name: len(rows) for name, rows in data.items()},
        words={column: _quantiles(values) for column, values in lengths.items()},
        sha256=hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
        **about,
    )
    return Corpus(DatasetDict(data), card)


def _column(frames: Frames, column: str) -> dict[str, list]:
    return {column: [value for frame in frames.values() for value in frame[column]]}


def _quantiles(lengths: Sequence[int]) -> dict[str, int]:
    return {f"{share:.0%}": int(np.quantile(lengths, share)) for share in (0.05, 0.5, 0.95, 1)}


def _kinds(frame: pd.DataFrame) -> list[str]:
    kinds = ["answer" if len(row["text"]) else "no answer" for row in frame["answers"]]
    if "source" not in frame:
        return kinds
    return [f"{source}, {kind}" for source, kind in zip(frame["source"], kinds, strict=True)]


def _flat(value) -> str:
    if not isinstance(value, dict):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items()) or "none"


def _held_out_drawn(corpus: Corpus, share: float, seed: int) -> Corpus:
    """The corpus with a share of its validation and test rows, at least `HELD_OUT` of each."""
    drawn = {
        name: sample(split, max(HELD_OUT, round(share * len(split))), seed)
        for name, split in corpus.data.items()
        if name != "train"
    }
    left = sum(len(corpus.data[name]) - len(split) for name, split in drawn.items())
    card = replace(
        corpus.card,
        rows=corpus.card.rows | {name: len(split) for name, split in drawn.items()},
        labels=corpus.card.labels | {name: count_labels(split) for name, split in drawn.items() if corpus.card.labels},
        removed=corpus.card.removed | ({"not drawn for validation and test": left} if left else {}),
    )
    return replace(corpus, data=DatasetDict(corpus.data | drawn), card=card)
