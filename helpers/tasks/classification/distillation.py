"""Distillation (Hinton, Vinyals and Dean 2015): a smaller classifier learns the probabilities of a larger one.

The smaller model begins as some of the larger one's layers (`shallow`), and the rows that it learns from need no labels
(`told`). `helpers.workflow.distil` puts these together.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.models import lora
from helpers.models.fast import family
from helpers.tasks.base import Predictor
from helpers.tasks.classification.task import Classification

TEMPERATURE = 2.0
TOLD = "teacher"  # the column of what the larger model says of a row


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far a student is from its teacher (`eq-distillation`), summed over the rows; scalar.

    It is T² KL(p, q), with p and q the softmax of what teacher and student say, divided by the temperature T. The
    square keeps the gradient as large at every temperature.

    Args:
        student, teacher: logits, or log-probabilities, (B, C).
    """
    p, q = ((scores.float() / temperature).log_softmax(-1) for scores in (teacher, student))  # (B, C)
    return temperature**2 * nn.functional.kl_div(q, p, reduction="sum", log_target=True)


@dataclass(frozen=True)
class Distilled(Classification):
    """Classification whose training rows hold what a teacher says in place of a label.

    Attributes:
        temperature: by which the logits of both are divided in the loss, 1 to 4; above 1 the classes that the teacher
            thinks less likely count more.
    """

    temperature: float = TEMPERATURE

    def __post_init__(self):
        super().__post_init__()
        if not self.temperature > 0:
            raise InputError(f"temperature {self.temperature} must be above 0; usual are 1 to 4")

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """As `Classification.encode`, with the column `teacher` where the rows have it."""
        encoded = super().encode(tokenizer, rows)
        return encoded.add_column(TOLD, rows[TOLD][:]) if TOLD in rows.column_names else encoded

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """As `Classification.collate`, with teacher (B, C)."""
        batch = super().collate(rows, pad_id)
        return batch | ({TOLD: torch.tensor([row[TOLD] for row in rows])} if TOLD in rows[0] else {})

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term per text, shape (N,)."""
        return np.ones(len(encoded), dtype=np.int64)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The sum of `soft_loss` over the rows of the batch; scalar."""
        batch = dict(batch)
        return soft_loss(self.logits(model, batch), batch.pop(TOLD), self.temperature)

    def plain(self) -> Classification:
        """What is left of the task once the student is trained."""
        return Classification(self.labels, self.max_length)


def told(teacher: Predictor, rows: Dataset) -> Dataset:
    """The texts of rows with the log-probabilities that a classifier gives them, (C,) each; labels are left out."""
    probabilities = np.asarray(teacher.predict(rows))  # (N, C)
    log_p = np.log(np.clip(probabilities, np.finfo(np.float32).tiny, None))
    return Dataset.from_dict({"text": rows["text"][:], TOLD: log_p.tolist()})


def spread(layers: int, of: int) -> list[int]:
    """Which layers a model of fewer keeps: evenly spaced, the first and the last among them."""
    if not 1 < layers <= of:
        raise InputError(f"a model of {of} layers cannot give {layers}; take a number from 2 to {of}")
    return [int(place) for place in np.linspace(0, of - 1, layers).round()]


def shallow(model: PreTrainedModel, layers: int) -> PreTrainedModel:
    """A plain copy of a BERT with fewer layers, `spread` over it; all else is as it was (Sanh et al. 2019).

    Raises InputError for a number of layers that the model does not have, and for another architecture.
    """
    smaller = lora.merged(copy.deepcopy(model))
    stack = getattr(getattr(getattr(smaller, "base_model", None), "encoder", None), "layer", None)
    if not isinstance(stack, nn.ModuleList):
        raise InputError(f"the layers of this model ({family(model)}) are not where those of a BERT are; take a BERT")
    kept = spread(layers, len(stack))
    smaller.base_model.encoder.layer = nn.ModuleList(smaller.base_model.encoder.layer[i] for i in kept)
    smaller.config.num_hidden_layers = layers
    return smaller
