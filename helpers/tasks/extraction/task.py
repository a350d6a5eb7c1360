"""Extractive question answering: the answer to a question is a span of its context, or nothing.

Rows have the columns of SQuAD: `question`, `context` and, where they are labelled, `answers` with the lists `text` and
`answer_start` (in characters), empty for a question that the context does not answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoModelForQuestionAnswering, PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import padded, padded_inputs
from helpers.data.corpus import Corpus
from helpers.errors import InputError
from helpers.metrics import squad
from helpers.tasks.base import Task, given
from helpers.tasks.extraction.labels import add_labels
from helpers.tasks.extraction.spans import (
    BATCH,
    Span,
    answering_curve,
    best_spans,
    cut,
    legal_spans,
    pack_offsets,
    unpack_offsets,
)
from helpers.text import AS_TEXT

ILLEGAL = torch.finfo(torch.float32).min  # a logit that the softmax turns into 0, and that no sum turns into NaN


@dataclass(frozen=True)
class Extraction(Task):
    """The piece of a context that answers a question, or nothing.

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
    auto_class = AutoModelForQuestionAnswering
    pipeline_tag = "question-answering"
    fields = ("question", "context")
    selection_metric = "f1"

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
        token of the context; `offsets`, the characters [start, end) of each of its tokens, packed by `pack_offsets`;
        `example`, the row of `data`; its `context`. Labelled rows also give `answers`, the texts that count as right,
        and `start` and `end`, the positions of the first of them in the window, 0 if it is not wholly there.

        Raises InputError if the tokenizer does not return the characters of its tokens, if the answer of a row does not
        stand in its context where `answer_start` says, or if it is of characters that the model does not read.
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
            **AS_TEXT,
        )
        windows = []
        for i, sample in enumerate(encoded["overflow_to_sample_mapping"]):
            inside = [position for position, part in enumerate(encoded.sequence_ids(i)) if part == 1]
            first = inside[0] if inside else len(encoded["input_ids"][i])
            offsets = np.array(encoded["offset_mapping"][i][first : first + len(inside)], np.int32).reshape(-1, 2)
            row = {name: encoded[name][i] for name in ("input_ids", "token_type_ids") if name in encoded}
            row |= {"first": first, "offsets": pack_offsets(offsets)}
            windows.append(row | {"example": begin + sample, "context": rows["context"][sample]})
        if "answers" in rows:
            add_labels(windows, rows["answers"], begin)
        return windows

    @classmethod
    def for_corpus(cls, corpus: Corpus, **settings: Any) -> "Extraction":
        """Extraction in windows that share a quarter of their tokens."""
        settings = given(settings)
        length = settings.pop("max_length", cls.max_length)
        return cls(length, length // 4, **settings)

    def configuration(self) -> dict[str, Any]:
        """Two outputs a token: how likely an answer starts and ends there."""
        return {"num_labels": 2}

    def references(self, encoded: Dataset) -> list[list[str]]:
        """The texts that count as right for each example of encoded rows; an empty list where there is no answer."""
        first = {example: i for i, example in reversed(list(enumerate(encoded["example"])))}
        return [encoded["answers"][i] for i in sorted(first.values())]

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term a window, shape (N,)."""
        return np.ones(len(encoded), dtype=np.int64)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad windows on the right: input_ids, attention_mask, legal (B, T), start and end (B,).

        `legal` is 1 where an answer may start or end: at the tokens of the context and at the first position.
        """
        batch = padded_inputs([row["input_ids"] for row in rows], pad_id)
        batch["legal"] = padded([_legal(row) for row in rows], 0)
        if "token_type_ids" in rows[0]:
            batch["token_type_ids"] = padded([row["token_type_ids"] for row in rows], 0)
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

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """Logits of start and end of each window, shape (B, 2, T), float32."""
        return self.logits(model, batch).transpose(0, 1).cpu().numpy()

    def predictions(self, model: PreTrainedModel, outputs: list, encoded: Dataset) -> list[Span]:
        """The best span of each example, whatever its margin; `answer_text` compares with the threshold."""
        return [spans[0] for spans in self._ranked(outputs, encoded, 1)]

    def candidates(self, model: PreTrainedModel, encoded: Dataset, k: int) -> list[list[Span]]:
        """Up to `k` different spans of each example, the best first, over all its windows; at least one, `NOTHING`.

        A span is legal if it starts and ends in the context, not before it starts, within `max_answer` tokens. Logits
        of two windows are not comparable (a softmax leaves their level open), but their margins over "no answer" are.
        """
        return self._ranked(self.infer(model, encoded), encoded, k)

    def _ranked(self, outputs: list, encoded: Dataset, k: int) -> list[list[Span]]:
        rows = encoded.to_list()
        spans = [
            legal_spans(*logits.astype(float), row, self.max_answer, k)
            for logits, row in zip(outputs, rows, strict=True)
        ]
        windows = groupby(zip(rows, spans, strict=True), key=lambda pair: pair[0]["example"])
        return [best_spans([span for _, spans in group for span in spans], k) for _, group in windows]

    def answer_text(self, span: Span) -> str:
        """The text of the span if its margin is above the threshold, else the empty text: no answer."""
        return span.text if self.threshold is None or span.margin > self.threshold else ""

    def per_row(self, predictions: Sequence[Span], references: Sequence[list[str]]) -> np.ndarray:
        """Token F1 of each example, 0 to 1, shape (N,); its mean is the F1."""
        pairs = zip(predictions, references, strict=True)
        return np.array([squad.f1(self.answer_text(span), right) for span, right in pairs], dtype=float)

    def silent(self, references: Sequence[list[str]]) -> np.ndarray:
        """Token F1 of the empty answer to each example: 1 where the context holds no answer, else 0."""
        return np.array([squad.f1("", right) for right in references], dtype=float)

    def score(self, predictions: Sequence[Span], references: Sequence[list[str]]) -> dict[str, float]:
        """Token F1 and exact match as SQuAD defines them (`helpers.metrics.squad`), 0 to 1."""
        pairs = zip(predictions, references, strict=True)
        exact = [squad.exact(self.answer_text(span), right) for span, right in pairs]
        return {"f1": float(self.per_row(predictions, references).mean()), "exact_match": float(np.mean(exact))}

    def calibrated(self, predictions: Sequence[Span], references: Sequence[list[str]]) -> "Extraction":
        """This task with the threshold that gives the best F1 on these predictions, best made on validation rows.

        Where it is best to answer always, as with data in which every question has an answer, that is None.
        """
        curve = answering_curve(predictions, references)
        best = curve.loc[curve["f1"].idxmax(), "threshold"]
        return replace(self, threshold=None if np.isneginf(best) else float(best))

    def answer(self, prediction: Span, row: dict) -> dict:
        """The answer, empty for none, and where it stands in the context."""
        text = self.answer_text(prediction)
        positions = {"start": prediction.start, "end": prediction.end} if text else {}
        # A context without words has no span to compare, and JSON has no word for minus infinity.
        return {"answer": text, **positions, "margin": round(max(prediction.margin, -1e6), 4)}

    @property
    def limit(self) -> str:
        """What the model card says."""
        return (
            f"Contexts are read in windows of {self.max_length} tokens. An answer is a piece of the context: it can be "
            "wrong, and it is never a summary or a yes or no."
        )


def _legal(row: dict) -> list[int]:
    """1 at the positions of a window where an answer may start or end, else 0, shape (T,)."""
    context = range(row["first"], row["first"] + len(unpack_offsets(row["offsets"])))
    return [int(position == 0 or position in context) for position in range(len(row["input_ids"]))]
