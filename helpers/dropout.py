"""Dropout rates of a model, and dropout whose random bits cost less on a CPU.

PyTorch draws the bits of dropout one after the other from a Mersenne Twister: on two cores this is a sixth of a
short training step. `cheap_dropout` draws sixteen bits for each element from NumPy's SFC64 instead, four elements a
call of the generator. The probability is exact to 1/65536 and the scaling by 1/(1-p) is the usual one
(Srivastava et al. 2014); only the stream of random numbers differs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


class Bits:
    """A stream of random 16-bit integers that can be set to a known place at each step."""

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
    """`nn.Dropout` over a shared `Bits` stream; the same distribution, other draws."""

    def __init__(self, p: float, bits: Bits):
        super().__init__(p)
        self.bits = bits

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with probability p and scale the others by 1/(1-p); shape unchanged."""
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        keep = self.bits.draw(x.shape) >= round(self.p * 65536) - 32768
        return x * keep.to(x.dtype).mul_(1 / (1 - self.p))


@contextmanager
def cheap_dropout(model: nn.Module, bits: Bits) -> Iterator[None]:
    """Replace every `nn.Dropout` of the model while the context lasts; parameters and their names stay."""
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    for parent, name, child in found:
        setattr(parent, name, CheapDropout(child.p, bits).train(child.training))
    try:
        yield
    finally:
        for parent, name, child in found:
            setattr(parent, name, child.train(parent.training))


@contextmanager
def dropout_rates(model: nn.Module, hidden: float | None, attention: float | None) -> Iterator[None]:
    """Other rates of hidden and attention dropout while the context lasts; None leaves a rate as it is.

    Attention dropout is kept apart because any rate above zero makes PyTorch leave its fused attention kernel.
    """
    before = [(module, name, getattr(module, name), rate) for module, name, rate in _rates(model, hidden, attention)]
    for module, name, _, rate in before:
        setattr(module, name, rate)
    try:
        yield
    finally:
        for module, name, rate, _ in before:
            setattr(module, name, rate)


def _rates(model: nn.Module, hidden: float | None, attention: float | None) -> Iterator[tuple[nn.Module, str, float]]:
    """Every place of the model that holds a dropout rate to be changed, with its new value."""
    for module in model.modules():
        rate = attention if type(module).__name__.endswith("SelfAttention") else hidden
        if rate is not None:
            yield from ((child, "p", rate) for child in module.children() if isinstance(child, nn.Dropout))
        if attention is not None and isinstance(getattr(module, "attention_dropout", None), float):
            yield module, "attention_dropout", attention
