"""Decoding: how a decoder generates texts."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import length_batches
from helpers.models.inference import BATCH_TOKENS, evaluating
from helpers.progress import watched
from helpers.tasks.writing import Generated, until_end


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
        beams: the number of candidates that are kept at each token; 1 is greedy decoding.
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


def _settings(
    tokenizer: PreTrainedTokenizerBase, ends: Sequence[int], beams: int, temperature: float, top_p: float
) -> GenerationConfig:
    """The settings of transformers' `generate`; whatever is missing here would come from the model's own settings."""
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
