"""Attention: from the dot product to a layer of BERT and of a Llama decoder, one function per equation.

Shapes: B batch, H heads, G key and value heads, T query positions, S key positions (S = T in self-attention),
K head width, D model width. A mask is boolean and true where a query may look at a key, which is what
`torch.nn.functional.scaled_dot_product_attention` means by it; `torch.nn.MultiheadAttention` means the opposite.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

from helpers.errors import InputError

Map = Callable[[Tensor], Tensor]


class Projections(NamedTuple):
    """The four linear maps of multi-head attention: D to H·K (or G·K for key and value), and H·K back to D."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear


class EncoderLayer(NamedTuple):
    """What a layer of BERT holds: attention, a norm, a two-layer network, a norm (eq-encoder-layer)."""

    attention: Projections
    attention_norm: Map
    inner: Map
    outer: Map
    output_norm: Map


class DecoderLayer(NamedTuple):
    """What a layer of Llama holds: a norm, attention, a norm, a gated network (eq-decoder-layer)."""

    input_norm: Map
    attention: Projections
    network_norm: Map
    gate: Map
    up: Map
    down: Map


def softmax(scores: Tensor) -> Tensor:
    """Probabilities over the last dimension, safe for scores of any size (eq-safe-softmax).

    A row of nothing but -inf, where every key is masked, gives zeros, as torch's kernels do.
    """
    top = scores.detach().amax(-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).min)
    exps = torch.exp(scores - top)
    return exps / exps.sum(-1, keepdim=True).clamp(min=1)  # the largest term is 1, so 1 is a bound, not an error


def softmax_unsafe(scores: Tensor) -> Tensor:
    """The definition word for word: it overflows to nan above about 88 in float32 (11 in float16)."""
    exps = torch.exp(scores)
    return exps / exps.sum(-1, keepdim=True)


def softmax_jacobian(probabilities: Tensor) -> Tensor:
    """How each probability changes with each score: (..., S) to (..., S, S) (eq-softmax-jacobian)."""
    diagonal = torch.diag_embed(probabilities)
    return diagonal - probabilities.unsqueeze(-1) * probabilities.unsqueeze(-2)  # (..., S, S)


def padding_mask(attention_mask: Tensor) -> Tensor:
    """Which keys are words and not padding: (B, S) of zeros and ones to (B, 1, 1, S), for all heads and queries."""
    return attention_mask.bool()[:, None, None, :]


def causal_mask(length: int) -> Tensor:
    """Each position may look at itself and what stands before it: (T, T), true on and below the diagonal."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def attention_scores(query: Tensor, key: Tensor, mask: Tensor | None = None) -> Tensor:
    """How well each query fits each key, divided by √K and -inf where masked (eq-attention-mask).

    Shapes: (..., T, K) and (..., S, K) to (..., T, S); the mask broadcasts to that.
    """
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5  # (..., T, S)
    return scores if mask is None else scores.masked_fill(~mask, -torch.inf)


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None = None) -> Tensor:
    """The share that each query takes of each key's value: (..., T, S), rows that sum to one."""
    return softmax(attention_scores(query, key, mask))


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Each query's average of the values, weighted by how well it fits their keys (eq-scaled-dot-product).

    Shapes: (..., T, K), (..., S, K), (..., S, K) to (..., T, K). Vaswani et al. 2017, equation 1.
    """
    return attention_weights(query, key, mask) @ value  # (..., T, S) @ (..., S, K)


def attention_in_blocks(query: Tensor, key: Tensor, value: Tensor, block: int) -> Tensor:
    """The same average with at most T by `block` scores at a time (eq-online-softmax).

    What fused kernels do: Milakov and Gimelshein 2018, Dao et al. 2022. `block` is a number of keys.
    """
    top = torch.full_like(query[..., :1], -torch.inf)  # (..., T, 1), the largest score so far
    total, output = torch.zeros_like(top), torch.zeros_like(query)
    for keys, values in zip(key.split(block, dim=-2), value.split(block, dim=-2), strict=True):
        scores = attention_scores(query, keys)  # (..., T, block)
        new_top = torch.maximum(top, scores.amax(-1, keepdim=True))
        exps, shrink = torch.exp(scores - new_top), torch.exp(top - new_top)
        total = shrink * total + exps.sum(-1, keepdim=True)
        output = shrink * output + exps @ values  # (..., T, K)
        top = new_top
    return output / total


def split_heads(x: Tensor, head_width: int) -> Tensor:
    """(B, T, H·K) to (B, H, T, K). Raises InputError if K does not divide the width."""
    if x.shape[-1] % head_width:
        raise InputError(f"the head width {head_width} does not divide the width {x.shape[-1]}; choose one that does")
    return x.unflatten(-1, (-1, head_width)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, K) to (B, T, H·K)."""
    return x.transpose(1, 2).flatten(2)


def multi_head_attention(
    x: Tensor, maps: Projections, head_width: int, mask: Tensor | None = None, place: Map | None = None
) -> Tensor:
    """Attention in several subspaces at once, put side by side and mixed (eq-multi-head): (B, T, D) to (B, T, D).

    Where key and value have fewer heads than the query (G < H), each of theirs serves H/G of the query's
    (eq-grouped-heads, Ainslie et al. 2023). `place` writes positions into queries and keys, for example `rotate`.
    """
    query, key, value = (split_heads(linear(x), head_width) for linear in maps[:3])  # (B, H, T, K), (B, G, T, K)
    if place:
        query, key = place(query), place(key)
    group = query.shape[1] // key.shape[1]
    key, value = (each.repeat_interleave(group, dim=1) for each in (key, value))  # (B, H, T, K)
    return maps.output(merge_heads(scaled_dot_product_attention(query, key, value, mask)))


def multi_head_attention_by_blocks(x: Tensor, maps: Projections, head_width: int) -> Tensor:
    """The same as a sum over heads, each with its own slice of the four matrices (eq-multi-head-blocks).

    Without mask, and with as many key and value heads as query heads: (B, T, D) to (B, T, D).
    """
    output = torch.zeros_like(x) + maps.output.bias
    for rows in torch.arange(maps.query.out_features).split(head_width):
        query, key, value = (x @ linear.weight[rows].T + linear.bias[rows] for linear in maps[:3])  # (B, T, K)
        head = scaled_dot_product_attention(query, key, value)  # (B, T, K)
        output = output + head @ maps.output.weight[:, rows].T  # (B, T, D)
    return output


def rotate(x: Tensor, base: float = 10_000.0) -> Tensor:
    """Turn each pair of coordinates by an angle that grows with the position (eq-rotary): (..., T, K) to same.

    Coordinates j and j + K/2 are a pair, as in the checkpoints of Llama. Su et al. 2021.
    """
    length, width = x.shape[-2:]
    like = {"dtype": x.dtype, "device": x.device}
    speed = base ** (-torch.arange(0, width, 2, **like) / width)  # (K/2,), radians per position
    angle = torch.outer(torch.arange(length, **like), speed)  # (T, K/2)
    left, right = x.chunk(2, dim=-1)  # (..., T, K/2) each
    sine, cosine = angle.sin(), angle.cos()
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine], dim=-1)


def encoder_layer(x: Tensor, layer: EncoderLayer, head_width: int, mask: Tensor | None = None) -> Tensor:
    """A layer of BERT without dropout: add, then normalise (eq-encoder-layer): (B, T, D) to (B, T, D).

    Devlin et al. 2018; `padding_mask` makes the mask.
    """
    x = layer.attention_norm(x + multi_head_attention(x, layer.attention, head_width, mask))
    return layer.output_norm(x + layer.outer(gelu(layer.inner(x))))


def rms_norm(x: Tensor, scale: Tensor, epsilon: float) -> Tensor:
    """Divide by the root of the mean square and multiply by a learned scale (eq-rms-norm): (..., D) to same.

    Zhang and Sennrich 2019.
    """
    return scale * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt()


def gated_unit(x: Tensor, gate: Map, up: Map, down: Map) -> Tensor:
    """A feed-forward network one half of which switches the other (eq-gated-unit): (..., D) to same. Shazeer 2020."""
    return down(silu(gate(x)) * up(x))


def decoder_layer(x: Tensor, layer: DecoderLayer, head_width: int, base: float) -> Tensor:
    """A layer of Llama: normalise, then add; causal, rotary positions (eq-decoder-layer): (B, T, D) to (B, T, D).

    Touvron et al. 2023; `base` is the checkpoint's `rope_theta`.
    """
    mask = causal_mask(x.shape[1]).to(x.device)
    normed = layer.input_norm(x)
    x = x + multi_head_attention(normed, layer.attention, head_width, mask, lambda heads: rotate(heads, base))
    return x + gated_unit(layer.network_norm(x), layer.gate, layer.up, layer.down)


def attention_flops(length: int, width: int) -> int:
    """Floating-point operations of one multi-head attention over T positions of width D (eq-attention-cost).

    A multiplication and an addition count as two; the softmax, a small share, is left out.
    """
    return 8 * length * width**2 + 4 * length**2 * width


def layer_flops(length: int, width: int) -> int:
    """The same of a whole layer of BERT, whose network widens to 4D (eq-layer-cost)."""
    return attention_flops(length, width) + 16 * length * width**2
