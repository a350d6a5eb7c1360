"""Multi-label classification: for each text any number of labels, each with a probability of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from datasets import Dataset
from sklearn.metrics import f1_score
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from helpers import metrics
from helpers.errors import InputError
from helpers.tasks.texts import TextTask, check_ids, label_ids

HALF = 0.5


@dataclass(frozen=True)
class MultiLabel(TextTask):
    """Any number of labels for each text.

    Attributes:
        labels: the names of the labels; a label's id is its index, 0 to C - 1.
        max_length: tokens kept of a text, special tokens included; the rest is cut off.
        thresholds: the probability from which each label is given, (C,); None is one half for all. `calibrated`
            chooses them on validation rows.
        lora_rank: `build` freezes the body and adds LoRA matrices of this rank (`helpers.models.lora`), which train
            with the new layer; None trains all weights.
    """

    labels: tuple[str, ...]
    max_length: int = 256
    thresholds: tuple[float, ...] | None = None
    lora_rank: int | None = field(default=None, kw_only=True)

    name = "multilabel"
    selection_metric = "micro_f1"

    def __post_init__(self):
        super().__post_init__()
        if not self.labels:
            raise InputError("labels are empty; multi-label classification needs at least one")
        if self.thresholds is not None:
            object.__setattr__(self, "thresholds", tuple(self.thresholds))
            if len(self.thresholds) != len(self.labels):
                raise InputError(
                    f"{len(self.thresholds)} thresholds are given for {len(self.labels)} labels; give one each"
                )

    def configuration(self) -> dict[str, Any]:
        """The number and the names of the labels, and that a text may have several."""
        return super().configuration() | {"problem_type": "multi_label_classification"}

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """Turn the columns `text` and, where there is one, `labels` (lists of ids) into `input_ids` and `labels`.

        Encoded labels are 1.0 or 0.0 for each of the C names.
        """
        columns: dict[str, list] = {"input_ids": self.tokens(tokenizer, rows)}
        if "labels" in rows.column_names:
            own = label_ids(rows["labels"][:], self.labels)
            check_ids(own, len(self.labels))
            columns["labels"] = [[float(label in ids) for label in range(len(self.labels))] for ids in own]
        return Dataset.from_dict(columns)

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term a text and label, shape (N,)."""
        return np.full(len(encoded), len(self.labels))

    def references(self, encoded: Dataset) -> np.ndarray:
        """Which labels encoded rows have, shape (N, C), booleans."""
        return np.array(encoded["labels"]) > HALF

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Binary cross-entropy of each label, summed over rows and labels; scalar."""
        logits = self.logits(model, batch).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, batch["labels"], reduction="sum")

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """Probabilities p(label | text), each label for itself, shape (B, C), float64."""
        return self.logits(model, batch).cpu().double().sigmoid().numpy()

    def decisions(self, probabilities: np.ndarray) -> np.ndarray:
        """Which labels are given, shape (N, C), booleans."""
        return probabilities >= (HALF if self.thresholds is None else np.array(self.thresholds))

    def calibrated(self, predictions: np.ndarray, references: np.ndarray) -> "MultiLabel":
        """This task with the threshold of each label that gives its best F1 on these predictions."""
        return replace(self, thresholds=tuple(best_thresholds(predictions, references)))

    def per_row(self, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Labels of each row that are right, given and true, shape (N, 3); `from_counts` makes the micro F1."""
        decided = self.decisions(predictions)
        return np.stack([(decided & references).sum(1), decided.sum(1), references.sum(1)], axis=-1).astype(float)

    def from_counts(self, counts: np.ndarray) -> np.ndarray:
        """F1 over all labels from mean counts, shape (..., 3) to (...)."""
        return metrics.f1_of(counts)

    def score(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Micro F1 (all labels together), macro F1 (mean over labels), and the share of rows that match exactly."""
        decided = self.decisions(predictions)
        f1 = {
            average: f1_score(references, decided, average=average, zero_division=0) for average in ("micro", "macro")
        }
        exact = (decided == references).all(axis=1).mean()
        return {"micro_f1": float(f1["micro"]), "macro_f1": float(f1["macro"]), "exact_match": float(exact)}

    def label_counts(self, predictions: np.ndarray, references: np.ndarray) -> tuple[Counter, Counter]:
        """The labels that are given, counted, and the true ones."""
        decided = self.decisions(predictions)
        given, true = (Counter(self.labels[i] for i in np.nonzero(rows)[1]) for rows in (decided, references))
        return given, true

    def answer(self, prediction: Sequence[float], row: dict) -> dict:
        """The labels that are given, and the probability of each."""
        decided = self.decisions(np.asarray(prediction))
        probabilities = {name: round(float(p), 6) for name, p in zip(self.labels, prediction, strict=True)}
        chosen = [name for name, yes in zip(self.labels, decided, strict=True) if yes]
        return {"labels": chosen, "probabilities": probabilities}

    @property
    def limit(self) -> str:
        """What the model card says."""
        return (
            f"Of a text only the first {self.max_length} tokens are read. Each label is decided for itself, so a text "
            "may get labels that exclude each other, or none."
        )


def best_thresholds(probabilities: np.ndarray, references: np.ndarray) -> list[float]:
    """For each label the threshold with the best F1 on these rows, halfway between two probabilities, (C,).

    A label that no row has keeps one half.
    """
    thresholds = []
    for scores, true in zip(probabilities.T, references.T, strict=True):
        order = np.argsort(-scores, kind="stable")
        hits = np.cumsum(true[order])  # right ones, if the first 1, 2, ... rows are given the label
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + true.sum())
        parted = np.append(scores[order][:-1] > scores[order][1:], True)  # equal probabilities cannot be parted
        best = int(np.argmax(np.where(parted, f1, -1.0)))
        following = scores[order][best + 1] if best + 1 < len(order) else 0.0
        thresholds.append(float((scores[order][best] + following) / 2) if true.any() else HALF)
    return thresholds
