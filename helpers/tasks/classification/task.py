"""Text classification: one label for each text, from the first token of an encoder or the last of a decoder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from helpers import metrics
from helpers.errors import InputError
from helpers.tasks.texts import TextTask, check_ids, label_ids


@dataclass(frozen=True)
class Classification(TextTask):
    """One label for each text.

    Attributes:
        labels: the names of the classes; a label's id is its index, 0 to C - 1.
        max_length: tokens kept of a text, special tokens included; the rest is cut off.
        lora_rank: `build` freezes the body and adds LoRA matrices of this rank (`helpers.models.lora`), which train
            with the new layer; None trains all weights.
    """

    labels: tuple[str, ...]
    max_length: int = 256
    lora_rank: int | None = field(default=None, kw_only=True)

    name = "classification"
    selection_metric = "accuracy"

    def __post_init__(self):
        super().__post_init__()
        if len(set(self.labels)) < 2:
            raise InputError(f"labels {list(self.labels)} hold fewer than two classes; classification needs two")

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """Turn the columns `text` and, where there is one, `label` into `input_ids` and `labels`, row by row.

        A label is an id or a name; InputError, with the row, for another name.
        """
        columns = {"input_ids": self.tokens(tokenizer, rows)}
        if "label" in rows.column_names:
            columns["labels"] = [ids[0] for ids in label_ids([[label] for label in rows["label"]], self.labels)]
        return Dataset.from_dict(columns)

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term per text, shape (N,)."""
        return np.ones(len(self.references(encoded)), dtype=np.int64)

    def references(self, encoded: Dataset) -> np.ndarray:
        """The label ids of encoded rows, shape (N,); InputError, with the row, for one that is no id of the task."""
        check_ids([[label] for label in encoded["labels"]], len(self.labels))
        return np.array(encoded["labels"])

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy -log p(label | text), summed over the rows of the batch; scalar."""
        return nn.functional.cross_entropy(self.logits(model, batch).float(), batch["labels"], reduction="sum")

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """Probabilities p(label | text), shape (B, C), float64."""
        return self.logits(model, batch).cpu().double().softmax(-1).numpy()

    def per_row(self, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Whether each row is right, 1.0 or 0.0, shape (N,), from probabilities (N, C); its mean is the accuracy."""
        return (predictions.argmax(-1) == references).astype(float)

    def score(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Accuracy, macro F1 and mean -log p(label) of probabilities (N, C) against label ids (N,)."""
        labels = {"predictions": predictions.argmax(-1), "references": references}
        scores = metrics.load("accuracy").compute(**labels) | metrics.load("macro_f1").compute(**labels)
        return scores | metrics.load("log_loss").compute(predictions=predictions, references=references)

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.labels)

    def certainty(self, predictions: np.ndarray) -> float:
        """The highest of the probabilities (N, C)."""
        return float(predictions.max())

    def label_counts(self, predictions: np.ndarray, references: np.ndarray) -> tuple[Counter, Counter]:
        """The likeliest label of each row, counted, and the true ones."""
        predicted, true = (Counter(self.labels[i] for i in ids) for ids in (predictions.argmax(-1), references))
        return predicted, true

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
