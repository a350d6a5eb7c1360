"""Text classification: one label for each text, from the first token of an encoder."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from helpers import metrics
from helpers.data.batching import padded_inputs
from helpers.data.corpus import Corpus
from helpers.errors import InputError
from helpers.models.fast import first_token_only
from helpers.tasks.base import Task, encode_texts, given, label_names


@dataclass(frozen=True)
class Classification(Task):
    """One label for each text.

    Attributes:
        labels: the names of the classes; a label's id is its place, 0 to C - 1.
        max_length: tokens kept of a text, special tokens included; the rest is cut off.
    """

    labels: tuple[str, ...]
    max_length: int = 256

    name = "classification"
    auto_class = AutoModelForSequenceClassification
    pipeline_tag = "text-classification"
    new_layers = ("classifier",)
    selection_metric = "accuracy"

    def __post_init__(self):
        if self.max_length < 3:
            raise InputError(f"max_length {self.max_length} is below 3, two special tokens and one of the text")
        if len(set(self.labels)) < 2:
            raise InputError(f"labels {list(self.labels)} hold fewer than two classes; classification needs two")
        object.__setattr__(self, "labels", tuple(self.labels))

    @classmethod
    def for_corpus(cls, corpus: Corpus, **settings: Any) -> "Classification":
        """Classification with the labels of a corpus."""
        return cls(corpus.labels, **given(settings))

    def configuration(self) -> dict[str, Any]:
        """The number and the names of the classes."""
        return label_names(self.labels)

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """Turn the columns `text` and, where there is one, `label` into `input_ids` and `labels`, row by row."""
        columns = {"input_ids": encode_texts(tokenizer, rows["text"][:], self.max_length)}
        return Dataset.from_dict(columns | ({"labels": rows["label"][:]} if "label" in rows.column_names else {}))

    def truncated(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> int:
        """How many texts have more tokens than the task keeps."""
        ids = encode_texts(tokenizer, rows["text"][:], self.max_length + 1)
        return sum(len(row) > self.max_length for row in ids)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad rows on the right to the longest of them: input_ids and attention_mask (B, T), labels (B,)."""
        batch = padded_inputs([row["input_ids"] for row in rows], pad_id)
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return batch

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term a text, shape (N,)."""
        return np.ones(len(encoded), dtype=np.int64)

    def references(self, encoded: Dataset) -> np.ndarray:
        """The label ids of encoded rows, shape (N,)."""
        return np.array(encoded["labels"])

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy -log p(label | text), summed over the rows of the batch; scalar."""
        return nn.functional.cross_entropy(_logits(model, batch).float(), batch["labels"], reduction="sum")

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """Probabilities p(label | text), shape (B, C), float64."""
        return _logits(model, batch).cpu().double().softmax(-1).numpy()

    def fast_path(self, model: nn.Module) -> AbstractContextManager:
        """The last layer of BERT computes the first position alone."""
        return first_token_only(model)

    def per_row(self, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Whether each row is right, 1.0 or 0.0, shape (N,), from probabilities (N, C); its mean is the accuracy."""
        return (predictions.argmax(-1) == references).astype(float)

    def score(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Accuracy, macro F1 and mean -log p(label) of probabilities (N, C) against label ids (N,)."""
        labels = {"predictions": predictions.argmax(-1), "references": references}
        scores = metrics.load("accuracy").compute(**labels) | metrics.load("macro_f1").compute(**labels)
        return scores | metrics.load("log_loss").compute(predictions=predictions, references=references)

    def answer(self, prediction: Sequence[float], row: dict) -> dict:
        """The likeliest label, and the probability of each."""
        probabilities = {name: round(float(p), 6) for name, p in zip(self.labels, prediction, strict=True)}
        return {"label": self.labels[int(np.argmax(prediction))], "probabilities": probabilities}

    @property
    def limit(self) -> str:
        """What the model card says."""
        return (
            f"Of a text only the first {self.max_length} tokens are read. Each text gets one of the labels, also one "
            "that fits none."
        )


def _logits(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    return model(**{name: value for name, value in batch.items() if name != "labels"}).logits  # (B, C)
