"""The weights of a frozen model in 16 or in 4 bits, for LoRA beside them.

What does not train needs no fp32: AdamW's small updates never meet it. A layer keeps its matrix in bf16, or in blocks
of 64 weights of 4 bits with one scale each (nf4; Dettmers et al. 2023), and gives it back in the type of its input when
it multiplies, in forward and in backward again, so that no copy is held between them. Only the rounding of the stored
weights changes what is computed. Vectors, such as the weights of norms, stay in fp32.

The 4 bits are those of the package bitsandbytes, byte for byte: each weight is the nearest of 16 levels, which are
quantiles of the normal distribution, times the largest of its block.
"""

from collections.abc import Callable

import psutil
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from helpers.errors import InputError

DTYPES = ("fp32", "bf16", "nf4")
BLOCK = 64  # weights of nf4 that have one scale, in fp32
BYTES = {"fp32": 4.0, "bf16": 2.0, "nf4": 0.5 + 4 / BLOCK}  # of a weight
# Dettmers et al. 2023, appendix E.
LEVELS = (-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635)
LEVELS += (-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725)
LEVELS += (0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0)
ROOM = 0.5  # of the free memory that frozen weights may fill; the rest is for activations and what trains


class _Product(torch.autograd.Function):
    """x Wᵀ with a frozen W (M, D) that is read anew in each direction; x (..., D)."""

    @staticmethod
    def forward(ctx, x: Tensor, read: Callable[[torch.dtype], Tensor]) -> Tensor:
        ctx.read = read
        return x @ read(x.dtype).T

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient @ ctx.read(gradient.dtype), None


class StoredLinear(nn.Linear):
    """A linear layer whose frozen matrix is read in the type that it is multiplied in."""

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """The weights (M, D) in a type."""
        return self.weight.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            x = x.to(torch.get_autocast_dtype(kind))
        product = _Product.apply(x, self.matrix)
        return product if self.bias is None else product + self.bias.to(product.dtype)


class StoredIn4Bits(StoredLinear):
    """A linear layer whose frozen matrix lies in blocks of 4 bits: two weights a byte, and `scales`, one a block."""

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """The weights (M, D) in a type."""
        levels = torch.tensor(LEVELS, dtype=dtype, device=self.weight.device)
        both = torch.cartesian_prod(levels, levels)  # (256, 2), by the byte
        blocks = both.index_select(0, self.weight.int()).view(-1, BLOCK)
        return (blocks * self.scales.to(dtype)).view(self.out_features, self.in_features)


class StoredEmbedding(nn.Embedding):
    """An embedding in bf16 whose rows are given out in fp32, in which layers add up what they compute."""

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids).float()


def fitting(weights: int) -> str:
    """In what the frozen weights of a model fit into the free memory: fp32, else bf16, else nf4."""
    free = _free()
    return next((dtype for dtype in DTYPES if BYTES[dtype] * weights <= ROOM * free), DTYPES[-1])


def read_in(dtype: str) -> torch.dtype:
    """In what a model is read from its file that `store` will keep in `dtype`, so that it is never whole in fp32."""
    return torch.float32 if dtype == "fp32" else torch.bfloat16


def store(model: PreTrainedModel, dtype: str) -> PreTrainedModel:
    """Freeze a model and keep its matrices in `dtype`; the model is changed in place.

    In bf16 instead of nf4 are the matrices of embeddings and output layer, and those whose rows are no whole blocks.
    Raises InputError for another dtype than those of `DTYPES`.
    """
    if dtype not in DTYPES:
        raise InputError(f"base_dtype '{dtype}' is unknown; choose {', '.join(DTYPES)}")
    model.requires_grad_(False)
    if dtype == "fp32":
        return model
    ends = {id(end.weight) for end in (model.get_input_embeddings(), model.get_output_embeddings()) if end is not None}
    for parameter in model.parameters():
        if parameter.ndim < 2:
            parameter.data = parameter.data.float()
    for module in model.modules():
        if type(module) is nn.Embedding:
            module.__class__ = StoredEmbedding
            module.weight.data = module.weight.data.bfloat16()
        elif type(module) is nn.Linear:
            in_blocks = dtype == "nf4" and id(module.weight) not in ends and module.in_features % BLOCK == 0
            _pack(module) if in_blocks else _round(module)
    return model


def dtype_of(model: nn.Module) -> str:
    """What `store` keeps the matrices of a model in; fp32 where it has changed nothing."""
    kinds = {type(module) for module in model.modules()}
    return "nf4" if StoredIn4Bits in kinds else "bf16" if StoredLinear in kinds else "fp32"


def restore(model: nn.Module) -> None:
    """Give the layers of a model plain matrices in fp32 again, with the values to which they were rounded; in place."""
    plain: dict[int, Tensor] = {}  # by what is stored, which several layers may share
    for module in model.modules():
        if not isinstance(module, StoredLinear | StoredEmbedding):
            continue
        linear = isinstance(module, StoredLinear)
        key = id(module.weight)
        if key not in plain:
            values = module.matrix(torch.float32) if linear else module.weight.float()
            plain[key] = nn.Parameter(values, requires_grad=False)
        module.weight = plain[key]
        module.__class__ = nn.Linear if linear else nn.Embedding
        if hasattr(module, "scales"):
            del module.scales


def weight_count(model: nn.Module) -> int:
    """The weights of a model; those in blocks count as what they stand for."""
    packed = {id(m.weight): m.in_features * m.out_features for m in model.modules() if isinstance(m, StoredIn4Bits)}
    return sum(packed.get(id(parameter), parameter.numel()) for parameter in model.parameters())


def _round(module: nn.Linear) -> None:
    module.__class__ = StoredLinear
    module.weight.data = module.weight.data.bfloat16()


def _pack(module: nn.Linear) -> None:
    blocks = module.weight.detach().float().reshape(-1, BLOCK)
    scales = blocks.abs().amax(1, keepdim=True)  # (M D / 64, 1)
    levels = torch.tensor(LEVELS, device=blocks.device)
    nearest = torch.bucketize(blocks / scales.clamp_min(1e-30), (levels[1:] + levels[:-1]) / 2)
    first, second = nearest.to(torch.uint8).view(-1, 2).unbind(1)
    module.__class__ = StoredIn4Bits
    module.weight = nn.Parameter(16 * first + second, requires_grad=False)
    module.register_buffer("scales", scales, persistent=False)


def _free() -> int:
    """Bytes that are free where models train by default."""
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
