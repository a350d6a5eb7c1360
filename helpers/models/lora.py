"""LoRA (Hu et al. 2022): train small matrices beside frozen ones, through `peft`.

A linear layer y = W x with W (M, D) becomes y = W x + (alpha / rank) B A x, with A (rank, D) drawn at random and B
(M, rank) zero, so that training starts at the pretrained model. Only A and B train: AdamW then keeps its two moments
for a hundredth of the weights, which saves most of the memory. Afterwards B A is added to W, and the model is plain.
"""

import json
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from helpers.errors import AssetError, InputError
from helpers.models import stored
from helpers.models.inference import weights_in_bf16
from helpers.models.loading import load as load_model


def add(
    model: PreTrainedModel,
    rank: int = 8,
    *,
    modules: str | list[str] = "all-linear",
    base_dtype: str = "fp32",
    seed: int = 0,
) -> PeftModel:
    """Freeze a model and put LoRA matrices, drawn under `seed`, beside its linear layers; the outputs stay the same.

    Args:
        rank: of the update of each layer; alpha is twice the rank, so the update's scale does not depend on it.
        modules: names of the layers, such as `["q_proj", "v_proj"]` (Hu et al. 2022); by default all linear layers but
            the output layer, which is what works best at a given number of weights (Dettmers et al. 2023).
        base_dtype: what the frozen weights are kept in, fp32, bf16 or nf4 (`helpers.models.stored`): the outputs are
            the same but for their rounding. The LoRA matrices are in fp32 in any case.

    Raises InputError if the rank is below 1, if a model has no such layers, and as `stored.store` does.
    """
    if rank < 1:
        raise InputError(f"LoRA's rank {rank} must be at least 1; usual are 4 to 64")
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for something it will rename
                return get_peft_model(stored.store(model, base_dtype), settings).eval()
        except ValueError as error:
            linear = sorted({n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, nn.Linear)})
            raise InputError(f"the model has no layers {modules}; choose from {', '.join(linear)}") from error


def merged(model: nn.Module) -> nn.Module:
    """The plain model in fp32 with its LoRA matrices added to the weights they stand beside; others as they are."""
    if not isinstance(model, PeftModel):
        return model
    stored.restore(model)
    return model.merge_and_unload()


def rounded(model: nn.Module) -> nn.Module:
    """The model with its weights in fp32 rounded to the values that bf16 has; in place."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
    return model


def write(model: nn.Module, folder: Path, how: str) -> None:
    """Write a model into a folder: `merged` with its LoRA matrices, so rounded to bf16, or the `adapter` alone."""
    if how == "adapter" and isinstance(model, PeftModel):
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)  # peft's form of a card, unfilled
        return
    plain = merged(model)
    if how != "merged-bf16":
        plain.save_pretrained(folder)
        return
    with weights_in_bf16(plain):
        plain.save_pretrained(folder)


def read(folder: Path, auto_class: type, base_dtype: str) -> nn.Module:
    """The model that an adapter in a folder was written for, with the adapter merged into it, in fp32.

    Its weights are rounded as they were in training. Raises InputError if the adapter names a model that is not there.
    """
    base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    try:
        plain = stored.store(load_model(auto_class, base, dtype=stored.read_in(base_dtype)), base_dtype)
    except (AssetError, InputError) as error:
        raise InputError(
            f"'{folder}' holds an adapter alone, and its base model '{base}' cannot be read ({error}); bring that "
            "model there, or train with --lora-saved merged"
        ) from error
    return merged(PeftModel.from_pretrained(plain, folder))


def trained_share(model: nn.Module) -> float:
    """Trained weights over all weights."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad) / stored.weight_count(model)
