"""Sequence labelling: one tag for each word, from an encoder's state at the word's first piece.

There are two heads. `softmax` decides each word for itself; `crf` adds scores for tags that follow each other and
decides the whole sentence at once (`helpers.maths.crf`).
"""

from collections import Counter
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
from helpers.tasks.tagging.heads import TransitionScores, chain_loss, decoding, transitions_of
from helpers.tasks.tagging.windows import add_labels, joined, windows, words_of

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
        max_length: tokens that the network reads at once, special tokens included. A longer sentence is read in windows
            that share a quarter of their tokens.
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
        """Turn `tokens` (words, or a text) and `tags` (ids, optional) into the windows of `windows`.

        Columns: those of `windows`, and where there are tags, `labels`, the ids of the words that the window owns;
        `before`, the tag of the word before them, IGNORE at the beginning of a sentence; `last`, whether they end it.

        Raises InputError, naming the row, for tags that are no ids of `tags`, or are not as many as there are words.
        """
        rows = list(windows(tokenizer, data, min(self.max_length, tokenizer.model_max_length)))
        if "tags" in data.column_names:
            add_labels(rows, data["tags"], len(self.tags))
        return Dataset.from_list(rows)

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
        """The tag ids of encoded rows, one array (words,) per sentence."""
        return joined([np.array(row, dtype=int) for row in encoded["labels"]], encoded["example"])

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term a word that a window owns, shape (N,)."""
        return np.array([len(row) for row in encoded["first"]], dtype=np.int64)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Pad on the right: input_ids, attention_mask (B, T); first, word_mask and labels (B, W) for W words.

        Labelled rows also give `before` and `last` (B,), which a CRF reads at the edges of windows.
        """
        first_pieces = [row["first"] for row in rows]
        batch = padded_inputs([row["input_ids"] for row in rows], pad_id)  # (B, T)
        batch["first"] = padded(first_pieces, 0)  # (B, W)
        batch["word_mask"] = padded([[1] * len(row) for row in first_pieces], 0)  # (B, W)
        if "labels" in rows[0]:
            batch["labels"] = padded([row["labels"][: len(row["first"])] for row in rows], IGNORE)  # (B, W)
            batch |= {name: torch.tensor([row[name] for row in rows]) for name in ("before", "last")}  # (B,)
        return batch

    def emissions(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The network's score of each tag for each word, from its first piece: (B, W, C)."""
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()  # (B, T, C)
        return logits.gather(1, batch["first"].unsqueeze(2).expand(-1, -1, logits.shape[2]))  # (B, W, C)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """-log p(tags | sentence), summed over the words of the batch, or over its rows for a CRF; scalar.

        With all transition scores at zero the two are the same number (`eq-independent`).
        """
        emissions = self.emissions(model, batch)
        if self.head == "softmax":
            return nn.functional.cross_entropy(emissions.flatten(0, 1), batch["labels"].flatten(), reduction="sum")
        return chain_loss(emissions, batch, transitions_of(model))

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> list[Tensor]:
        """The emissions of each row, one tensor (words that the window owns, C) per row."""
        emissions = self.emissions(model, batch).cpu()  # (B, W, C)
        words = batch["word_mask"].sum(dim=1).tolist()
        return [scores[:count] for scores, count in zip(emissions, words, strict=True)]

    @torch.inference_mode()
    def predictions(self, model: PreTrainedModel, outputs: list, encoded: Dataset) -> list[np.ndarray]:
        """The best tag ids of encoded rows, one array (words,) per sentence, decoded over all its windows at once.

        Words of which the tokenizer leaves nothing in the whole sentence are outside (or have the first tag).
        """
        emissions, lengths = (joined(parts, encoded["example"]) for parts in (outputs, encoded["length"]))
        rest = self.tags.index(OUTSIDE) if OUTSIDE in self.tags else 0
        result = [np.full(int(length.sum()), rest) for length in lengths]
        transitions = decoding(model, self.head, self.tags, self.constrain)
        for row, scores in zip(result, emissions, strict=True):
            if len(scores):
                scores = torch.as_tensor(scores).double().unsqueeze(0)  # (1, W, C)
                row[:] = crf.viterbi(scores, transitions)[0][0].numpy()
        return result

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

    def label_counts(self, predictions: list[np.ndarray], references: list[np.ndarray]) -> tuple[Counter, Counter]:
        """The tags of all words, counted, and the true ones."""
        return tuple(Counter(self.names(np.concatenate(rows))) for rows in (predictions, references))

    def answer(self, prediction: np.ndarray, row: dict) -> dict:
        """The text, its words and their tags, and the spans that the tags mark.

        A span's `start` and `end` count characters of the text, which for a row of words is the words with blanks
        between them.
        """
        text, places = words_of(row)
        tags = self.names(prediction)
        result = {"text": text, "tokens": [text[start:end] for start, end in places], "tags": tags}
        if self.spans:
            spans = sorted((int(places[i, 0]), int(places[j - 1, 1]), kind) for kind, i, j in metrics.spans(tags))
            result["spans"] = [{"kind": kind, "start": i, "end": j, "text": text[i:j]} for i, j, kind in spans]
        return result

    def row(self, fields: dict[str, str]) -> dict:
        """A text, which `encode` cuts into words."""
        return {"tokens": fields["text"]}

    @property
    def limit(self) -> str:
        """What the model card says."""
        return f"Sentences are read in windows of {self.max_length} tokens; a tag depends on no word further away."
