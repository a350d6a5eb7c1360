"""The base model of an adapter that is saved alone: where it lies, and which weights it has.

An adapter answers wrongly, and without a sign, beside other weights than those it has learnt beside. So the folder of
an adapter says in `base.json` what they were: the sha256 of all of them, and where they lay, for all programs of this
machine and as seen from that folder, so that both can be moved together.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import safe_open
from transformers.utils import cached_file

from helpers import assets, scales
from helpers.errors import InputError
from helpers.models import loading

NAME, FORMAT = "base.json", 2  # the first knew the weights alone, and not what the configuration makes of them
UNTOLD = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")  # change no answer
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"


def digest(base: str, form: int = FORMAT) -> str:
    """The sha256 of the names, types, shapes and bits of all weights of a model, and of its configuration.

    Args:
        base: a folder, or a name on the Hub whose files are on this machine.
        form: of the `base.json` that this is compared with; the first was without the configuration.

    In how many files the weights lie does not count. Raises InputError if there are none.
    """
    seen = {}
    for file in _files(base):
        with safe_open(file, "pt") as stream:
            for name in stream.keys():  # noqa: SIM118 - it is no dictionary
                weight = stream.get_tensor(name)
                bits = hashlib.sha256(weight.reshape(-1).view(torch.uint8).numpy()).hexdigest()
                seen[name] = f"{weight.dtype} {tuple(weight.shape)} {bits}"
    if not seen:
        raise InputError(
            f"the base model '{base}' has no weights on this machine, without which an adapter is worth nothing; take "
            "lora_saved merged (--lora-saved merged)"
        )
    about = sorted(seen.items()) + ([_configuration(base)] if form > 1 else [])
    return hashlib.sha256(repr(about).encode()).hexdigest()


def write(folder: Path, base: str, output: Path) -> None:
    """Write `base.json` into the folder of an adapter.

    Args:
        base: an absolute path, or a name on the Hub.
        output: where the folder will lie.
    """
    about = {"format": FORMAT, "base": base, "sha256": digest(base)}
    if os.path.isdir(base):  # links are followed, or the way would lead elsewhere once both are moved
        here = os.path.relpath(os.path.realpath(base), os.path.realpath(output))
        about |= {"from_here": Path(here).as_posix(), "role": _role(base)}
    (folder / NAME).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def known(folder: Path) -> dict | None:
    """What `write` wrote into the folder of an adapter; None for those of earlier versions. InputError if damaged."""
    if not (folder / NAME).exists():
        return None
    try:
        about = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if about["format"] not in (1, FORMAT):
            raise ValueError(f"its format is {about['format']}, and this version of helpers reads {FORMAT}")
        return {"from_here": None, "role": None, "sha256": str(about["sha256"])} | about
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"'{folder / NAME}', which says what the base model of the adapter is, cannot be read "
            f"({type(error).__name__}: {error}); bring the folder here once more, or train again"
        ) from error


def found(folder: Path, stated: str, about: dict) -> str:
    """Where the base model of an adapter is: where the adapter says, beside it, or among the packaged models.

    Args:
        stated: what adapter_config.json says, which somebody may have changed.
        about: of `known`.

    Returns `stated` where no folder is found, as it may be a name on the Hub. Raises InputError if what is found has
    other weights.
    """
    places = [stated] + ([str(folder / about["from_here"])] if about["from_here"] else [])
    there = [place for place in places if os.path.isdir(place)]
    if not there and about["role"] in scales.MODELS:
        there = [loading.packaged(about["role"])]
    for place in there:
        if digest(place, about["format"]) == about["sha256"]:
            return place
    if there:
        raise InputError(_other(folder, there[0]))
    return stated


def check(folder: Path, base: str, about: dict) -> None:
    """InputError if a base model has other weights, or another configuration, than an adapter says."""
    if digest(base, about["format"]) != about["sha256"]:
        raise InputError(_other(folder, base))


def _other(folder: Path, base: str) -> str:
    return (
        f"the adapter in '{folder}' has learnt beside other weights or settings than those of '{base}', with which it "
        "would answer wrongly; bring its own base model back there, or train again with --lora-saved merged"
    )


def _files(base: str) -> list[str]:
    """The files of a model's weights, as transformers chooses them."""

    def local(name: str) -> str:
        return cached_file(base, name, local_files_only=True)

    with suppress(OSError):
        return [local(_WEIGHTS)]
    with suppress(OSError):
        index = json.loads(Path(local(_INDEX)).read_text(encoding="utf-8"))
        return [local(name) for name in sorted(set(index["weight_map"].values()))]
    return []


def _configuration(base: str) -> str:
    """What config.json of a model says, without what changes no answer, in one order."""
    file = cached_file(base, "config.json", local_files_only=True)
    about = json.loads(Path(file).read_text(encoding="utf-8"))
    return json.dumps({name: value for name, value in about.items() if name not in UNTOLD}, sort_keys=True)


def _role(base: str) -> str | None:
    """The role of a packaged model, which lies elsewhere on another machine; None for other folders."""
    with suppress(ValueError):
        entry = Path(base).relative_to(assets.cache_dir()).parts[0]
        return next((role for role, name in scales.MODELS.items() if entry.startswith(f"{name['laptop']}-")), None)
    return None
