"""How a decoder writes, and how its texts are scored."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers import metrics
from helpers.data.batching import length_batches
from helpers.models.inference import BATCH_TOKENS, evaluating
from helpers.progress import watched
from helpers.tasks.base import Generated, Task, until_end


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Dataset,
    *,
    ends: Sequence[int],
    max_new_tokens: int,
    beams: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    batch_rows: int = 32,
    batch_tokens: int = BATCH_TOKENS,
) -> Generated:
    """What a decoder writes after the prompts of encoded rows.

    Prompts of about the same length are answered together, padded on the left. An answer ends where the model's window
    does.

    Args:
        ends: the tokens that end an answer.
        beams: the most likely answer of so many that are kept at each token; 1 is greedy decoding.
        temperature: above 0 draws each token from the softmax of logits / temperature, under `seed`.
        top_p: draw only among the likeliest tokens that together have this probability.
    """
    settings = _settings(tokenizer, ends, beams, temperature, top_p)
    prompts = [row["input_ids"][: row["prompt_tokens"]] for row in encoded]
    lengths, answers, began = [len(ids) for ids in prompts], [[] for _ in prompts], time.perf_counter()
    room = [length + max_new_tokens for length in lengths]
    batches = length_batches(room, batch_rows=batch_rows, batch_tokens=batch_tokens, shuffle=False)
    bar = tqdm(total=len(prompts), unit="row", disable=not watched(), leave=False)
    with evaluating(model), torch.random.fork_rng(), bar:
        torch.manual_seed(seed)
        for batch in batches:
            width = max(lengths[i] for i in batch)  # a labelled row may fill the window, and answers must fit too
            settings.max_new_tokens = max(1, min(max_new_tokens, tokenizer.model_max_length - width))
            for i, ids in zip(batch, _answers(model, [prompts[i] for i in batch], settings), strict=True):
                answers[i] = ids
            bar.update(len(batch))
            bar.set_postfix({"tokens/s": f"{sum(map(len, answers)) / (time.perf_counter() - began):.0f}"})
    return Generated(
        texts=[tokenizer.decode(ids, skip_special_tokens=True) for ids in answers],
        tokens=np.array([len(ids) for ids in answers]),
        finished=np.array([bool(ids) and ids[-1] in ends for ids in answers]),
        seconds=time.perf_counter() - began,
    )


class WrittenTexts(Task):
    """`Generation` with texts as predictions: what the model writes, scored by chrF against what it should write."""

    selection_metric = "chrf"

    def __init__(self, task: Task, tokenizer: PreTrainedTokenizerBase):
        self.task, self.tokenizer, self.name, self.fields = task, tokenizer, task.name, task.fields
        self.metrics = [metrics.load(name) for name in ("chrf", "bleu", "length_ratio")]

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """As the task does, with the completions beside the tokens where there are some."""
        encoded = self.task.encode(tokenizer, rows)
        if "completion" not in rows.column_names and not _answered(rows):
            return encoded
        return encoded.add_column("completion", [last_pair(row)["completion"] for row in rows])

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
        """What chrF is made of, a row each."""
        return self.metrics[0].per_row(predictions, references)

    def from_counts(self, counts: np.ndarray) -> np.ndarray:
        """chrF from counts."""
        return self.metrics[0].from_counts(counts)

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float | str]:
        """chrF, BLEU, the ratio of lengths, the share of completions that are met exactly, and chrF's signature."""
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
        return {"prompt": row["messages"][-2]["content"], "completion": row["messages"][-1]["content"]}
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _answered(rows: Dataset) -> bool:
    return "messages" in rows.column_names and rows[0]["messages"][-1]["role"] == "assistant"


def _settings(
    tokenizer: PreTrainedTokenizerBase, ends: Sequence[int], beams: int, temperature: float, top_p: float
) -> GenerationConfig:
    """All that `generate` of transformers is told: what is not said here, a model's own settings would say."""
    sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0} if temperature else {}
    return GenerationConfig(
        num_beams=beams,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        eos_token_id=list(ends),
        pad_token_id=tokenizer.pad_token_id,
        **{"do_sample": False} | sampling,
    )


def _answers(model: PreTrainedModel, prompts: list[list[int]], settings: GenerationConfig) -> list[list[int]]:
    """The tokens that the model writes after each prompt, up to and with its end token."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), settings.pad_token_id)
    mask = torch.zeros_like(ids)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
        mask[i, width - len(prompt) :] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    written = model.generate(ids, attention_mask=mask, generation_config=settings)[:, width:]
    return [until_end(row, settings.eos_token_id) for row in written.tolist()]
