"""Sequence labelling: one tag for each word, from an encoder's state at the word's first piece.

There are two heads. `softmax` decides each word for itself; `crf` adds scores for tags that follow each other and
decides the whole sentence at once (`helpers.maths.crf`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase

from helpers import metrics
from helpers.data.batching import padded, padded_inputs
from helpers.data.corpus import Corpus
from helpers.errors import InputError
from helpers.maths import crf
from helpers.tasks.base import IGNORE, Task, check_once, given, label_names
from helpers.text import AS_TEXT

HEADS = ("softmax", "crf")
OUTSIDE = "O"


@dataclass(frozen=True)
class Tagging(Task):
    """One tag for each word.

    Attributes:
        tags: the names of the tags; a tag's id is its index, 0 to C - 1. Where they are `O`, `B-x` and `I-x` the task
            is to find spans, and the score is their F1; else it is the accuracy over words.
        head: `softmax` or `crf`.
        constrain: never predict `I-x` after anything but `B-x` or `I-x`; at decoding only, training is as without.
        transition_learning_rate: peak learning rate of the CRF's scores. They start at zero and are not pretrained; at
            the body's learning rate they would stay there.
        max_length: tokens kept of a sentence, special tokens included; words after that are tagged `O` (or the first
            tag, where there is no `O`).
    """

    tags: tuple[str, ...]
    head: str = "softmax"
    constrain: bool = False
    transition_learning_rate: float = 1e-2
    max_length: int = 256

    name = "tagging"
    auto_class = AutoModelForTokenClassification
    pipeline_tag = "token-classification"

    def __post_init__(self):
        if self.max_length < 3:
            raise InputError(f"max_length {self.max_length} is below 3, two special tokens and one of the text")
        if len(set(self.tags)) < 2:
            raise InputError(f"tags {list(self.tags)} hold fewer than two kinds; tagging needs two")
        check_once("tags", self.tags)
        if self.head not in HEADS:
            raise InputError(f"there is no head '{self.head}'; choose one of {', '.join(HEADS)}")
        object.__setattr__(self, "tags", tuple(self.tags))
        if self.constrain and not self.spans:
            raise InputError(f"tags {', '.join(self.tags[:5])} are not BIO, so there is nothing to constrain")

    @property
    def spans(self) -> bool:
        """Whether the tags mark spans: `O`, and `B-x` or `I-x` for all others."""
        return OUTSIDE in self.tags and all(tag == OUTSIDE or tag[:2] in ("B-", "I-") for tag in self.tags)

    @property
    def selection_metric(self) -> str:
        """The validation score that chooses the best weights; higher is better."""
        return "span_f1" if self.spans else "accuracy"

    @property
    def learning_rates(self) -> dict[str, float]:
        """Peak learning rates of parameters that have one of their own, by name prefix."""
        return {"crf": self.transition_learning_rate}

    def encode(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> Dataset:
        """Turn `tokens` (words) and `tags` (ids, optional) into pieces and the position of each word's first piece.

        Columns: `input_ids`; `first`, the position in it of the first piece of each word that is kept; `length`, the
        number of words of the row, kept or not; and `labels`, the ids of all its tags.
        """
        limit = min(self.max_length, tokenizer.model_max_length)
        words = [row[:limit] for row in data["tokens"]]  # a word is at least one piece
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=limit, **AS_TEXT)
        columns = {
            "input_ids": encoded["input_ids"],
            "first": [_first_pieces(encoded.word_ids(i)) for i in range(len(words))],
            "length": [len(row) for row in data["tokens"]],
        }
        return Dataset.from_dict(columns | ({"labels": data["tags"]} if "tags" in data.column_names else {}))

    @classmethod
    def for_corpus(cls, corpus: Corpus, **settings: Any) -> "Tagging":
        """Tagging with the tags of a corpus; spans are kept legal at decoding."""
        task = cls(corpus.labels, **given(settings))
        return replace(task, constrain=task.spans)

    def configuration(self) -> dict[str, Any]:
        """The number and the names of the tags."""
        return label_names(self.tags)

    def build(self, model: str | None = None, *, pretrained: bool = True, seed: int = 0) -> PreTrainedModel:
        """As for all tasks, and for a CRF with transition scores of zero."""
        built = super().build(model, pretrained=pretrained, seed=seed)
        if self.head == "crf":
            built.crf = TransitionScores(len(self.tags))
        return built

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        """Give a model that plain `from_pretrained` loaded the transition scores that were saved beside its weights."""
        if self.head != "crf":
            return
        model.crf = TransitionScores(len(self.tags))
        with safe_open(folder / "model.safetensors", framework="pt") as weights:
            model.crf.load_state_dict({name: weights.get_tensor(f"crf.{name}") for name in model.crf.state_dict()})

    def references(self, encoded: Dataset) -> list[np.ndarray]:
        """The tag ids of encoded rows, one array (words,) per row."""
        return [np.array(row) for row in encoded["labels"]]

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term a word that is kept, shape (N,)."""
        return np.array([len(row) for row in encoded["first"]], dtype=np.int64)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad on the right: input_ids, attention_mask (B, T); first, word_mask and labels (B, W) for W words."""
        first_pieces = [row["first"] for row in rows]
        batch = padded_inputs([row["input_ids"] for row in rows], pad_id)  # (B, T)
        batch["first"] = padded(first_pieces, 0)  # (B, W)
        batch["word_mask"] = padded([[1] * len(row) for row in first_pieces], 0)  # (B, W)
        if "labels" in rows[0]:
            batch["labels"] = padded([row["labels"][: len(row["first"])] for row in rows], IGNORE)  # (B, W)
        return batch

    def emissions(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The network's score of each tag for each word, from its first piece: (B, W, C)."""
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()  # (B, T, C)
        return logits.gather(1, batch["first"].unsqueeze(2).expand(-1, -1, logits.shape[2]))  # (B, W, C)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """-log p(tags | sentence), summed over the words of the batch, or over its sentences for a CRF; scalar.

        With all transition scores at zero the two are the same number (`eq-independent`).
        """
        emissions, labels = self.emissions(model, batch), batch["labels"]
        if self.head == "softmax":
            return nn.functional.cross_entropy(emissions.flatten(0, 1), labels.flatten(), reduction="sum")
        chain = _chain(model).transitions()
        return crf.negative_log_likelihood(emissions, labels, chain, batch["word_mask"]).sum()

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> list[Tensor]:
        """The emissions of each row, one tensor (kept words, C) per row."""
        emissions = self.emissions(model, batch).cpu()  # (B, W, C)
        words = batch["word_mask"].sum(dim=1).tolist()
        return [scores[:count] for scores, count in zip(emissions, words, strict=True)]

    def predictions(self, model: PreTrainedModel, outputs: list, encoded: Dataset) -> list[np.ndarray]:
        """Tag ids of encoded rows, one array (words,) per row."""
        return self.decode(model, outputs, encoded["length"])

    @torch.inference_mode()
    def decode(self, model: PreTrainedModel, emissions: list[Tensor], lengths: Sequence[int]) -> list[np.ndarray]:
        """The best tag ids for emissions, one array (words,) per row; words beyond the emissions are outside."""
        rest = self.tags.index(OUTSIDE) if OUTSIDE in self.tags else 0
        result = [np.full(length, rest) for length in lengths]
        transitions = self._decoding(model)
        for row, scores in zip(result, emissions, strict=True):
            if len(scores):
                tags, _ = crf.viterbi(scores.double().unsqueeze(0), transitions)  # (1, W)
                row[: len(scores)] = tags[0].numpy()
        return result

    def _decoding(self, model: PreTrainedModel) -> crf.Transitions:
        """The scores that Viterbi decodes with, on the CPU: the CRF's or zeros, and none for what BIO forbids."""
        if self.head == "crf":
            chain = crf.Transitions(*(score.cpu().double() for score in model.crf.transitions()))
        else:
            count = len(self.tags)
            chain = crf.Transitions(*(torch.zeros(n, dtype=torch.double) for n in (count, (count, count), count)))
        return crf.forbid(chain, crf.bio_allowed(self.tags)) if self.constrain else chain

    def names(self, tags: np.ndarray) -> list[str]:
        """The names of tag ids."""
        return [self.tags[tag] for tag in tags]

    def per_row(self, predictions: list[np.ndarray], references: list[np.ndarray]) -> np.ndarray:
        """Counts of each row, shape (N, 3): spans that are right, predicted and true; or words right, all and all."""
        pairs = zip(predictions, references, strict=True)
        if self.spans:
            return np.array([metrics.span_counts(self.names(predicted), self.names(true)) for predicted, true in pairs])
        return np.array([((predicted == true).sum(), len(true), len(true)) for predicted, true in pairs])

    def from_counts(self, counts: np.ndarray) -> np.ndarray:
        """Counts of `per_row`, summed or averaged over rows, shape (..., 3), to F1 (which here equals accuracy)."""
        return metrics.f1_of(counts)

    def score(self, predictions: list[np.ndarray], references: list[np.ndarray]) -> dict[str, float]:
        """Accuracy over words; where tags mark spans, also their F1, precision and recall (seqeval's)."""
        right = np.concatenate(predictions) == np.concatenate(references)
        scores = {"accuracy": float(right.mean())}
        if not self.spans:
            return scores
        predicted, true = ([self.names(row) for row in rows] for rows in (predictions, references))
        return metrics.load("span_f1").compute(predictions=predicted, references=true) | scores

    def answer(self, prediction: np.ndarray, row: dict) -> dict:
        """The words and their tags, and the spans that the tags mark."""
        tags = self.names(prediction)
        result = {"tokens": row["tokens"], "tags": tags}
        if self.spans:
            result["spans"] = [
                {"kind": kind, "start": start, "end": end, "text": " ".join(row["tokens"][start:end])}
                for kind, start, end in sorted(metrics.spans(tags), key=lambda span: span[1])
            ]
        return result

    def row(self, fields: dict[str, str]) -> dict:
        """The words that a person typed with blanks between them."""
        return {"tokens": fields["text"].split()}

    @property
    def limit(self) -> str:
        """What the model card says."""
        return f"Of a row at most {self.max_length} tokens are read."


class TransitionScores(nn.Module):
    """The transition scores of a CRF as parameters, zero at first, so that it starts as the softmax head does."""

    def __init__(self, tags: int):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))  # (C,)
        self.between = nn.Parameter(torch.zeros(tags, tags))  # (C, C), from row to column
        self.end = nn.Parameter(torch.zeros(tags))  # (C,)

    def transitions(self) -> crf.Transitions:
        """The scores as `helpers.maths.crf` takes them, in float32."""
        return crf.Transitions(self.start.float(), self.between.float(), self.end.float())


def _chain(model: nn.Module) -> TransitionScores:
    return (model.module if hasattr(model, "module") else model).crf


def _first_pieces(word_ids: list[int | None]) -> list[int]:
    """The position of the first piece of each word that is kept; special tokens belong to no word.

    A word of which the tokenizer leaves nothing, such as a lone control character, is read at the row's first token.
    """
    first = {}
    for position, word in enumerate(word_ids):
        if word is not None:
            first.setdefault(word, position)
    return [first.get(word, 0) for word in range(max(first, default=-1) + 1)]
