"""LoRA (Hu et al. 2022): train small matrices beside frozen ones, through `peft`.

A linear layer y = W x with W (M, D) becomes y = W x + (alpha / rank) B A x, with A (rank, D) drawn at random and B
(M, rank) zero, so that training starts at the pretrained model. Only A and B train: AdamW then keeps its two moments
for a hundredth of the weights, which saves most of the memory. Afterwards B A is added to W, and the model is plain.
"""

import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from helpers.errors import InputError


def add(model: PreTrainedModel, rank: int = 8, *, modules: str | list[str] = "all-linear", seed: int = 0) -> PeftModel:
    """Freeze a model and put LoRA matrices, drawn under `seed`, beside its linear layers; the outputs stay the same.

    Args:
        rank: of the update of each layer; alpha is twice the rank, so the update's scale does not depend on it.
        modules: names of the layers, such as `["q_proj", "v_proj"]` (Hu et al. 2022); by default all linear layers but
            the output layer, which is what works best at a given number of weights (Dettmers et al. 2023).

    Raises InputError if the rank is below 1 or a model has no such layers.
    """
    if rank < 1:
        raise InputError(f"LoRA's rank {rank} must be at least 1; usual are 4 to 64")
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for something it will rename
                return get_peft_model(model, settings).eval()
        except ValueError as error:
            linear = sorted({n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, nn.Linear)})
            raise InputError(f"the model has no layers {modules}; choose from {', '.join(linear)}") from error


def merged(model: nn.Module) -> nn.Module:
    """The plain model with its LoRA matrices added to the weights they stand beside; other models as they are."""
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


def trained_share(model: nn.Module) -> float:
    """Trained weights over all weights."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad) / sum(p.numel() for p in model.parameters())
