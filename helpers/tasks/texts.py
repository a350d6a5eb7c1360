"""What the tasks that label whole texts share; they read the first token of an encoder, the last of a decoder."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import padded_inputs
from helpers.data.corpus import Corpus
from helpers.errors import InputError
from helpers.models import lora
from helpers.models.fast import first_token_only
from helpers.tasks.base import Task, check_once, given, label_names
from helpers.text import AS_TEXT


class TextTask(Task):
    """A task with fields `labels`, `max_length` and `lora_rank`, and a linear layer (D, C) on one token of a text."""

    auto_class = AutoModelForSequenceClassification
    pipeline_tag = "text-classification"
    labels: tuple[str, ...]
    max_length: int
    lora_rank: int | None

    def __post_init__(self):
        object.__setattr__(self, "labels", tuple(self.labels))
        check_once("labels", self.labels)
        if self.max_length < 3:
            raise InputError(f"max_length {self.max_length} is below 3, two special tokens and one of the text")
        if self.lora_rank is not None and (type(self.lora_rank) is not int or self.lora_rank < 1):
            raise InputError(f"lora_rank {self.lora_rank!r} must be a whole number from 1 on; usual are 4 to 64")

    @classmethod
    def for_corpus(cls, corpus: Corpus, **settings: Any) -> "TextTask":
        """The task with the labels of a corpus."""
        return cls(corpus.labels, **given(settings))

    def configuration(self) -> dict[str, Any]:
        """The number and the names of the labels."""
        return label_names(self.labels)

    def build(self, model: str | None = None, *, pretrained: bool = True, seed: int = 0) -> PreTrainedModel:
        """The pretrained body with a new layer for the labels, and LoRA beside the others where a rank is set."""
        built = super().build(model, pretrained=pretrained, seed=seed)
        return built if self.lora_rank is None else lora.add(built, self.lora_rank, new_head=True, seed=seed)

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> list[list[int]]:
        """The tokens of each text that are kept."""
        return encode_texts(tokenizer, rows["text"][:], self.max_length)

    def truncated(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> int:
        """How many texts have more tokens than the task keeps."""
        limit = min(self.max_length, tokenizer.model_max_length)
        return sum(len(ids) > limit for ids in _first_tokens(tokenizer, rows["text"], limit + 1))

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad rows on the right to the longest of them: input_ids and attention_mask (B, T), labels (B,) or (B, C)."""
        batch = padded_inputs([row["input_ids"] for row in rows], pad_id)
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return batch

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The network's score of each label, (B, C)."""
        return model(**{name: value for name, value in batch.items() if name != "labels"}).logits

    def fast_path(self, model: nn.Module) -> AbstractContextManager:
        """The last layer of BERT computes the first position alone."""
        return first_token_only(model)


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """The first `max_length` tokens of each text, or as many as the model reads, special tokens included."""
    return _first_tokens(tokenizer, texts, min(max_length, tokenizer.model_max_length))


def _first_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int) -> list[list[int]]:
    # A token is at least one character, and 100 characters a token is more than any text needs: a text of 100,000 words
    # costs no more than its head.
    heads = [text[: 100 * limit] for text in texts]
    if not heads:
        return []
    return tokenizer(heads, truncation=True, max_length=limit, return_attention_mask=False, **AS_TEXT)["input_ids"]


def label_ids(rows: Sequence[Sequence], labels: Sequence[str]) -> list[list]:
    """The labels of each row with names as ids; what is no name stays. InputError, with the row, for another name."""
    ids = {name: place for place, name in enumerate(labels)}
    for number, row in enumerate(rows, start=1):
        for label in row:
            if isinstance(label, str) and label not in ids:
                raise InputError(f"label '{label}' in row {number} is not one of {', '.join(labels)}; fix the row")
    return [[ids.get(label, label) for label in row] for row in rows]


def check_ids(labels: Sequence[Sequence[int]], count: int) -> None:
    """InputError, with the row, for a label that is no id from 0 to `count` - 1; labels: those of each row."""
    for number, row in enumerate(labels, start=1):
        for label in row:
            if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < count:
                raise InputError(
                    f"label {label!r} in row {number} is no id from 0 to {count - 1}; give ids (a test set of the "
                    "Hub may hide them: take another split)"
                )
