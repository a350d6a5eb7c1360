"""Which weights train, and at which step size."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from helpers.errors import InputError
from helpers.training.recipe import Recipe


def parameter_groups(
    model: nn.Module, recipe: Recipe, new_layers: tuple[str, ...], rates: Mapping[str, float] | None = None
) -> list[dict]:
    """Freeze what the recipe does not train, and sort the rest by learning rate and weight decay.

    Args:
        new_layers: name prefixes of the layers that the pretrained body lacks.
        rates: peak step sizes of parameters that a task lets learn at their own pace, by name prefix.

    Raises InputError if the recipe asks for more layers than the model has or for a head where there is none, and if
    weights to be trained are not in float32.
    """
    if hasattr(model, "peft_config") and recipe.trainable != "all":
        raise InputError(
            f"trainable {recipe.trainable} of the recipe has no meaning with LoRA, where its matrices alone train; "
            "leave it at all, or leave LoRA out"
        )
    trained = _trained_prefixes(model, recipe.trainable, new_layers)
    groups: dict[tuple, list] = {}
    for name, parameter in model.named_parameters():
        if not hasattr(model, "peft_config"):  # adapters have chosen what trains
            parameter.requires_grad_(trained is None or name.startswith(trained))
        if parameter.requires_grad:
            _check_precision(name, parameter)
            own = [rate for prefix, rate in (rates or {}).items() if name.startswith(prefix)]
            rate = own[0] if own else recipe.head_learning_rate if name.startswith(new_layers) else None
            # Biases and norms are vectors; decaying them pulls activations to zero and helps nothing.
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate or recipe.learning_rate, decay), []).append(parameter)
    if not groups:
        raise InputError(f"trainable {recipe.trainable} of the recipe leaves nothing to train in this model; take all")
    return [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]


def check_reach(model: nn.Module, recipe: Recipe) -> None:
    """InputError if the recipe sets what it cannot set in both stacks of an encoder-decoder."""
    names = [name for name in ("dropout", "attention_dropout") if getattr(recipe, name) is not None]
    names += ["trainable"] if recipe.trainable != "all" else []
    if names and getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise InputError(f"{names[0]} of the recipe does not reach both stacks of an encoder-decoder; leave it out")


def _check_precision(name: str, parameter: Tensor) -> None:
    if parameter.dtype != torch.float32:  # bf16 has 8 bits: most of AdamW's updates are smaller than its rounding
        raise InputError(
            f"the weights of '{name}' are {parameter.dtype}, in which small updates are lost; convert the model with "
            "model.float() and let precision='bf16' choose how products are computed"
        )


def _trained_prefixes(model: nn.Module, trainable: str | int, new_layers: tuple[str, ...]) -> tuple[str, ...] | None:
    if trainable == "all":
        return None
    if trainable == "head":
        return new_layers
    layers = next(name for name, child in model.named_modules() if isinstance(child, nn.ModuleList))
    count = len(model.get_submodule(layers))
    if trainable > count:
        raise InputError(f"trainable {trainable} of the recipe is more than the model's {count} layers; lower it")
    return (*new_layers, *(f"{layers}.{i}." for i in range(count - trainable, count)))
