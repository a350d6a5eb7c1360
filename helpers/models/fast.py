"""The same results for less time or memory: dropout with a cheaper generator, activations that backward
recomputes, and layers that compute the first position alone.

PyTorch draws the bits of dropout one after the other from a Mersenne Twister: on two cores this is a sixth of a
short training step. `cheap_dropout` draws sixteen bits for each element from NumPy's SFC64 instead, four elements a
call of the generator. The probability is exact to 1/65536 and the scaling by 1/(1-p) is the usual one
(Srivastava et al. 2014); only the stream of random numbers differs.

Between forward and backward, a decoder keeps the inside of every norm and every gate, values that cost little to
compute. `cheap_parts_again` keeps the inputs of these parts alone, which for the packaged decoder leaves two thirds of
what is kept. Matrix products, which cost most of the time, are not repeated. This is checkpointing (Chen et al. 2016),
of selected parts (Korthikanti et al. 2022).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import MethodType

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import BertForSequenceClassification, BertLayer, eager_attention_forward
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

from helpers.errors import InputError


@contextmanager
def first_token_only(model: nn.Module) -> Iterator[None]:
    """While this lasts, the last layer of a BERT classifier computes its first position alone.

    The pooler reads nothing else, so logits and gradients are unchanged, and of the last layer only keys and values
    are needed at the other positions: with six layers this saves a seventh of all matrix products. Other
    architectures are left as they are.
    """
    bert = model.module if hasattr(model, "module") else model
    if _left_out(bert, "fast path") or not isinstance(bert, BertForSequenceClassification) or bert.config.is_decoder:
        yield
        return
    last = bert.bert.encoder.layer[-1]
    if "forward" in vars(last):  # already so, further out
        yield
        return
    last.forward = MethodType(_first_token_layer, last)
    try:
        yield
    finally:
        del last.forward


def _first_token_layer(layer: BertLayer, hidden: Tensor, attention_mask: Tensor | None = None, *_, **__) -> Tensor:
    """`BertLayer.forward` with the first token as the only query: hidden (B, T, D) to (B, 1, D)."""
    attention, first = layer.attention.self, hidden[:, :1]  # (B, 1, D)
    mask = None if attention_mask is None else attention_mask[:, :, :1]  # (B, 1, 1, T)

    def heads(linear: nn.Linear, states: Tensor) -> Tensor:
        split = (*states.shape[:2], -1, attention.attention_head_size)
        return linear(states).view(split).transpose(1, 2)  # (B, H, T, K)

    attend = ALL_ATTENTION_FUNCTIONS.get_interface(attention.config._attn_implementation, eager_attention_forward)
    mixed, _ = attend(
        attention,
        heads(attention.query, first),
        heads(attention.key, hidden),
        heads(attention.value, hidden),
        mask,
        dropout=attention.dropout.p if layer.training else 0.0,
        scaling=attention.scaling,
    )  # (B, 1, H, K)
    mixed = mixed.reshape(len(hidden), 1, -1)  # (B, 1, D)
    return layer.feed_forward_chunk(layer.attention.output(mixed, first))


class RandomBits:
    """A stream of random 16-bit integers that can be seeded at each step."""

    def __init__(self):
        self.seed([0])

    def seed(self, key: Sequence[int]) -> None:
        """Start the stream that belongs to `key`, integers of at least 0."""
        self.generator = np.random.SFC64(key)

    def draw(self, shape: torch.Size) -> Tensor:
        """Uniform int16 values, -32768 to 32767, of the given shape."""
        count = shape.numel()
        words = self.generator.random_raw((count + 3) // 4)  # (ceil(count / 4),) of 64 bits
        return torch.from_numpy(words.view(np.int16)[:count]).view(shape)


class CheapDropout(nn.Dropout):
    """`nn.Dropout` on a shared `RandomBits` stream: the same distribution, another stream of random numbers."""

    def __init__(self, p: float, bits: RandomBits):
        super().__init__(p)
        self.bits = bits

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with probability p and scale the others by 1/(1-p); shape unchanged."""
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        keep = self.bits.draw(x.shape) >= round(self.p * 65536) - 32768
        return x * keep.to(x.dtype).mul_(1 / (1 - self.p))


@contextmanager
def cheap_dropout(model: nn.Module, bits: RandomBits) -> Iterator[None]:
    """Replace every `nn.Dropout` of the model while the context lasts; parameters and their names stay.

    A model with gradient checkpointing keeps its own dropout: torch restores its random state for the recomputation,
    and would not restore `bits`.
    """
    repeated = any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    if repeated or _left_out(model, "cheap dropout"):
        yield
        return
    dropouts = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout and not child.inplace
    ]
    for parent, name, child in dropouts:
        setattr(parent, name, CheapDropout(child.p, bits).train(child.training))
    try:
        yield
    finally:
        for parent, name, child in dropouts:
            setattr(parent, name, child.train(parent.training))


@contextmanager
def dropout_rates(model: nn.Module, hidden: float | None, attention: float | None) -> Iterator[None]:
    """Other rates of hidden and attention dropout while the context lasts; None leaves a rate unchanged.

    Attention dropout has a rate of its own because any rate above zero disables PyTorch's fused attention kernel.
    Raises InputError as `check_dropout` does.
    """
    check_dropout(model, hidden, attention)
    rates = {"hidden": hidden, "attention": attention}
    before = [(module, name, getattr(module, name), rates[kind]) for kind, module, name in _dropouts(model)]
    for module, name, _, rate in before:
        if rate is not None:
            setattr(module, name, rate)
    try:
        yield
    finally:
        for module, name, rate, _ in before:
            setattr(module, name, rate)


def check_dropout(model: nn.Module, hidden: float | None, attention: float | None) -> None:
    """InputError if a rate that is set reaches nothing in the model."""
    reached = {kind for kind, *_ in _dropouts(model)}
    for kind, name, rate in (("hidden", "dropout", hidden), ("attention", "attention_dropout", attention)):
        if rate is not None and kind not in reached:
            raise nothing_reached(model, name)


def nothing_reached(model: nn.Module, name: str) -> InputError:
    """What is raised for a rate of the recipe that no part of the model takes."""
    return InputError(f"{name} of the recipe reaches nothing in this model ({family(model)}); leave it out")


def family(model: nn.Module) -> str:
    """The name of a model's architecture, as `bert`, for messages."""
    return getattr(getattr(model, "config", None), "model_type", type(model).__name__)


def _left_out(model: nn.Module, shortcut: str) -> bool:
    """Whether a shortcut has failed on this model (`helpers.training.probes`)."""
    return shortcut in getattr(model, "left_out", ())


def _dropouts(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Every dropout rate of the model: its kind (hidden or attention), its module, and the name of the attribute.

    A family marks attention dropout by the name of the rate (`attn_dropout`), or by a plain `dropout` inside the module
    that computes attention weights.
    """
    for module in model.modules():
        inside = type(module).__name__.endswith(("SelfAttention", "Attention"))
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                yield _kind(name, inside), child, "p"
        for name, value in vars(module).items():
            if type(value) in (int, float) and "dropout" in name and "layer" not in name:
                yield _kind(name, inside), module, name


def _kind(name: str, inside: bool) -> str:
    if any(mark in name for mark in ("resid", "output", "hidden", "activation", "proj")):
        return "hidden"
    return "attention" if inside or "attn" in name or "attention" in name else "hidden"


@contextmanager
def cheap_parts_again(model: nn.Module) -> Iterator[None]:
    """While this lasts, backward recomputes the norms and gates of a Llama model; results are the same, bit by bit.

    Unchanged are other architectures, and gates before an adapter, whose products and dropout would be repeated.
    """
    parts = () if _left_out(model, "fast path") else model.modules()
    changed = [module for module in parts if _is_cheap(module) and "forward" not in vars(module)]
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
    """`LlamaRMSNorm.forward` of hidden (B, T, D), which keeps its input alone."""
    return _again(type(norm).forward, norm, hidden)


def _gated(mlp: LlamaMLP, hidden: Tensor) -> Tensor:
    """`LlamaMLP.forward` of hidden (B, T, D), which keeps its two projections alone, each (B, T, inner width)."""
    return _again(_down, mlp, mlp.gate_proj(hidden), mlp.up_proj(hidden))


def _down(mlp: LlamaMLP, gate: Tensor, up: Tensor) -> Tensor:
    return mlp.down_proj(mlp.act_fn(gate) * up)  # the repetition ends before this product, whose input is all it needs


def _again(part: Callable[..., Tensor], *inputs) -> Tensor:
    if not torch.is_grad_enabled():
        return part(*inputs)
    return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)  # nothing in it is random


_AGAIN = {LlamaRMSNorm: _norm, LlamaMLP: _gated}
