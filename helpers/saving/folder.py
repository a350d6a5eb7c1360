"""A trained model on disk: what plain `from_pretrained` reads, and beside it how the model was made.

The folder holds config.json (label names inside), model.safetensors, the tokenizer, task.json, recipe.json,
data_card.json, scores.json and history.csv. It appears in one move; `helpers train` adds run.toml (`run_file`).
"""

import glob
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedModel

from helpers import models
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.models import lora
from helpers.tasks import registry
from helpers.tasks.base import Predictor, Task

LOCK, MODEL = "lock", "model"  # all that a folder holds while a model is written


def check_free(output: str | Path) -> None:
    """InputError if something stands at `output` already, which is never overwritten, or a file where its folder is.

    Folders above it are made when it is written.
    """
    if Path(output).exists():
        raise InputError(f"the output folder '{output}' exists already; choose another name, or move it away")
    above = next(folder for folder in Path(output).absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"the output '{output}' cannot be made, because '{above}' is a file; choose another folder")


def save(
    output: str | Path,
    predictor: Predictor,
    *,
    recipe: dict,
    history: pd.DataFrame,
    card: DataCard,
    scores: dict | None = None,
) -> Path:
    """Write a trained model to the new folder `output`.

    LoRA matrices are merged into the weights before, so that the folder holds a plain model, unless the task says that
    they are saved alone.

    Raises InputError if `output` exists; nothing is written then.
    """
    output = Path(output)
    check_free(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(output) as scratch:
        with models.quiet(slow=False), full_disk_named(output):
            lora.write(predictor.model, scratch, predictor.task.lora_saved)
            predictor.tokenizer.save_pretrained(scratch)
        write_json(scratch / "task.json", predictor.task.settled(predictor.model).to_dict())
        for weights in scratch.glob("*.safetensors"):
            weights.chmod((scratch / "task.json").stat().st_mode)  # safetensors lets the owner alone read them
        write_json(scratch / "recipe.json", recipe)
        write_json(scratch / "scores.json", scores or {})
        (scratch / "data_card.json").write_text(card.to_json(), encoding="utf-8")
        history.to_csv(scratch / "history.csv", index=False, lineterminator="\n")
        check_free(output)
        scratch.rename(output)
    return output


def add_scores(output: str | Path, task: Task, scores: dict) -> None:
    """Write the scores of a saved model, and the task's settings again, which may hold a threshold chosen since."""
    for name, content in (("task", task.to_dict()), ("scores", scores)):
        scratch = Path(output) / f"{name}.writing"
        write_json(scratch, content)
        scratch.replace(Path(output) / f"{name}.json")


def load(folder: str | Path) -> Predictor:
    """What `save` wrote into a folder, its model in evaluation mode.

    Raises InputError if `save` did not write the folder, or if an adapter was put there afterwards: transformers would
    change the weights by it without a word.
    """
    folder = Path(folder)
    added = sorted(path.name for path in folder.glob("adapter_*"))
    try:
        task = registry.from_dict(json.loads((folder / "task.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"'{folder}' is not a model that helpers has saved ({error}); give its folder") from error
    alone = task.lora_saved == "adapter" and not (folder / "config.json").exists()
    if added and not alone:
        raise InputError(f"'{folder}' holds {added[0]}, which no saved model of helpers has; move it elsewhere")
    try:
        with models.quiet(slow=False):
            model = lora.read(folder, task.auto_class, task.base_dtype) if alone else _plain_model(task, folder)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        task.restore(model, folder)  # what plain `from_pretrained` leaves out
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"the model in '{folder}' cannot be read ({error}); train it again") from error
    return Predictor(task, model.eval(), tokenizer)


def _plain_model(task: Task, folder: Path) -> PreTrainedModel:
    settings = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
    return task.auto_class.from_pretrained(folder, **settings)


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """While this lasts, a disk that is full is an OSError with the folder and the remedy."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(f"'{folder}' cannot be written ({error}); free some space, or take a folder elsewhere") from error


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Where a folder is made before it appears at `output`; what a killed process left there is removed first.

    A folder counts as left if it has our name, holds nothing else than ours, and nobody holds its lock.
    """
    for left in output.parent.glob(f"{glob.escape(output.name)}.saving-*/"):
        if {LOCK} <= {path.name for path in left.iterdir()} <= {LOCK, MODEL}:
            with suppress(Timeout, NotImplementedError, OSError), FileLock(left / LOCK, timeout=0):
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f"{output.name}.saving-", dir=output.parent) as folder:
        lock = FileLock(Path(folder) / LOCK)
        with suppress(NotImplementedError, OSError):  # where the file system knows none
            lock.acquire()
        yield Path(folder) / MODEL
        lock.release()


def write_json(path: Path, content: dict) -> None:
    """Write what JSON can hold, and numbers that are not finite by their names."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """A value as JSON has it, which knows no infinity: a number that is not finite becomes its name, such as `inf`."""
    if is_dataclass(value):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
