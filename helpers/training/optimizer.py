"""Which weights train, and at which learning rate."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from helpers.errors import InputError
from helpers.models import loading
from helpers.models.fast import family
from helpers.tasks.base import Task
from helpers.training.recipe import Recipe


def new_parameters(model: PreTrainedModel, task: Task) -> frozenset[str]:
    """The names of the parameters that train as a head: what the pretrained body lacks (`helpers.models.loading`).

    A task whose output layer comes with the pretrained model has none.
    """
    if not task.new_head:
        return frozenset()
    if hasattr(model, "peft_config"):  # whose layers that train whole are copies
        return frozenset(name for name, _ in model.named_parameters() if ".modules_to_save." in name)
    return loading.new_parameters(model)


def parameter_groups(
    model: nn.Module, recipe: Recipe, new: frozenset[str], rates: Mapping[str, float] | None = None
) -> list[dict]:
    """Freeze what the recipe does not train, and sort the rest by learning rate and weight decay.

    What does not require a gradient before stays as it is, and after an error all does.

    Args:
        new: names of the parameters that the pretrained body lacks.
        rates: peak learning rates that a task sets for some parameters, by name prefix.

    Raises InputError if the recipe asks for more layers than the model has or for a head where there is none, and if
    weights to be trained are not in float32.
    """
    adapters = hasattr(model, "peft_config")  # they have chosen what trains
    if adapters and recipe.trainable != "all":
        raise InputError(
            f"trainable {recipe.trainable} of the recipe has no meaning with LoRA, where its matrices train and what "
            "is new; leave it at all, or leave LoRA out"
        )
    layers = _trained_layers(model, recipe.trainable)
    groups: dict[tuple, list] = {}
    frozen = []
    for name, parameter in model.named_parameters():
        if layers is not None and not (name in new or name.startswith(layers)):
            frozen.append(parameter)
        elif parameter.requires_grad:
            _check_precision(name, parameter)
            own = [rate for prefix, rate in (rates or {}).items() if name.startswith(prefix)]
            rate = own[0] if own else recipe.head_learning_rate if name in new else None
            # Biases and norms are vectors; decaying them pulls activations to zero and helps nothing.
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate or recipe.learning_rate, decay), []).append(parameter)
    if not groups:
        raise InputError(f"trainable {recipe.trainable} of the recipe leaves nothing to train in this model; take all")
    for parameter in frozen:
        parameter.requires_grad_(False)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]


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


def _trained_layers(model: nn.Module, trainable: str | int) -> tuple[str, ...] | None:
    """Name prefixes of the layers that train beside the new parameters; None for all weights."""
    if trainable == "all":
        return None
    if trainable == "head":
        return ()
    settings = model.config.get_text_config() if isinstance(model, PreTrainedModel) else None
    count = getattr(settings, "num_hidden_layers", None)
    stacks = [name for name, child in model.named_modules() if isinstance(child, nn.ModuleList) and len(child) == count]
    # Some families keep several lists of that length, the parts of each layer apart: no prefix is a whole layer there.
    if len(stacks) != 1:
        raise InputError(
            f"the layers of this model ({family(model)}) are not one list, so trainable {trainable} of the recipe "
            "cannot tell which to train; take all or head"
        )
    if trainable > count:
        raise InputError(f"trainable {trainable} of the recipe is more than the model's {count} layers; lower it")
    return tuple(f"{stacks[0]}.{i}." for i in range(count - trainable, count))
