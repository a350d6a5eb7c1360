"""Text classification: one label for each text, from the first token of an encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MethodType

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import BertForSequenceClassification, BertLayer, eager_attention_forward

from helpers import metrics, models
from helpers.batching import length_batches, on_device, padded_inputs
from helpers.errors import InputError


@dataclass(frozen=True)
class Classification:
    """What is special about classifying texts; `helpers.training` and `helpers.evaluation` know the rest.

    Attributes:
        labels: the names of the classes; a label's id is its place, 0 to C - 1.
        max_length: tokens kept of a text, special tokens included; the rest is cut off.
    """

    labels: tuple[str, ...]
    max_length: int = 256

    name = "classification"
    selection = "accuracy"  # the validation score that chooses the best weights; higher is better
    head = ("classifier",)  # name prefixes of the layers that the pretrained body lacks

    def __post_init__(self):
        if self.max_length < 3:
            raise InputError(f"max_length {self.max_length} is below 3, two special tokens and one of the text")
        if len(set(self.labels)) < 2:
            raise InputError(f"labels {list(self.labels)} hold fewer than two classes; classification needs two")
        object.__setattr__(self, "labels", tuple(self.labels))

    def encode(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> Dataset:
        """Turn the columns `text` and, where there is one, `label` into `input_ids` and `labels`, row by row."""
        limit = min(self.max_length, tokenizer.model_max_length)

        def encode_rows(rows: dict) -> dict:
            # a token is at least one character, and 100 characters a token is more than any text needs: a text of
            # 100,000 words costs no more than its head
            texts = [text[: 100 * limit] for text in rows["text"]]
            ids = tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]
            return {"input_ids": ids} | ({"labels": rows["label"]} if "label" in rows else {})

        return Dataset.from_dict(encode_rows(data[:]))

    def build(
        self, model: str = "encoder", *, scale: str | None = None, pretrained: bool = True, seed: int = 0
    ) -> PreTrainedModel:
        """The pretrained body with a new linear layer (D, C) on top; the layer is drawn under `seed`."""
        id2label = dict(enumerate(self.labels))
        return models.load(
            AutoModelForSequenceClassification,
            model,
            scale=scale,
            pretrained=pretrained,
            seed=seed,
            num_labels=len(self.labels),
            id2label=id2label,
            label2id={name: index for index, name in id2label.items()},
        )

    def references(self, data: Dataset) -> np.ndarray:
        """The label ids of encoded rows, shape (N,)."""
        return np.array(data["labels"])

    def supervised(self, data: Dataset) -> np.ndarray:
        """How many terms each row adds to the loss, shape (N,): one a text."""
        return np.ones(len(data), dtype=np.int64)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad rows on the right to the longest of them: input_ids and attention_mask (B, T), labels (B,)."""
        batch = padded_inputs([row["input_ids"] for row in rows], pad_id)
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return batch

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy -log p(label | text), summed over the rows of the batch; scalar."""
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        logits = model(**inputs).logits.float()  # (B, C)
        return nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")

    def fast_path(self, model: nn.Module):
        """A context in which the model does only the work that this task reads; results are the same."""
        return first_token_only(model)

    @torch.inference_mode()
    def predict(
        self, model: PreTrainedModel, data: Dataset, *, pad_id: int = 0, batch_tokens: int = 8192
    ) -> np.ndarray:
        """Probabilities p(label | text) of encoded rows, in their order, shape (N, C), float64."""
        lengths = [len(ids) for ids in data["input_ids"]]
        result = np.zeros((len(lengths), len(self.labels)))  # (N, C)
        training = model.training
        model.eval()
        with self.fast_path(model):
            for batch in length_batches(lengths, batch_rows=256, batch_tokens=batch_tokens, shuffle=False):
                rows = [{"input_ids": ids} for ids in data[batch]["input_ids"]]
                inputs = on_device(self.collate(rows, pad_id), model.device)
                result[batch] = model(**inputs).logits.cpu().double().softmax(-1).numpy()
        model.train(training)
        return result

    def per_row(self, probabilities: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Whether each row is right, 1.0 or 0.0, shape (N,); its mean is the accuracy."""
        return (probabilities.argmax(-1) == references).astype(float)

    def score(self, probabilities: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Accuracy, macro F1 and mean -log p(label) of probabilities (N, C) against label ids (N,)."""
        predicted = {"predictions": probabilities.argmax(-1), "references": references}
        scores = metrics.load("accuracy").compute(**predicted) | metrics.load("macro_f1").compute(**predicted)
        return scores | metrics.load("log_loss").compute(predictions=probabilities, references=references)


@contextmanager
def first_token_only(model: nn.Module) -> Iterator[None]:
    """While this lasts, the last layer of a BERT classifier computes its first position alone.

    The pooler reads nothing else, so logits and gradients are unchanged, and of the last layer only keys and values
    are needed at the other positions: with six layers this saves a seventh of all matrix products. Other
    architectures are left as they are.
    """
    bert = model.module if hasattr(model, "module") else model
    if not isinstance(bert, BertForSequenceClassification) or bert.config.is_decoder:
        yield
        return
    last = bert.bert.encoder.layer[-1]
    if "forward" in vars(last):  # already so, further out
        yield
        return
    last.forward = MethodType(_first_token_layer, last)
    try:
        yield
    finally:
        del last.forward


def _first_token_layer(layer: BertLayer, hidden: Tensor, attention_mask: Tensor | None = None, *_, **__) -> Tensor:
    """`BertLayer.forward` with the first token as the only query: hidden (B, T, D) to (B, 1, D)."""
    attention, first = layer.attention.self, hidden[:, :1]  # (B, 1, D)
    mask = None if attention_mask is None else attention_mask[:, :, :1]  # (B, 1, 1, T)

    def heads(linear: nn.Linear, states: Tensor) -> Tensor:
        split = (*states.shape[:2], -1, attention.attention_head_size)
        return linear(states).view(split).transpose(1, 2)  # (B, H, T, K)

    attend = ALL_ATTENTION_FUNCTIONS.get_interface(attention.config._attn_implementation, eager_attention_forward)
    mixed, _ = attend(
        attention,
        heads(attention.query, first),
        heads(attention.key, hidden),
        heads(attention.value, hidden),
        mask,
        dropout=attention.dropout.p if layer.training else 0.0,
        scaling=attention.scaling,
    )  # (B, 1, H, K)
    mixed = mixed.reshape(len(hidden), 1, -1)  # (B, 1, D)
    return layer.feed_forward_chunk(layer.attention.output(mixed, first))
