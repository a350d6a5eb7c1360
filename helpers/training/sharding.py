"""Sharding: each of several processes keeps a part of the weights, of their gradients and of AdamW's moments.

A layer is gathered when it computes, and given up again (ZeRO stage 3, Rajbhandari et al. 2020; fully sharded data
parallelism, Zhao et al. 2023), by `fully_shard` of torch. A run takes the steps that it takes with whole copies; what
it saves are whole weights, so a checkpoint and a saved model do not show in how many parts they were trained.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from helpers.errors import InputError
from helpers.models import stored


def check(model: nn.Module, processes: int) -> None:
    """InputError if a model cannot be sharded, or if there is but one process to keep it."""
    if processes == 1:
        raise InputError(
            "shard of the recipe needs several processes, and there is one; start them with torchrun "
            "--nproc-per-node N -m helpers train, or leave shard out"
        )
    if (kept := stored.dtype_of(model)) != "fp32":
        raise InputError(f"weights that are kept in {kept} cannot be sharded; take base_dtype fp32, or leave shard out")


def outline(model: nn.Module) -> nn.Module:
    """A copy of a model whose parameters have shapes and no memory, to be filled by `whole_model`."""
    empty = {
        id(parameter): nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
        for parameter in model.parameters()
    }
    return copy.deepcopy(model, empty)


def shard(model: PreTrainedModel, device: torch.device, processes: int) -> None:
    """Let each process keep its part of each layer, and of what stands outside the layers; in place."""
    mesh = init_device_mesh(device.type, (processes,))
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def by_name(groups: list[dict], before: Mapping[str, Tensor], model: nn.Module) -> list[dict]:
    """Groups of parameters for an optimiser, with the parts of those that the groups held before sharding.

    Args:
        before: the parameters by name, before.
    """
    names, parts = {id(parameter): name for name, parameter in before.items()}, dict(model.named_parameters())
    return [group | {"params": [parts[names[id(parameter)]] for parameter in group["params"]]} for group in groups]


def reshard(model: nn.Module) -> None:
    """Give up what was gathered for the last pass: the parameters are parts again."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process may have a part, gathered; all processes call this together."""
    return tensor.detach().full_tensor() if isinstance(tensor, DTensor) else tensor


def part(tensor: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor, if `like` is sharded; all processes call this together."""
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def whole_model(plain: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The outline of a model filled with weights, by the names of `named_parameters`; tied ones stay tied."""
    filled = {
        id(parameter): nn.Parameter(weights[name], parameter.requires_grad)
        for name, parameter in plain.named_parameters()
    }
    for module in plain.modules():
        for name, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            setattr(module, name, filled[id(parameter)])
    return plain.to(next(iter(filled.values())).device)


def _layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layers of a model; none where they are not one list, so that it is gathered as a whole."""
    settings = model.config.get_text_config()
    count = getattr(settings, "num_hidden_layers", None)
    stacks = [child for child in model.modules() if isinstance(child, nn.ModuleList) and len(child) == count]
    return list(stacks[0]) if len(stacks) == 1 else []
