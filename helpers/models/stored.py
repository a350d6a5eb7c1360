"""The weights of a frozen model in 16 or in 4 bits, for LoRA beside them.

What does not train needs no fp32: AdamW's small updates never meet it. A layer keeps its matrix in bf16, or in blocks
of 64 weights of 4 bits with one scale each (nf4; Dettmers et al. 2023), and gives it back in the type of its input when
it multiplies, in forward and in backward again, so that no copy is held between them. Only the rounding of the stored
weights changes what is computed. Vectors, such as the weights of norms, stay in fp32.
"""

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import psutil
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from helpers.errors import InputError

DTYPES = ("fp32", "bf16", "nf4")
BLOCK = 64  # weights of nf4 that have one scale, in fp32
BYTES = {"fp32": 4.0, "bf16": 2.0, "nf4": 0.5 + 4 / BLOCK}  # of a weight
_BITSANDBYTES = "bitsandbytes.functional"
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
    """A linear layer whose frozen matrix lies in blocks of 4 bits, as bitsandbytes packs them."""

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """The weights (M, D) in a type."""
        self.state.to(self.weight.device)
        return _bitsandbytes().dequantize_4bit(self.weight, self.state).to(dtype)


class StoredEmbedding(nn.Embedding):
    """An embedding in bf16 whose rows are given out in fp32, in which layers add up what they compute."""

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids).float()


def fitting(weights: int) -> str:
    """In what the frozen weights of a model fit into the free memory: fp32, else bf16, else nf4 where that is there."""
    free, known = _free(), DTYPES if find_spec("bitsandbytes") else DTYPES[:2]
    return next((dtype for dtype in known if BYTES[dtype] * weights <= ROOM * free), known[-1])


def read_in(dtype: str) -> torch.dtype:
    """In what a model is read from its file that `store` will keep in `dtype`, so that it is never whole in fp32."""
    return torch.float32 if dtype == "fp32" else torch.bfloat16


def store(model: PreTrainedModel, dtype: str) -> PreTrainedModel:
    """Freeze a model and keep its matrices in `dtype`; the model is changed in place.

    In bf16 instead of nf4 are the matrices of embeddings and output layer, and those whose rows are no whole blocks.
    Raises InputError for another dtype than those of `DTYPES`, and if nf4 is asked for and the package bitsandbytes is
    missing.
    """
    if dtype not in DTYPES:
        raise InputError(f"base_dtype '{dtype}' is unknown; choose {', '.join(DTYPES)}")
    model.requires_grad_(False)
    if dtype == "fp32":
        return model
    if dtype == "nf4":
        _bitsandbytes()
    ends = {id(end.weight) for end in (model.get_input_embeddings(), model.get_output_embeddings()) if end is not None}
    for parameter in model.parameters():
        if parameter.ndim < 2:
            parameter.data = parameter.data.float()
    for module in model.modules():
        if type(module) is nn.Embedding:
            module.__class__ = StoredEmbedding
            module.weight.data = module.weight.data.bfloat16()
        elif type(module) is nn.Linear:
            # bitsandbytes reads blocks that reach over two rows wrongly on a CPU
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
        vars(module).pop("state", None)


def weight_count(model: nn.Module) -> int:
    """The weights of a model; those in blocks count as what they stand for."""
    packed = {id(m.weight): m.in_features * m.out_features for m in model.modules() if isinstance(m, StoredIn4Bits)}
    return sum(packed.get(id(parameter), parameter.numel()) for parameter in model.parameters())


def _round(module: nn.Linear) -> None:
    module.__class__ = StoredLinear
    module.weight.data = module.weight.data.bfloat16()


def _pack(module: nn.Linear) -> None:
    packed, module.state = _bitsandbytes().quantize_4bit(
        module.weight.data.float(), None, None, BLOCK, quant_type="nf4"
    )
    module.__class__ = StoredIn4Bits
    module.weight = nn.Parameter(packed, requires_grad=False)


def _bitsandbytes():
    """The functions of bitsandbytes, which would fetch code from the Hub by the package `kernels` and run it.

    So that package is hidden from it while it is imported.
    """
    if _BITSANDBYTES not in sys.modules:
        logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # it warns that kernels is missing
        hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "kernels"}
        sys.modules.update({"kernels": None} | dict.fromkeys(hidden))
        try:
            import_module(_BITSANDBYTES)
        except ImportError as error:
            raise InputError(
                "base_dtype nf4 needs the package bitsandbytes, which is missing; pip install it, or take bf16"
            ) from error
        finally:
            sys.modules.pop("kernels", None)
            sys.modules.update(hidden)
    return sys.modules[_BITSANDBYTES]


def _free() -> int:
    """Bytes that are free where models train by default."""
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
