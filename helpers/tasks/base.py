"""The contract of a task, written once: what is special about it, and what is the same for all.

A task is a frozen dataclass whose fields are its settings. To write one, derive from `Task`, fill in the names that are
declared without a value, and write the abstract methods. Batches, the loop, checkpoints, intervals, the saved folder,
the card, the shell and the server then work with it; `tests/tasks/test_contract.py` says what they rely on.

The way of a row: `encode` makes tokens of it once, `collate` pads some rows to a batch, `loss` and `outputs` read the
batch, `predictions` turns the outputs of all rows into what is scored, `per_row` and `score` compare with `references`.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers import models
from helpers.data.batching import on_device, rows_at
from helpers.data.corpus import Corpus
from helpers.errors import InputError
from helpers.models.inference import BATCH_TOKENS, by_length, evaluating

IGNORE = -100  # the label of a token that does not count, as everywhere in PyTorch


class Task(ABC):
    """What is special about a task; the docstring of this file describes how its methods follow each other.

    Class attributes:
        name: its name in the shell and in saved folders.
        auto_class: the class of transformers with which plain `from_pretrained` loads its models.
        pipeline_tag: its name on the Hub.
        default_model: the role of the pretrained model that is used by default.
        fields: what a person types for one prediction, such as ("text",).
        new_head: whether the pretrained body lacks the output layer, so that it is initialised at random.
        selection_metric: the score on validation rows that chooses the best weights; higher is better.
        from_counts: for a score that is no mean over rows, the method that makes it from mean counts (..., K); else
            None.
        highest: what a perfect model scores, by which intervals know the end of the scale; 1 too where there is none.
        lora_saved: how a model with LoRA matrices is saved, as `Generation` says.
        learning_rates: peak learning rates of parameters that have one of their own, by name prefix.
    """

    name: ClassVar[str]
    auto_class: ClassVar[type]
    pipeline_tag: ClassVar[str]
    default_model: ClassVar[str] = "encoder"
    fields: ClassVar[tuple[str, ...]] = ("text",)
    new_head: ClassVar[bool] = True
    selection_metric: ClassVar[str]
    from_counts = None
    highest: ClassVar[float] = 1.0
    learning_rates: ClassVar[Mapping[str, float]] = {}
    lora_saved = "merged"

    # From a corpus and a pretrained model to something that can be trained

    @classmethod
    def for_corpus(cls, corpus: Corpus, **settings: Any) -> "Task":
        """The task for a corpus, with its labels where it has some; settings that are None keep their defaults."""
        return cls(**given(settings))

    def configuration(self) -> dict[str, Any]:
        """Fields of the model's configuration that the task sets, such as `num_labels`."""
        return {}

    def build(self, model: str | None = None, *, pretrained: bool = True, seed: int = 0) -> PreTrainedModel:
        """The pretrained body with the layers of the task on top.

        Args:
            model: a role, a folder or a name on the Hub, as `models.load` takes it; None is `default_model`.
            pretrained: False initialises every weight at random.
            seed: of the random initialisation of new layers.
        """
        name = model or self.default_model
        return models.load(self.auto_class, name, pretrained=pretrained, seed=seed, **self.configuration())

    def settled(self, model: nn.Module) -> "Task":
        """This task with what `build` has chosen by itself for a model, so that it can be done again."""
        return self

    def restore(self, model: PreTrainedModel, folder: Path) -> None:  # noqa: B027 - most tasks have nothing to add
        """Give a model what plain `from_pretrained` leaves out of a saved folder."""

    # From rows to batches

    @abstractmethod
    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """Rows as tokens, in their order, with at least the column `input_ids`; labels are kept where there are some.

        One row may become several. Raises InputError, naming the row, for one that cannot be read.
        """

    @abstractmethod
    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Some encoded rows as one batch, padded on the right: input_ids (B, T) and what `loss` and `outputs` read."""

    @abstractmethod
    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """How many terms each encoded row adds to the loss, shape (N,); the loss of a step is divided by their sum."""

    @abstractmethod
    def references(self, encoded: Dataset) -> Sequence:
        """What predictions on labelled rows are compared with, one an example."""

    def truncated(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> int:
        """How many rows are truncated because they are longer than the task reads; 0 unless a task counts them."""
        return 0

    # From batches to loss and predictions

    @abstractmethod
    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss summed over the terms of the batch, a scalar."""

    @abstractmethod
    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> Sequence:
        """The model's output for each row of the batch, on the CPU, one entry per row; padding does not change it."""

    def predictions(self, model: PreTrainedModel, outputs: list, encoded: Dataset) -> Sequence:
        """The outputs of all encoded rows as predictions, one an example; here an array of shape (N, ...)."""
        return np.stack(outputs)

    def apart(self) -> "Task":
        """This task with each row in a sequence of its own, as it is unless rows are packed."""
        return self

    def fast_path(self, model: nn.Module) -> AbstractContextManager:
        """A context in which the model does only the work that this task reads; results are the same."""
        return nullcontext()

    def infer(self, model: PreTrainedModel, encoded: Dataset, *, batch_tokens: int = BATCH_TOKENS) -> list:
        """The `outputs` of encoded rows in their order: the one inference loop of all tasks."""
        pad_id = model.config.pad_token_id or 0

        def compute(batch: list[int]) -> Sequence:
            return self.outputs(model, on_device(self.collate(rows_at(encoded, batch), pad_id), model.device))

        with evaluating(model), self.fast_path(model):
            return by_length(compute, [len(ids) for ids in encoded["input_ids"]], batch_tokens=batch_tokens)

    def predict(self, model: PreTrainedModel, encoded: Dataset, *, batch_tokens: int = BATCH_TOKENS) -> Sequence:
        """Predictions for encoded rows, one an example, in their order."""
        return self.predictions(model, self.infer(model, encoded, batch_tokens=batch_tokens), encoded)

    def calibrated(self, predictions: Sequence, references: Sequence) -> "Task":
        """This task with what is chosen on predictions for validation rows, such as a threshold."""
        return self

    # What predictions say of the training

    @property
    def classes(self) -> int | None:
        """The number C of labels that exclude each other in a row, where the loss of chance is log C; else None."""
        return None

    def certainty(self, predictions: Sequence) -> float | None:
        """The highest probability that any row gives a label, for a task with `classes`; else None."""
        return None

    def label_counts(self, predictions: Sequence, references: Sequence) -> tuple[Counter, Counter] | None:
        """How often each label is predicted and is true, by name, for a task that chooses among labels; else None."""
        return None

    def silent(self, references: Sequence) -> np.ndarray | None:
        """What `per_row` gives for saying nothing about any row, shape (N,), where nothing is an answer; else None."""
        return None

    # From predictions to scores and answers

    @abstractmethod
    def per_row(self, predictions: Sequence, references: Sequence) -> np.ndarray:
        """One value an example, shape (N,), whose mean is `selection_metric`; with `from_counts`, counts (N, K)."""

    @abstractmethod
    def score(self, predictions: Sequence, references: Sequence) -> dict[str, float]:
        """Scores by name, `selection_metric` among them."""

    @abstractmethod
    def answer(self, prediction: Any, row: dict) -> dict:
        """One prediction as the shell and the server give it to people, ready for JSON; `row` as `encode` took it."""

    def row(self, fields: dict[str, str]) -> dict:
        """What a person typed into `fields`, as a row without labels."""
        return fields

    def reported_task(self, tokenizer: PreTrainedTokenizerBase) -> "Task":
        """The task whose predictions and scores are reported: itself, unless training is judged by cheaper ones."""
        return self

    @property
    @abstractmethod
    def limit(self) -> str:
        """What a model of this task cannot do, in one or two sentences for its card."""

    def to_dict(self) -> dict:
        """The task's name and settings, ready for JSON."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class Predictor:
    """A model with its task and its tokenizer, ready for prediction.

    Rows are a `Dataset` as the task's `encode` takes it, a list of such rows as dictionaries, or, where the task has
    one field, a list of texts.
    """

    task: Task
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def encode(self, rows: Dataset | Sequence) -> Dataset:
        """The rows as tokens."""
        return self.task.encode(self.tokenizer, self._dataset(rows))

    def predict(self, rows: Dataset | Sequence) -> Sequence:
        """What the task predicts for each row: probabilities (N, C) for a classifier, texts for a task that writes."""
        task = self.task.reported_task(self.tokenizer)
        return task.predict(self.model, task.encode(self.tokenizer, self._dataset(rows)))

    def answers(self, rows: Dataset | Sequence) -> list[dict]:
        """The predictions in readable form, one dictionary per row, ready for JSON."""
        rows = self._dataset(rows)
        task = self.task.reported_task(self.tokenizer)
        return [task.answer(prediction, row) for prediction, row in zip(self.predict(rows), rows, strict=True)]

    def score(self, rows: Dataset | Sequence) -> dict[str, float]:
        """The task's scores on labelled rows."""
        rows = self._dataset(rows)
        if len(rows) == 0:
            raise InputError("rows are an empty data set; a score needs at least one")
        task = self.task.reported_task(self.tokenizer)
        encoded = task.encode(self.tokenizer, rows)
        references = labelled_references(task, encoded)
        return task.score(task.predict(self.model, encoded), references)

    def _dataset(self, rows: Dataset | Sequence) -> Dataset:
        if isinstance(rows, Dataset):
            return rows
        if isinstance(rows, str | Mapping) or not isinstance(rows, Sequence):
            raise InputError(f"rows are {type(rows).__name__}; pass a list of them, also if there is only one")
        if len(rows) == 0:
            raise InputError("rows are an empty list; pass at least one")
        fields = self.task.fields
        if len(fields) > 1 and any(isinstance(row, str) for row in rows):
            raise InputError(
                f"a row of the task {self.task.name} has {' and '.join(fields)}; pass dictionaries with both"
            )
        return Dataset.from_list([self.task.row({fields[0]: row}) if isinstance(row, str) else row for row in rows])


def labelled_references(task: Task, encoded: Dataset) -> Sequence:
    """What the task compares predictions with; InputError if the rows hold nothing to compare with."""
    try:
        return task.references(encoded)
    except InputError:
        raise
    except (KeyError, ValueError) as error:
        raise InputError(f"the rows hold no labels to compare with ({error}); add them") from error


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


def check_once(what: str, names: Sequence[str]) -> None:
    """InputError if a name stands twice: its two ids would be two classes."""
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise InputError(f"{what} name '{twice[0]}' twice; give each once")


def label_names(labels: Sequence[str]) -> dict[str, Any]:
    """The fields of a model's configuration that hold the names of C classes."""
    id2label = dict(enumerate(labels))
    return {"num_labels": len(labels), "id2label": id2label, "label2id": {name: i for i, name in id2label.items()}}
