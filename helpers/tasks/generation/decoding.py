"""Decoding: how a decoder generates texts."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from tqdm import tqdm
from transformers import DynamicCache, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from helpers.data.batching import length_batches
from helpers.models.inference import BATCH_TOKENS, evaluating
from helpers.progress import watched
from helpers.tasks.writing import Generated, until_end, without_own_settings

CACHE_BYTES = 200e6  # of keys and values of a batch; what a step computes takes about as much again
STRETCH = 8  # tokens after which rows that have ended leave their batch


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

    Prompts of about the same length are answered together, padded on the left, in batches whose keys and values stay
    within `CACHE_BYTES`. An answer ends where the model's window does, and no row changes what another may write.

    Args:
        ends: the tokens that end an answer.
        beams: the number of candidates that are kept at each token; 1 is greedy decoding.
        temperature: above 0 draws each token from the softmax of logits / temperature, under `seed`.
        top_p: draw only among the likeliest tokens that together have this probability.
    """
    settings = _settings(tokenizer, ends, beams, temperature, top_p)
    prompts = [row["asked"] or row["input_ids"][: row["prompt_tokens"]] for row in encoded]
    answers, began = [[] for _ in prompts], time.perf_counter()
    limits = [max(1, min(max_new_tokens, tokenizer.model_max_length - len(ids))) for ids in prompts]
    bar = tqdm(total=len(prompts), unit="row", disable=not watched(), leave=False)
    with evaluating(model), without_own_settings(model) as writer, torch.random.fork_rng(), bar:
        torch.manual_seed(seed)
        batch_tokens = min(batch_tokens, int(CACHE_BYTES / (beams * _token_bytes(writer))))
        kinds = (
            list(limits)
            if _sees_no_padding(writer, prompts, settings)
            else [*zip(limits, map(len, prompts), strict=True)]
        )
        for batch in _batches(prompts, limits, kinds, batch_rows=batch_rows, batch_tokens=batch_tokens):
            some = _answers(writer, [prompts[i] for i in batch], settings, limits[batch[0]])
            for i, ids in zip(batch, some, strict=True):
                answers[i] = ids
            bar.update(len(batch))
            bar.set_postfix({"tokens/s": f"{sum(map(len, answers)) / (time.perf_counter() - began):.0f}"})
    return Generated(
        texts=[tokenizer.decode(ids, skip_special_tokens=True) for ids in answers],
        tokens=np.array([len(ids) for ids in answers]),
        finished=np.array([bool(ids) and ids[-1] in ends for ids in answers]),
        seconds=time.perf_counter() - began,
    )


def _batches(
    prompts: Sequence[Sequence[int]], limits: Sequence[int], kinds: Sequence, **bounds: int
) -> Iterator[list[int]]:
    """Rows of one kind and of about the same length."""
    alike = defaultdict(list)
    for i, kind in enumerate(kinds):
        alike[kind].append(i)
    for rows in alike.values():
        lengths = [len(prompts[i]) + limits[i] for i in rows]
        for batch in length_batches(lengths, shuffle=False, **bounds):
            yield [rows[i] for i in batch]


def _sees_no_padding(model: PreTrainedModel, prompts: Sequence[Sequence[int]], settings: GenerationConfig) -> bool:
    """Whether the next token after a prompt is as likely beside a longer prompt as alone; tried on a few tokens.

    A model with a state that runs over the padding, as Mamba, and one that counts positions from it give other answers
    in a batch; their prompts are answered together only where they are equally long.
    """
    longest = list(max(prompts, key=len, default=[]))[:32]
    if len({len(ids) for ids in prompts}) < 2 or len(longest) < 2:
        return True
    short = longest[: len(longest) // 2]
    about = {"max_new_tokens": 1, "return_dict_in_generate": True, "output_logits": True, "do_sample": False}
    about = GenerationConfig(**about, pad_token_id=settings.pad_token_id, eos_token_id=settings.eos_token_id)
    alone, beside = (
        model.generate(ids, attention_mask=mask, generation_config=about).logits[0][0].float()
        for ids, mask in (
            _padded_left(some, settings.pad_token_id, model.device) for some in ([short], [short, longest])
        )
    )  # (V,) each
    near = 0.05 if model.dtype in (torch.bfloat16, torch.float16) else 1e-3
    return bool((alone - beside).abs().max() <= near * alone.std())


def _token_bytes(model: PreTrainedModel) -> int:
    """What the keys and values of a token take, in bytes; too much where a model keeps fewer than its layers have."""
    config = model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_attention_heads", 1)
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = getattr(config, "num_key_value_heads", None) or heads
    return 2 * config.num_hidden_layers * kept * width * model.dtype.itemsize


def _settings(
    tokenizer: PreTrainedTokenizerBase, ends: Sequence[int], beams: int, temperature: float, top_p: float
) -> GenerationConfig:
    """The settings of transformers' `generate`."""
    sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0} if temperature else {}
    return GenerationConfig(
        num_beams=beams,
        eos_token_id=list(ends),
        pad_token_id=tokenizer.pad_token_id,
        return_dict_in_generate=True,
        **{"do_sample": False} | sampling,
    )


def _answers(
    model: PreTrainedModel, prompts: list[list[int]], settings: GenerationConfig, limit: int
) -> list[list[int]]:
    """The tokens that the model writes after each prompt, `limit` at most, up to and with its end token.

    Rows that have ended leave the batch, where the model's cache can drop rows: a batch costs what its rows write.
    """
    ids, mask = _padded_left(prompts, settings.pad_token_id, model.device)
    answers, rows, cache, written = [[] for _ in prompts], list(range(len(prompts))), None, 0
    stretch = limit if settings.num_beams > 1 else STRETCH
    while rows and written < limit:
        settings.max_new_tokens = min(stretch, limit - written)
        result = model.generate(ids, attention_mask=mask, past_key_values=cache, generation_config=settings)
        if stretch < limit and not _drops_rows(result.past_key_values):
            stretch = limit
            continue
        more = result.sequences[:, ids.shape[1] :]  # (B, tokens of this stretch)
        for i, row in zip(rows, more.tolist(), strict=True):
            answers[i] += until_end(row, settings.eos_token_id)
        kept = [k for k, i in enumerate(rows) if answers[i][-1] not in settings.eos_token_id]
        ids, mask = result.sequences[kept], nn.functional.pad(mask[kept], (0, more.shape[1]), value=1)
        rows, cache, written = [rows[k] for k in kept], result.past_key_values, written + more.shape[1]
        if rows and written < limit:
            cache.batch_select_indices(torch.tensor(kept, device=ids.device))
    return answers


def _drops_rows(cache: object) -> bool:
    """Whether a cache holds nothing but keys and values, row by row."""
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    return type(cache) is DynamicCache and all(type(layer) in plain for layer in cache.layers)


def _padded_left(prompts: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, (B, T) each."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad_id)
    mask = torch.zeros_like(ids)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
        mask[i, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
