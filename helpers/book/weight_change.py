"""How far training has moved the weights of a model, part by part."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from helpers.errors import InputError


def copied(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters by name, to compare with after training."""
    return {name: parameter.detach().cpu().clone() for name, parameter in model.named_parameters()}


def relative_change(before: Mapping[str, Tensor], after: Mapping[str, Tensor], parts: Mapping[str, str]) -> pd.Series:
    """The norm of what was added to a part's weights, divided by the norm of the weights before (`eq-weight-change`).

    Args:
        before, after: the parameters by name, as `copied` gives them.
        parts: the name of each part, and the prefix of its parameters' names.

    Raises InputError if a prefix fits no parameter.
    """
    shares = {}
    for part, prefix in parts.items():
        names = [name for name in before if name.startswith(prefix)]
        if not names:
            raise InputError(
                f"no parameter's name begins with '{prefix}' (part '{part}'); give a prefix of {_some(before)}"
            )
        old = torch.cat([before[name].flatten() for name in names])
        new = torch.cat([after[name].flatten() for name in names])
        shares[part] = ((new - old).norm() / old.norm()).item()
    return pd.Series(shares, name="relative change")


def _some(names: Mapping[str, Tensor]) -> str:
    return ", ".join(list(names)[:3]) + " ..."
