"""Extractive question answering: the answer to a question is a span of its context, or nothing.

Rows have the columns of SQuAD: `question`, `context` and, where they are labelled, `answers` with the lists `text` and
`answer_start` (in characters), empty for a question that the context does not answer.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pandas as pd
import regex
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoModelForQuestionAnswering, PreTrainedModel, PreTrainedTokenizerBase

from helpers import answers, models
from helpers.batching import length_batches, on_device
from helpers.errors import InputError

BATCH = 100  # rows tokenised together; their offsets take memory until they are packed
ILLEGAL = torch.finfo(torch.float32).min  # a logit that the softmax turns into 0, and that no sum turns into NaN


NEVER = 1e30  # a threshold that no margin passes, finite so that JSON can hold it


@dataclass(frozen=True)
class Span:
    """The characters `start` up to `end` of a context, `text`, as an answer.

    `margin` is the sum of the logits of start and end, less the same sum for "no answer", in nats: above 0 the model
    holds the span for likelier than no answer in its window.
    """

    start: int
    end: int
    text: str
    margin: float


NOTHING = Span(0, 0, "", -np.inf)  # what remains where a context has no token


@dataclass(frozen=True)
class Extraction:
    """What is special about finding answers; `helpers.training` and `helpers.evaluation` know the rest.

    A context that is longer than a window is read in several, and each window is a row for training. The first
    position of a window, [CLS] in BERT, stands for "no answer here" (Devlin et al. 2019, section 4.3).

    Attributes:
        max_length: tokens of a window: question, context and special tokens.
        stride: tokens of the context that a window shares with the next; an answer shorter than that lies whole in one
            of them.
        max_answer: tokens of an answer at most.
        threshold: a span is given as the answer if its margin is above this; None answers every question. `calibrated`
            chooses it on validation rows.
    """

    max_length: int = 256
    stride: int = 64
    max_answer: int = 32
    threshold: float | None = None

    name = "extraction"
    selection = "f1"  # the validation score that chooses the best weights; higher is better
    head = ("qa_outputs",)  # name prefixes of the layers that the pretrained body lacks

    def __post_init__(self):
        if self.max_length < 24:
            raise InputError(f"max_length {self.max_length} leaves no room for question and context; give at least 24")
        if not 0 <= self.stride <= self.max_length // 4:
            raise InputError(
                f"stride {self.stride} must lie from 0 to a quarter of max_length {self.max_length}; lower it"
            )
        if self.max_answer < 1:
            raise InputError(f"max_answer {self.max_answer} allows no answer; give at least 1 token")

    def encode(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> Dataset:
        """Turn each row into one window or several, in order.

        Columns: `input_ids` and, if the model reads them, `token_type_ids`, (T,); `first`, the position of the first
        token of the context; `offsets`, the characters [start, end) of each of its tokens, packed by `packed`;
        `example`, the row of `data`; its `context`. Labelled rows also give `answers`, the texts that count as right,
        and `start` and `end`, the positions of the first of them in the window, 0 if it is not wholly there.

        Raises InputError if the tokenizer cannot tell the characters of its tokens, or if the answer of a row does not
        stand in its context where `answer_start` says.
        """
        if not tokenizer.is_fast:
            raise InputError(f"the tokenizer {type(tokenizer).__name__} tells no offsets; use a fast tokenizer")
        windows = []
        for begin in range(0, len(data), BATCH):
            windows += self._windows(tokenizer, data[begin : begin + BATCH], begin)
        return Dataset.from_list(windows)

    def _windows(self, tokenizer: PreTrainedTokenizerBase, rows: dict, begin: int) -> list[dict]:
        limit = min(self.max_length, tokenizer.model_max_length)
        encoded = tokenizer(
            cut(tokenizer, rows["question"], limit // 2),
            rows["context"],
            truncation="only_second",
            max_length=limit,
            stride=min(self.stride, limit // 4),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids="token_type_ids" in tokenizer.model_input_names,
        )
        made = []
        for i, place in enumerate(encoded["overflow_to_sample_mapping"]):
            inside = [position for position, part in enumerate(encoded.sequence_ids(i)) if part == 1]
            first = inside[0] if inside else len(encoded["input_ids"][i])
            offsets = np.array(encoded["offset_mapping"][i][first : first + len(inside)], np.int32).reshape(-1, 2)
            row = {name: encoded[name][i] for name in ("input_ids", "token_type_ids") if name in encoded}
            row |= {"first": first, "offsets": packed(offsets), "example": begin + place}
            row["context"] = rows["context"][place]
            if "answers" in rows:
                row |= _labels(rows["answers"][place], row["context"], offsets, first, begin + place)
            made.append(row)
        return made

    def build(
        self, model: str = "encoder", *, scale: str | None = None, pretrained: bool = True, seed: int = 0
    ) -> PreTrainedModel:
        """The pretrained body with a new linear layer (D, 2) for start and end; the layer is drawn under `seed`."""
        return models.load(
            AutoModelForQuestionAnswering, model, scale=scale, pretrained=pretrained, seed=seed, num_labels=2
        )

    def references(self, data: Dataset) -> list[list[str]]:
        """The texts that count as right for each example of encoded rows; an empty list where there is no answer."""
        first = {example: i for i, example in reversed(list(enumerate(data["example"])))}
        return [data["answers"][i] for i in sorted(first.values())]

    def supervised(self, data: Dataset) -> np.ndarray:
        """How many terms each row adds to the loss, shape (N,): one a window."""
        return np.ones(len(data), dtype=np.int64)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad windows on the right: input_ids, attention_mask, legal (B, T), start and end (B,).

        `legal` is 1 where an answer may start or end: at the tokens of the context and at the first position.
        """
        width = max(len(row["input_ids"]) for row in rows)
        batch = {"input_ids": torch.full((len(rows), width), pad_id)}
        for name in ("attention_mask", "legal", *(["token_type_ids"] if "token_type_ids" in rows[0] else [])):
            batch[name] = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            length, tokens = len(row["input_ids"]), len(row["offsets"]) // 8
            batch["attention_mask"][i, :length] = 1
            batch["legal"][i, row["first"] : row["first"] + tokens] = 1
            for name in ("input_ids", "token_type_ids"):
                if name in batch:
                    batch[name][i, :length] = torch.as_tensor(row[name])
        batch["legal"][:, 0] = 1
        if "start" in rows[0]:
            batch |= {name: torch.tensor([row[name] for row in rows]) for name in ("start", "end")}
        return batch

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Logits of start and end at every legal position, (2, B, T), float32; `ILLEGAL` elsewhere."""
        inputs = ("input_ids", "attention_mask", "token_type_ids")
        output = model(**{name: batch[name] for name in inputs if name in batch})
        both = torch.stack([output.start_logits, output.end_logits]).float()  # (2, B, T)
        return both.masked_fill(batch["legal"] == 0, ILLEGAL)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Mean of -log p(start) and -log p(end) over the legal positions of a window, summed over windows; scalar."""
        start, end = self.logits(model, batch)  # (B, T) each
        terms = [
            nn.functional.cross_entropy(start, batch["start"], reduction="sum"),
            nn.functional.cross_entropy(end, batch["end"], reduction="sum"),
        ]
        return sum(terms) / 2

    def fast_path(self, model: nn.Module) -> AbstractContextManager:
        """There is none: every position of a window may start an answer."""
        return nullcontext()

    def predict(
        self, model: PreTrainedModel, data: Dataset, *, pad_id: int = 0, batch_tokens: int = 8192
    ) -> list[Span]:
        """The best span of each example of encoded rows, whatever its margin; `answer` compares with the threshold."""
        return [spans[0] for spans in self.candidates(model, data, pad_id=pad_id, batch_tokens=batch_tokens)]

    @torch.inference_mode()
    def candidates(
        self, model: PreTrainedModel, data: Dataset, *, pad_id: int = 0, batch_tokens: int = 8192, k: int = 1
    ) -> list[list[Span]]:
        """Up to `k` different spans of each example, the best first, over all its windows; at least one, `NOTHING`.

        A span is legal if it starts and ends in the context, not before it starts, within `max_answer` tokens. Logits
        of two windows are not comparable (a softmax leaves their level open), but their margins over "no answer" are.
        """
        rows = data.to_list()
        found: list[list[Span]] = [[] for _ in rows]
        training = model.training
        model.eval()
        lengths = [len(row["input_ids"]) for row in rows]
        for batch in length_batches(lengths, batch_rows=256, batch_tokens=batch_tokens, shuffle=False):
            inputs = on_device(self.collate([rows[i] for i in batch], pad_id), model.device)
            start, end = self.logits(model, inputs).cpu().double().numpy()  # (B, T) each
            for place, i in enumerate(batch):
                found[i] = self._spans(start[place], end[place], rows[i], k)
        model.train(training)
        windows = groupby(zip(rows, found, strict=True), key=lambda pair: pair[0]["example"])
        return [_best([span for _, spans in group for span in spans], k) for _, group in windows]

    def _spans(self, start: np.ndarray, end: np.ndarray, row: dict, k: int) -> list[Span]:
        """The `k` best legal spans of one window; start, end: logits, shape (T,)."""
        offsets = unpacked(row["offsets"])  # (n, 2)
        inside = slice(row["first"], row["first"] + len(offsets))
        scores = start[inside, None] + end[None, inside] - (start[0] + end[0])  # (n, n), margins
        legal = np.triu(np.ones_like(scores, dtype=bool)) & np.tri(*scores.shape, self.max_answer - 1, dtype=bool)
        made = []
        # Some of the best may turn out to be the same characters or blanks, so a few more are looked at.
        for i, j in _highest(np.where(legal, scores, -np.inf), 4 * k):
            begin, stop = whole_characters(row["context"], int(offsets[i, 0]), int(offsets[j, 1]))
            if begin < stop:
                made.append(Span(begin, stop, row["context"][begin:stop], float(scores[i, j])))
        return made

    def answer(self, span: Span) -> str:
        """The text of the span if its margin is above the threshold, else the empty text: no answer."""
        return span.text if self.threshold is None or span.margin > self.threshold else ""

    def per_row(self, predictions: Sequence[Span], references: Sequence[list[str]]) -> np.ndarray:
        """Token F1 of each example, 0 to 1, shape (N,); its mean is the F1."""
        pairs = zip(predictions, references, strict=True)
        return np.array([answers.f1(self.answer(span), right) for span, right in pairs], dtype=float)

    def score(self, predictions: Sequence[Span], references: Sequence[list[str]]) -> dict[str, float]:
        """Token F1 and exact match as SQuAD defines them (`helpers.answers`), 0 to 1."""
        pairs = zip(predictions, references, strict=True)
        exact = [answers.exact(self.answer(span), right) for span, right in pairs]
        return {"f1": float(self.per_row(predictions, references).mean()), "exact_match": float(np.mean(exact))}

    def calibrated(self, predictions: Sequence[Span], references: Sequence[list[str]]) -> "Extraction":
        """This task with the threshold that gives the best F1 on these predictions, best made on validation rows.

        Where it is best to answer always, as with data in which every question has an answer, that is None.
        """
        curve = answering_curve(predictions, references)
        best = curve.loc[curve["f1"].idxmax(), "threshold"]
        return replace(self, threshold=None if np.isneginf(best) else float(best))


def answering_curve(predictions: Sequence[Span], references: Sequence[list[str]]) -> pd.DataFrame:
    """What each threshold on the margin gives, one row a threshold, from answering nothing to answering all.

    Columns: threshold; answered (share of examples); precision (mean F1 of the answers given, NaN for none); recall
    (sum of their F1 over the number of examples that have an answer); f1 (as `Extraction.score` counts it, where an
    example without answer scores 1 if none is given).
    """
    margins = np.array([span.margin for span in predictions])
    given = np.array([answers.f1(span.text, right) for span, right in zip(predictions, references, strict=True)])
    withheld = np.array([answers.f1("", right) for right in references])
    order = np.argsort(-margins, kind="stable")
    margins, given, withheld = margins[order], given[order], withheld[order]
    count = np.arange(len(order) + 1)
    hits = np.concatenate([[0.0], np.cumsum(given)])  # (N + 1,) sum of F1 when the first `count` are answered
    spared = withheld.sum() - np.concatenate([[0.0], np.cumsum(withheld)])
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = hits / count, hits / (len(order) - withheld.sum())
    # Halfway between two margins; those that are equal cannot be parted.
    edges = np.concatenate([[NEVER], (margins[:-1] + margins[1:]) / 2, [-np.inf]])
    curve = pd.DataFrame({"threshold": edges, "answered": count / len(order), "precision": precision, "recall": recall})
    curve["f1"] = (hits + spared) / len(order)
    parted = np.concatenate([[True], margins[:-1] > margins[1:], [True]])
    return curve[parted].reset_index(drop=True)


def stretches(data: Dataset, words: int, *, empty: float = 0.25, seed: int = 0) -> Dataset:
    """Each row with a stretch of at most `words` words of its context, to train on long contexts at the cost of short.

    A stretch lies at random around the first answer, which then is the first of the row; other answers are kept where
    they lie in it. A share `empty` of the rows that have an answer get a stretch that touches none of them, and so no
    answer, since most windows of a long context are such. Rows of up to `words` words stay as they are.
    """
    random = np.random.default_rng(seed)
    rows = [row if (cut := _stretch(row, words, empty, random)) is None else row | cut for row in data]
    return Dataset.from_list(rows, features=data.features)


def _stretch(row: dict, words: int, empty: float, random: np.random.Generator) -> dict | None:
    """A context and its answers cut out of those of a row, or None if its context is short enough."""
    edges = np.array([match.span() for match in regex.finditer(r"\S+", row["context"])]).reshape(-1, 2)
    begins = np.arange(len(edges) - words + 1)  # the first word of every possible stretch
    if len(begins) < 2:
        return None
    texts, starts = row["answers"]["text"], np.array(row["answers"]["answer_start"], dtype=int)
    ends = starts + np.array([len(text) for text in texts], dtype=int)
    left, right = edges[begins, 0], edges[begins + words - 1, 1]
    apart = np.all((ends[:, None] <= left) | (starts[:, None] >= right), axis=0)
    around = (left <= starts[0]) & (ends[0] <= right) if texts else apart
    chosen = apart if texts and random.random() < empty and apart.any() else around
    if not chosen.any():  # an answer longer than a stretch
        return None
    place = int(random.choice(np.flatnonzero(chosen)))
    inside = (left[place] <= starts) & (ends <= right[place])
    kept = [text for text, fits in zip(texts, inside, strict=True) if fits]
    answers = {"text": kept, "answer_start": (starts[inside] - left[place]).tolist()}
    return {"context": row["context"][left[place] : right[place]], "answers": answers}


def whole_characters(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters [start, end) without blanks at both ends, and widened until no character that is seen is cut.

    A letter with its combining accents, or an emoji of several code points, is one character to a reader (an extended
    grapheme cluster, Unicode Annex 29), but tokens may end inside it.
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return start, end
    # A cluster starts at a blank at the latest, and 64 code points are longer than any that is written.
    left = max(text.rfind(" ", 0, start), start - 64, 0)
    for cluster in regex.finditer(r"\X", text[left : end + 64]):
        first, last = left + cluster.start(), left + cluster.end()
        if first < start < last:
            start = first
        if first < end < last:
            end = last
    return start, end


def cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int) -> list[str]:
    """The texts, each cut after its first `limit` tokens."""
    texts = [text[: 100 * limit] for text in texts]  # a token is hardly ever longer, and a long text costs time
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = [offsets[limit - 1][1] if len(offsets) > limit else None for offsets in encoded]
    return [text[:end] for text, end in zip(texts, ends, strict=True)]


def packed(offsets: np.ndarray) -> bytes:
    """Integers (n, 2) as bytes: a list of Python numbers would take ten times the memory."""
    return offsets.astype("<i4").tobytes()


def unpacked(content: bytes) -> np.ndarray:
    """What was `packed`, shape (n, 2)."""
    return np.frombuffer(content, dtype="<i4").reshape(-1, 2)


def _labels(given: dict, context: str, offsets: np.ndarray, first: int, row: int) -> dict:
    """The right texts, and the positions of the first of them in a window, 0 and 0 if it is not wholly inside."""
    texts, places = list(given["text"]), list(given["answer_start"])
    labels = {"answers": texts, "start": 0, "end": 0}
    if not texts:
        return labels
    begin, stop = places[0], places[0] + len(texts[0])
    if not texts[0].strip() or context[begin:stop] != texts[0]:
        raise InputError(
            f"answer '{texts[0][:40]}' in row {row + 1} does not stand in its context at character {begin}; "
            "give answers that are pieces of the context, and where each starts"
        )
    begin, stop = whole_characters(context, begin, stop)
    if len(offsets) and offsets[0, 0] <= begin and stop <= offsets[-1, 1]:
        start = int(np.searchsorted(offsets[:, 1], begin, side="right"))
        end = int(np.searchsorted(offsets[:, 0], stop, side="left")) - 1
        if start <= end:
            labels |= {"start": first + start, "end": first + end}
    return labels


def _highest(scores: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Row and column of the `most` highest finite scores, the highest first."""
    flat = scores.ravel()
    most = min(most, flat.size)
    places = np.argpartition(-flat, most - 1)[:most] if most else np.empty(0, int)
    places = places[np.lexsort((places, -flat[places]))]
    return [divmod(int(place), scores.shape[1]) for place in places if np.isfinite(flat[place])]


def _best(spans: list[Span], k: int) -> list[Span]:
    """The `k` spans with the highest margins, each stretch of characters once."""
    kept: dict[tuple[int, int], Span] = {}
    for span in sorted(spans, key=lambda span: -span.margin):
        kept.setdefault((span.start, span.end), span)
    return list(kept.values())[:k] or [NOTHING]
