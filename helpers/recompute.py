"""Activations that a training step computes a second time instead of keeping them.

Between forward and backward, a decoder keeps the inside of every norm and every gate, values that cost little to
compute. `cheap_parts_again` keeps the inputs of these parts alone, which for the packaged decoder leaves two thirds of
what is kept. Matrix products, which cost most of the time, are not repeated. This is checkpointing (Chen et al. 2016),
of selected parts (Korthikanti et al. 2022).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm


@contextmanager
def cheap_parts_again(model: nn.Module) -> Iterator[None]:
    """While this lasts, backward computes the norms and gates of a Llama model again; results are the same, bit by bit.

    Left as they are: other architectures, and gates before an adapter, whose products and dropout would be repeated.
    """
    changed = [module for module in model.modules() if _is_cheap(module) and "forward" not in vars(module)]
    for module in changed:
        module.forward = MethodType(_AGAIN[type(module)], module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _is_cheap(module: nn.Module) -> bool:
    plain = type(getattr(module, "down_proj", None)) is nn.Linear
    return type(module) is LlamaRMSNorm or (type(module) is LlamaMLP and plain)


def _norm(norm: LlamaRMSNorm, hidden: Tensor) -> Tensor:
    """`LlamaRMSNorm.forward` of hidden (B, T, D), which alone is kept."""
    return _again(type(norm).forward, norm, hidden)


def _gated(mlp: LlamaMLP, hidden: Tensor) -> Tensor:
    """`LlamaMLP.forward` of hidden (B, T, D); kept are its two projections, each (B, T, inner width)."""
    return _again(_down, mlp, mlp.gate_proj(hidden), mlp.up_proj(hidden))


def _down(mlp: LlamaMLP, gate: Tensor, up: Tensor) -> Tensor:
    return mlp.down_proj(mlp.act_fn(gate) * up)  # the repetition ends before this product, whose input is all it needs


def _again(part: Callable[..., Tensor], *inputs) -> Tensor:
    if not torch.is_grad_enabled():
        return part(*inputs)
    return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)  # nothing in it is random


_AGAIN = {LlamaRMSNorm: _norm, LlamaMLP: _gated}
