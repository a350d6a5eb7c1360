"""What the tasks that write texts share: their answers, and the scores of likelihoods and of texts."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from peft import PeftModel
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers import metrics
from helpers.errors import InputError
from helpers.models.inference import BATCH_TOKENS
from helpers.tasks.base import Task
from helpers.tasks.turns import as_turn


def token_likelihood(counts: np.ndarray) -> np.ndarray:
    """Mean log p of a token, shape (...), from log p and tokens, shape (..., 2)."""
    return counts[..., 0] / counts[..., 1]


def row_numbers(rows: Dataset) -> Sequence[int]:
    """The number of each row in messages: the column `row` (numbers in the file) if there is one, else from 1."""
    return rows["row"][:] if "row" in rows.column_names else range(1, len(rows) + 1)


def warn_of_cuts(rows: Dataset, cuts: list[int], limit: int) -> None:
    """Warn, for `encode`, how many prompts were cut to `limit` tokens; `cuts` are the tokens that each row lost."""
    numbers = [number for number, excess in zip(row_numbers(rows), cuts, strict=True) if excess]
    if numbers:
        warnings.warn(
            f"{len(numbers):,} of {len(cuts):,} prompts were cut, by {sum(cuts):,} tokens in all, the first in row "
            f"{numbers[0]}, as a row may have {limit:,}; raise max_length (--max-length) as far as the model reads",
            stacklevel=3,
        )


@dataclass(frozen=True)
class Generated:
    """Answers in the order of the rows.

    Attributes:
        tokens: of each answer, its end included, shape (N,).
        finished: whether the model ended the answer itself, shape (N,); the others ran into max_new_tokens.
        precision: what the model computed in: fp32, or bf16 inside `models.inference.half_precision`.
    """

    texts: list[str]
    tokens: np.ndarray
    finished: np.ndarray
    seconds: float
    precision: str

    @property
    def tokens_per_second(self) -> float:
        """Tokens written in a second, over all rows."""
        return float(self.tokens.sum() / self.seconds)


def until_end(ids: list[int], ends: list[int]) -> list[int]:
    """The tokens up to and with the first that ends an answer."""
    length = next((index + 1 for index, token in enumerate(ids) if token in ends), len(ids))
    return ids[:length]


@contextmanager
def without_own_settings(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """While this lasts, a model has no settings of its own for writing; hands out the model that writes.

    Many models bring some, such as beams, a least length, tokens never to be written or a forced end, and `generate`
    takes from them what its arguments leave out. A model with LoRA matrices keeps them in the model that it wraps.
    """
    writer = model.get_base_model() if isinstance(model, PeftModel) else model
    own, writer.generation_config = writer.generation_config, GenerationConfig()
    try:
        yield writer
    finally:
        writer.generation_config = own


class WritingTask(Task):
    """What tasks share that write a text for a prompt.

    Rows are encoded as input_ids, counts (1 where a token adds to the loss, else 0) and prompt_tokens. Training is
    judged by the likelihood of completions, which costs no writing; what is reported are the texts.
    """

    fields = ("prompt",)
    new_head = False
    selection_metric = "log_likelihood"
    max_new_tokens: int

    def references(self, encoded: Dataset) -> np.ndarray:
        """How many tokens of each encoded row count, shape (N,): what log-likelihoods are divided by."""
        terms = self.loss_terms(encoded)
        if not terms.all():
            raise ValueError("a row has no completion")
        return terms

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """One term a token that counts, shape (N,)."""
        return np.array([sum(row) for row in encoded["counts"]], dtype=np.int64)

    def infer(self, model: PreTrainedModel, encoded: Dataset, *, batch_tokens: int = BATCH_TOKENS) -> list:
        """As for all tasks. Raises InputError if a row holds no completion."""
        if not self.loss_terms(encoded).all():
            raise InputError("the rows hold no completions, which likelihoods are of; add them, or call generate")
        return super().infer(model, encoded, batch_tokens=batch_tokens)

    def per_row(self, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        """log p of each row and the number of tokens behind it, shape (N, 2); `from_counts` makes the score of them."""
        return np.stack([predictions, references], axis=-1)

    def from_counts(self, counts: np.ndarray) -> np.ndarray:
        """Mean log p of a token, shape (...), from log p and tokens, shape (..., 2)."""
        return token_likelihood(counts)

    def score(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Mean log p over all tokens that count, in nats, and the perplexity exp(-mean)."""
        mean = float(predictions.sum() / references.sum())
        return {"log_likelihood": mean, "perplexity": float(np.exp(-mean))}

    def answer(self, prediction: str, row: dict) -> dict:
        """What the model wrote."""
        return {"completion": prediction}

    def reported_task(self, tokenizer: PreTrainedTokenizerBase) -> Task:
        """The texts that the model writes, scored against those that it should write."""
        return WrittenTexts(self, tokenizer)

    @property
    def limit(self) -> str:
        """What the model card says."""
        return (
            f"It writes at most {self.max_new_tokens} tokens. What it writes can be fluent and wrong, and nothing "
            "checks it."
        )


class WrittenTexts(Task):
    """A task that writes, with texts as predictions, scored by chrF against what the model should write.

    The task has a method `generate` of model, tokenizer and encoded rows.
    """

    selection_metric = "chrf"
    highest = metrics.Chrf.highest

    def __init__(self, task: Task, tokenizer: PreTrainedTokenizerBase):
        self.task, self.tokenizer, self.name, self.fields = task, tokenizer, task.name, task.fields
        self.metrics = [metrics.load(name) for name in ("chrf", "bleu", "length_ratio")]

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """The prompts as the task encodes them, with the column `completion` where the rows have completions.

        The task is not shown the completions, so that a prompt is read as it is in use, where there are none.
        """
        if "completion" not in rows.column_names and not _answered(rows):
            return self.task.encode(tokenizer, rows)
        completions = [last_pair(row)["completion"] for row in rows]
        return self.task.encode(tokenizer, _asked(rows)).add_column("completion", completions)

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """As the task does."""
        return self.task.collate(rows, pad_id)

    def loss_terms(self, encoded: Dataset) -> np.ndarray:
        """As the task has them."""
        return self.task.loss_terms(encoded)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """As the task has it."""
        return self.task.loss(model, batch)

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """As the task has them; texts come from `infer`."""
        return self.task.outputs(model, batch)

    def infer(self, model: PreTrainedModel, encoded: Dataset, *, batch_tokens: int = BATCH_TOKENS) -> list[str]:
        """What the model writes after each prompt, in the order of the rows."""
        return self.task.generate(model, self.tokenizer, encoded, batch_tokens=batch_tokens).texts

    def predictions(self, model: PreTrainedModel, outputs: list, encoded: Dataset) -> list[str]:
        """The texts."""
        return outputs

    def references(self, encoded: Dataset) -> list[str]:
        """The completions of the rows."""
        return encoded["completion"][:]

    def per_row(self, predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """The counts of n-grams behind chrF, shape (N, K)."""
        return self.metrics[0].per_row(predictions, references)

    def from_counts(self, counts: np.ndarray) -> np.ndarray:
        """chrF from mean counts, shape (..., K) to (...)."""
        return self.metrics[0].from_counts(counts)

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float | str]:
        """chrF, BLEU, the ratio of lengths, the share of exact matches, and chrF's signature."""
        scores = {"exact_match": sum(map(str.__eq__, predictions, references)) / len(references)}
        for metric in self.metrics:
            scores |= metric.compute(predictions=predictions, references=references)
        return scores | {"signature": self.metrics[0].signature}

    def answer(self, prediction: str, row: dict) -> dict:
        """What the model wrote."""
        return self.task.answer(prediction, row)

    @property
    def limit(self) -> str:
        """What the model card says."""
        return self.task.limit


def last_pair(row: dict) -> dict[str, str]:
    """The last prompt of a row and its completion."""
    if "messages" in row:
        prompt, completion = (as_turn(turn, "a row")["content"] for turn in row["messages"][-2:])
        return {"prompt": prompt, "completion": completion}
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _answered(rows: Dataset) -> bool:
    return "messages" in rows.column_names and rows[0]["messages"][-1]["role"] == "assistant"


def _asked(rows: Dataset) -> Dataset:
    """The rows without their completions."""
    if "messages" not in rows.column_names:
        return rows.remove_columns("completion")
    return Dataset.from_list([{**row, "messages": row["messages"][:-1]} for row in rows])
