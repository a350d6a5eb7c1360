"""LoRA (Hu et al. 2022): train small matrices beside frozen ones, through `peft`.

A linear layer y = W x with W (M, D) becomes y = W x + (alpha / rank) B A x, with A (rank, D) drawn at random and B
(M, rank) zero, so that training starts at the pretrained model. Only A and B train: AdamW then keeps its two moments
for a hundredth of the weights, which saves most of the memory. Afterwards B A is added to W, and the model is plain.
"""

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel

from helpers.errors import AssetError, InputError
from helpers.models import bases, stored
from helpers.models.inference import weights_in_bf16
from helpers.models.loading import load as load_model
from helpers.models.loading import new_parameters

CONFIG = "adapter_config.json"  # by which peft, and transformers, know the folder of an adapter


def add(
    model: PreTrainedModel,
    rank: int = 8,
    *,
    modules: str | list[str] = "all-linear",
    base_dtype: str = "fp32",
    new_head: bool = False,
    seed: int = 0,
) -> PeftModel:
    """Freeze a model and put LoRA matrices, drawn under `seed`, beside its linear layers; the outputs stay the same.

    Args:
        rank: of the update of each layer; alpha is twice the rank, which keeps the factor before the update at 2. A
            higher rank still sums more products, so that it may want a lower learning rate.
        modules: names of the layers, such as `["q_proj", "v_proj"]` (Hu et al. 2022); by default all linear layers but
            the output layer, which is what works best at a given number of weights (Dettmers et al. 2023).
        base_dtype: what the frozen weights are kept in, fp32, bf16 or nf4 (`helpers.models.stored`): the outputs are
            the same but for their rounding. The LoRA matrices are in fp32 in any case.
        new_head: whether modules with a weight that the pretrained body lacks (`new_parameters`) train whole: they have
            nothing to stay near to.

    Raises InputError if the rank is below 1, if a model has no such layers, and as `stored.store` does.
    """
    if rank < 1:
        raise InputError(f"LoRA's rank {rank} must be at least 1; usual are 4 to 64")
    about = {"task_type": "CAUSAL_LM"}
    if new_head:
        whole = sorted({name.rpartition(".")[0] for name in new_parameters(model)})
        about = {"task_type": "SEQ_CLS", "modules_to_save": whole, "exclude_modules": whole}
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, **about)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            with _peft_warnings_off():
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


def write(model: nn.Module, folder: Path, how: str, output: Path) -> None:
    """Write a model into a folder: `merged` with its LoRA matrices, so rounded to bf16, or the `adapter` alone.

    Args:
        output: where the folder will lie, from where an adapter sees its base model.

    Raises InputError for an adapter whose base model was not read from files.
    """
    if how == "adapter" and isinstance(model, PeftModel):
        base = model.get_base_model().name_or_path
        base = os.path.abspath(base) if os.path.isdir(base) else base
        model.peft_config["default"].base_model_name_or_path = base
        model.save_pretrained(folder)
        bases.write(folder, base, output)
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

    Its weights are rounded as they were in training. Raises InputError if the adapter is damaged, or names a model that
    is not there or has other weights; of adapters that earlier versions saved that cannot be told, which is a warning.
    """
    base = stated = _stated_base(folder)
    if about := bases.known(folder):
        base = bases.found(folder, stated, about)
    else:
        warnings.warn(
            f"'{folder}' was saved by an earlier version, so that nothing says whether '{stated}' still has the "
            "weights that this adapter has learnt beside; train it again to have that checked",
            stacklevel=2,
        )
    try:
        plain = stored.store(load_model(auto_class, base, dtype=stored.read_in(base_dtype)), base_dtype)
    except (AssetError, InputError) as error:
        reason = str(error).partition("; ")[0]  # its own remedy is for those who name a model themselves
        raise InputError(
            f"'{folder}' holds an adapter alone, and its base model '{base}' cannot be read ({reason}); bring that "
            "model there, or train with --lora-saved merged"
        ) from error
    if about and not os.path.isdir(base):
        bases.check(folder, base, about)
    return merged(_adapted(plain, folder, base))


def _stated_base(folder: Path) -> str:
    """What an adapter says that its base model is."""
    try:
        return os.fspath(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"'{folder / CONFIG}' does not name the base model of the adapter ({type(error).__name__}: {error}); bring "
            "the folder here once more, or train again"
        ) from error


_UNFIT = (OSError, ValueError, KeyError, TypeError, AttributeError, UserWarning, SafetensorError)


def _adapted(plain: PreTrainedModel, folder: Path, base: str) -> PeftModel:
    """A base model with the adapter of a folder beside it; InputError if that does not fit."""
    try:
        with _peft_warnings_off():
            warnings.filterwarnings("error", message="Found missing adapter keys")  # they would stay at zero
            return PeftModel.from_pretrained(plain, folder)
    except (*_UNFIT, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "loading state_dict" not in str(error):
            raise  # such as memory that runs out
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the adapter in '{folder}' does not fit its base model '{base}' ({reason}); bring the model back that it "
            "was trained beside, or train again"
        ) from error


@contextmanager
def _peft_warnings_off() -> Iterator[None]:
    """While this lasts, nothing is said of a name that peft asks transformers for, which will rename it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def trained_share(model: nn.Module) -> float:
    """Trained weights over all weights."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad) / stored.weight_count(model)
