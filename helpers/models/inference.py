"""Inference: evaluation mode without gradients, batches of rows of about the same length, and half precision."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel

from helpers.data.batching import length_batches

BATCH_ROWS, BATCH_TOKENS = 256, 8192  # of one forward pass, padding included


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients while this lasts; the mode before is restored, also after an error."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def by_length(
    compute: Callable[[list[int]], Sequence],
    lengths: Sequence[int],
    *,
    batch_rows: int = BATCH_ROWS,
    batch_tokens: int = BATCH_TOKENS,
) -> list:
    """What `compute` returns for each row, in the order of the rows.

    Args:
        compute: the function from the indices of rows of about the same length to one result per row.
        lengths: tokens of each row, shape (N,).
    """
    results = [None] * len(lengths)
    for rows in length_batches(lengths, batch_rows=batch_rows, batch_tokens=batch_tokens, shuffle=False):
        for row, result in zip(rows, compute(rows), strict=True):
            results[row] = result
    return results


def native_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 matrices itself; where it does not, bf16 is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or sys.platform == "darwin":  # Apple's matrix unit is reached through fp32
        return False
    able = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch do not tell
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def half_precision(device: torch.device) -> torch.autocast:
    """A context in which a model computes in bf16 where the processor does so itself, and in fp32 where not.

    Probabilities then agree with those of fp32 in about two digits. Texts that a decoder writes may differ, as a
    token that is likelier by a hair changes all that follow, and they depend on the rows beside: judge them by scores,
    and compare texts in fp32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=native_bf16(device))


def computed_in(model: PreTrainedModel) -> str:
    """The name of what a model computes in here: fp32, bf16, fp16 or fp64."""
    kind = model.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype
    return "bf16" if dtype == torch.bfloat16 else f"fp{8 * dtype.itemsize}"


@contextmanager
def weights_in_bf16(model: nn.Module) -> Iterator[None]:
    """While this lasts, the fp32 weights of a model are rounded to bf16; afterwards they are what they were.

    Autocast rounds them too, but leaves all that is kept between two tokens in fp32. Rounded is what a file of weights
    holds: what a model computes when it is built, such as the frequencies of positions, stays in fp32, as it does where
    transformers reads weights in bf16.
    """
    kept = model.state_dict().keys()
    buffers = [buffer for name, buffer in model.named_buffers() if name in kept]
    tensors = [tensor for tensor in (*model.parameters(), *buffers) if tensor.dtype == torch.float32]
    before = [tensor.data for tensor in tensors]
    try:
        with torch.inference_mode(False), torch.no_grad():
            for tensor in tensors:
                tensor.data = tensor.data.bfloat16()
        yield
    finally:
        for tensor, data in zip(tensors, before, strict=True):
            tensor.data = data
