"""Decoding: how a decoder generates texts."""

import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from tqdm import tqdm
from transformers import DynamicCache, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.generation.utils import GenerateOutput

from helpers.data.batching import length_batches
from helpers.models.fast import family
from helpers.models.inference import BATCH_TOKENS, computed_in, evaluating, weights_in_bf16
from helpers.progress import watched
from helpers.tasks.writing import Generated, until_end, without_own_settings

CACHE_BYTES = 200e6  # of keys and values of a batch; what a step computes takes about as much again
STRETCH = 8  # tokens after which rows that have ended leave their batch
ALIKE = 0.9  # correlation of logits in bf16 with those in fp32


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

    Inside `models.inference.half_precision`, where bf16 is native, the model writes with weights in bf16: faster, but a
    near tie between two tokens may then turn with the number of rows in the batch.

    Args:
        ends: the tokens that end an answer.
        beams: the number of candidates that are kept at each token; 1 is greedy decoding.
        temperature: above 0 draws each token from the softmax of logits / temperature, under `seed`.
        top_p: draw only among the likeliest tokens that together have this probability.
    """
    settings, began = _settings(tokenizer, ends, beams, temperature, top_p), time.perf_counter()
    prompts = [row["asked"] or row["input_ids"][: row["prompt_tokens"]] for row in encoded]
    limits = [max(1, min(max_new_tokens, tokenizer.model_max_length - len(ids))) for ids in prompts]
    bounds = {"batch_rows": batch_rows, "batch_tokens": batch_tokens}
    with evaluating(model), without_own_settings(model) as writer:
        manner = _manner(writer, prompts, settings)
        with _rounded(writer, prompts, settings), torch.random.fork_rng():
            torch.manual_seed(seed)
            answers, precision = _all_answers(writer, prompts, limits, settings, bounds, manner), computed_in(writer)
    return Generated(
        texts=[tokenizer.decode(ids, skip_special_tokens=True) for ids in answers],
        tokens=np.array([len(ids) for ids in answers]),
        finished=np.array([bool(ids) and ids[-1] in ends for ids in answers]),
        seconds=time.perf_counter() - began,
        precision=precision,
    )


def _all_answers(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    limits: Sequence[int],
    settings: GenerationConfig,
    bounds: dict[str, int],
    manner: tuple[bool, bool],
) -> list[list[int]]:
    """The tokens that the model writes after each prompt, in the order of the prompts; `manner` as `_manner` says."""
    together, drops = manner[0], manner[1] and settings.num_beams == 1
    lengths = [len(ids) for ids in prompts]
    longest = max(map(sum, zip(lengths, limits, strict=True)), default=0)
    together = together and not _frequencies_change(model, longest)
    kinds = [(0 if drops else most, 0 if together else size) for size, most in zip(lengths, limits, strict=True)]
    room = int(CACHE_BYTES / (settings.num_beams * _token_bytes(model)))
    bounds = bounds | {"batch_tokens": min(bounds["batch_tokens"], room)}
    answers, began = [[] for _ in prompts], time.perf_counter()
    with tqdm(total=len(prompts), unit="row", disable=not watched(), leave=False) as bar:
        for batch in _batches(prompts, limits, kinds, **bounds):
            _forget_frequencies(model)
            some = _answers(model, [prompts[i] for i in batch], settings, [limits[i] for i in batch], drops=drops)
            for i, ids in zip(batch, some, strict=True):
                answers[i] = ids
            bar.update(len(batch))
            bar.set_postfix({"tokens/s": f"{sum(map(len, answers)) / (time.perf_counter() - began):.0f}"})
    return answers


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


def _manner(model: PreTrainedModel, prompts: Sequence[Sequence[int]], settings: GenerationConfig) -> tuple[bool, bool]:
    """Whether prompts of several lengths may share a batch, and whether rows may leave it; tried on a few tokens.

    A model with a state that runs over the padding, as Mamba, and one that counts positions from it give other answers
    in a batch; their prompts are answered together only where they are equally long. Rows leave where all that a model
    keeps are keys and values, row by row. It is tried before weights are rounded, or rounding would hide the padding.
    """
    longest = list(max(prompts, key=len, default=[]))[:32]
    short = longest[: len(longest) // 2] or longest
    if not short:
        return True, False
    with torch.autocast(model.device.type, enabled=False):
        beside = _first_token(model, [short, longest], settings)
        drops = _drops_rows(beside.past_key_values)
        if len(set(map(len, prompts))) < 2 or short == longest:
            return True, drops
        alone = _first_token(model, [short], settings)
    alone, beside = alone.logits[0][0].float(), beside.logits[0][0].float()  # (V,)
    near = 0.05 if model.dtype in (torch.bfloat16, torch.float16) else 1e-3
    return bool((alone - beside).abs().max() <= near * alone.std()), drops


def _first_token(model: PreTrainedModel, prompts: list[list[int]], settings: GenerationConfig) -> GenerateOutput:
    """What transformers' `generate` returns for one token after each prompt, with the logits."""
    about = {"max_new_tokens": 1, "return_dict_in_generate": True, "output_logits": True, "do_sample": False}
    about = GenerationConfig(**about, pad_token_id=settings.pad_token_id, eos_token_id=settings.eos_token_id)
    ids, mask = _padded_left(prompts, settings.pad_token_id, model.device)
    return model.generate(ids, attention_mask=mask, generation_config=about)


@contextmanager
def _rounded(model: PreTrainedModel, prompts: Sequence[Sequence[int]], settings: GenerationConfig) -> Iterator[None]:
    """Weights in bf16 where the caller has asked for bf16 by autocast, and the model computes in it what it should."""
    device = model.device.type
    asked = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16
    some = next((list(ids)[:32] for ids in prompts if ids), None)
    if not asked or some is None or model.dtype != torch.float32:
        yield
        return
    with torch.autocast(device, enabled=False):
        exact = _first_token(model, [some], settings).logits[0][0]  # (V,)
        try:
            with weights_in_bf16(model):
                near = _first_token(model, [some], settings).logits[0][0].float()
            same = bool(torch.corrcoef(torch.stack([exact, near]))[0, 1] >= ALIKE)
        except (RuntimeError, NotImplementedError):  # some models mix types that a product does not take together
            same = False
        if not same:
            warnings.warn(
                f"bf16 would change what this model ({family(model)}) computes, so it writes in fp32, more slowly",
                stacklevel=5,
            )
        with weights_in_bf16(model) if same else nullcontext():
            yield


def _changing_kinds(model: PreTrainedModel) -> Iterator[int]:
    """The number of tokens beyond which frequencies of positions change, for each kind of them that changes."""
    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or {}
    for kind in (rope, *(part for part in rope.values() if isinstance(part, dict))):
        if kind.get("rope_type") in ("longrope", "dynamic"):
            yield kind.get("original_max_position_embeddings") or config.max_position_embeddings


def _frequencies_change(model: PreTrainedModel, tokens: int) -> bool:
    """Whether a row of so many tokens changes the frequencies of positions, which all rows of a batch share."""
    return any(tokens > bound for bound in _changing_kinds(model))


def _forget_frequencies(model: PreTrainedModel) -> None:
    """Let a model whose frequencies grow with the longest row so far begin anew, whatever was written before.

    transformers goes back to the first frequencies for a shorter row only where that fits into the first window.
    """
    for module in model.modules():
        for name in [name for name in vars(module) if name.endswith("max_seq_len_cached")]:
            setattr(module, name, 0)


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
    model: PreTrainedModel, prompts: list[list[int]], settings: GenerationConfig, limits: list[int], *, drops: bool
) -> list[list[int]]:
    """The tokens that the model writes after each prompt, its limit at most, up to and with its end token.

    Rows that have ended leave the batch, and so do those at their limit, where `drops` says that the model's cache can
    drop rows: a batch costs what its rows write. Elsewhere all rows have one limit.
    """
    ids, mask = _padded_left(prompts, settings.pad_token_id, model.device)
    answers, rows, cache = [[] for _ in prompts], list(range(len(prompts))), None
    while rows:
        left = min(limits[i] - len(answers[i]) for i in rows)
        settings.max_new_tokens = min(STRETCH, left) if drops else left
        result = model.generate(ids, attention_mask=mask, past_key_values=cache, generation_config=settings)
        more = result.sequences[:, ids.shape[1] :]  # (B, tokens of this stretch)
        for i, row in zip(rows, more.tolist(), strict=True):
            answers[i] += until_end(row, settings.eos_token_id)
        if not drops:
            break
        ended = [answers[i][-1] in settings.eos_token_id or len(answers[i]) == limits[i] for i in rows]
        kept = [k for k, end in enumerate(ended) if not end]
        ids, mask = result.sequences[kept], nn.functional.pad(mask[kept], (0, more.shape[1]), value=1)
        rows, cache = [rows[k] for k in kept], result.past_key_values
        if 0 < len(kept) < len(ended):
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
