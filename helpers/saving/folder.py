"""A trained model on disk: what plain `from_pretrained` reads, and beside it how the model was made.

The folder holds config.json (label names inside), model.safetensors, the tokenizer, task.json, recipe.json,
data_card.json, scores.json and history.csv; an adapter alone has adapter_config.json, adapter_model.safetensors and
base.json (`helpers.models.bases`) in place of the first two. files.json has the hashes of what decides the answers
(`manifest`). It appears in one move; `helpers train` adds run.toml (`run_file`).
"""

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, is_dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers import models
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.models import lora
from helpers.saving import manifest
from helpers.tasks import registry
from helpers.tasks.base import Predictor, Task
from helpers.text import check_name

TOKENIZER = ("tokenizer_config.json", "tokenizer.json")
LOCK, MODEL = "lock", "model"  # all that a folder holds while a model is written
LONGEST = 230  # bytes of a name, which is lengthened for checkpoints and scratch folders; file systems take 255


def check_free(output: str | Path) -> None:
    """InputError if something stands at `output` already, which is never overwritten, or a file where its folder is.

    Folders above it are made when it is written.
    """
    if Path(output).name in ("", ".."):
        raise InputError(f"the output '{output}' ends without a name of its own; give a folder that is to be made")
    check_name(output)
    if (length := len(os.fsencode(Path(output).name))) > LONGEST:
        raise InputError(
            f"the name '{Path(output).name[:20]}...' of the output has {length} bytes, and with what is written beside "
            f"it a file system takes {LONGEST}; choose a shorter one"
        )
    if os.path.lexists(output):  # a link that leads nowhere is in the way as well
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
    with scratch_folder(output) as scratch:
        with models.quiet(slow=False), full_disk_named(output):
            lora.write(predictor.model, scratch, predictor.task.lora_saved, output)
            predictor.tokenizer.save_pretrained(scratch)
            write_json(scratch / "task.json", predictor.task.settled(predictor.model).to_dict())
            for weights in scratch.glob("*.safetensors"):
                weights.chmod((scratch / "task.json").stat().st_mode)  # safetensors lets the owner alone read them
            write_json(scratch / "recipe.json", recipe)
            write_json(scratch / "scores.json", scores or {})
            (scratch / "data_card.json").write_text(card.to_json(), encoding="utf-8")
            history.to_csv(scratch / "history.csv", index=False, lineterminator="\n")
            manifest.write(scratch)
        check_free(output)
        scratch.rename(output)
    return output


def add_scores(output: str | Path, task: Task, scores: dict) -> None:
    """Write the scores of a saved model, and the task's settings again, which may hold a threshold chosen since."""
    for name, content in (("task", task.to_dict()), ("scores", scores)):
        scratch = Path(output) / f"{name}.writing"
        try:
            write_json(scratch, content)
            manifest.replace(Path(output), f"{name}.json", scratch)
        finally:
            scratch.unlink(missing_ok=True)


def load(folder: str | Path) -> Predictor:
    """What `save` wrote into a folder, its model in evaluation mode.

    Raises InputError if `save` did not write the folder, and for what transformers would answer with without a word: a
    file that is missing or was changed since, an adapter that was put there afterwards, and in folders of earlier
    versions weights or a tokenizer that are missing, or other labels than the task's.
    """
    folder = Path(folder)
    manifest.check(folder)
    added = sorted(path.name for path in folder.glob("adapter_*"))
    try:
        task = registry.from_dict(json.loads((folder / "task.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"'{folder}' is not a model that helpers has saved ({error}); give its folder") from error
    except TypeError as error:  # of a setting that the task does not have, or not yet
        raise InputError(
            f"'{folder}' was saved by another version of helpers, as its task.json holds settings that this one does "
            f"not read ({error}); take the version that saved it, or train the model again"
        ) from error
    alone = task.lora_saved == "adapter" and not (folder / "config.json").exists()
    if added and not alone:
        raise InputError(f"'{folder}' holds {added[0]}, which no saved model of helpers has; move it elsewhere")
    with _readable(folder):
        with models.quiet(slow=False):
            model = lora.read(folder, task.auto_class, task.base_dtype) if alone else _plain_model(task, folder)
            tokenizer = read_tokenizer(folder)
        check_labels(folder, task, model.config)
        task.restore(model, folder)  # what plain `from_pretrained` leaves out
        _check_fit(folder, model, tokenizer)
    return Predictor(task, model.eval(), tokenizer)


# What transformers raises for a configuration, weights or a tokenizer that do not belong together.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, SafetensorError)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """While this lasts, files of a model that do not belong together are one sentence."""
    try:
        yield
    except InputError:
        raise
    except _UNREADABLE as error:
        if isinstance(error, torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and "size" not in str(error)):
            raise
        kind = "" if isinstance(error, OSError | ValueError | SafetensorError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())[:300]
        raise InputError(f"the model in '{folder}' cannot be read ({reason}); train it again") from error


def _check_fit(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """InputError for weights that are no numbers, and for a tokenizer with tokens that the model does not have."""
    if name := next((name for name, weight in model.named_parameters() if not torch.isfinite(weight).all()), None):
        raise InputError(
            f"the weights '{name}' in '{folder}' are not all finite, so that it has no answers; train again"
        )
    if not isinstance(tokenizer.model_max_length, int | float):
        raise ValueError(f"the tokenizer's model_max_length is {tokenizer.model_max_length!r} and no number")
    vectors, largest = model.get_input_embeddings().weight.shape[0], max(tokenizer.get_vocab().values(), default=-1)
    if largest >= vectors:
        raise InputError(
            f"the tokenizer in '{folder}' has the token {largest}, and its model {vectors} embeddings, counted from 0; "
            "bring the file back that was changed, or train again"
        )


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder; InputError if one of its files is missing, for which transformers makes up another."""
    missing, tokenizer = next((name for name in TOKENIZER if not (folder / name).is_file()), None), None
    if missing != TOKENIZER[0]:
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # the library tokenizers has no class for what it cannot read
            if not missing:
                raise OSError(f"its tokenizer: {error}") from error
    # One that is not of the library tokenizers has other files, which it cannot do without.
    if missing and (tokenizer is None or tokenizer.is_fast):
        raise InputError(
            f"'{folder}' lacks {missing}, without which its model would read other tokens; bring that file back, or "
            "make the folder again"
        )
    return tokenizer


def check_labels(folder: Path, task: Task, config: PreTrainedConfig) -> None:
    """InputError if task.json and config.json of a folder name other labels, or have them in another order."""
    ours, theirs = task.configuration().get("id2label"), {int(i): name for i, name in config.id2label.items()}
    if ours is None or theirs == {i: f"LABEL_{i}" for i in ours}:  # as transformers names what nobody has named
        return
    for place in range(max(len(ours), len(theirs))):
        one, other = (f"'{names[place]}'" if place in names else "missing" for names in (ours, theirs))
        if one != other:
            raise InputError(
                f"label {place} is {one} in task.json of '{folder}' and {other} in its config.json; bring back the "
                "file that was changed, or make the folder again"
            )


def _plain_model(task: Task, folder: Path) -> PreTrainedModel:
    settings = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
    model, found = task.auto_class.from_pretrained(folder, output_loading_info=True, **settings)
    if missing := sorted(found["missing_keys"]) + sorted(str(key) for key in found["mismatched_keys"]):
        raise InputError(
            f"the weights in '{folder}' have no {missing[0]} that fits, which would be drawn at random; bring its own "
            "model.safetensors and config.json back"
        )
    return model


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """While this lasts, a disk that is full, or only to be read, is an OSError with the folder and the remedy."""
    try:
        yield
    except Exception as error:
        # What writes tokenizers raises no more special class than this.
        if not isinstance(error, SafetensorError | OSError) and type(error) is not Exception:
            raise
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
    scratch = partial(tempfile.TemporaryDirectory, prefix=f"{output.name}.saving-", dir=output.parent)
    with folders_above(output), _made(scratch, output) as folder:
        lock = FileLock(Path(folder) / LOCK)
        with suppress(NotImplementedError, OSError):  # where the file system knows none
            lock.acquire()
        yield Path(folder) / MODEL
        lock.release()


def _made(folder: Callable[[], AbstractContextManager], output: Path) -> AbstractContextManager:
    """A folder, or the sentence why there can be none."""
    with full_disk_named(output):
        return folder()


@contextmanager
def folders_above(path: Path) -> Iterator[None]:
    """While this lasts, the folders above a path exist; if it fails, those that were made for it go again if empty."""
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    with full_disk_named(path):
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def write_json(path: Path, content: dict) -> None:
    """Write what JSON can hold, and numbers that are not finite by their names."""
    text = json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """A value as JSON has it, which knows no infinity: a number that is not finite becomes its name, such as `inf`."""
    if is_dataclass(value):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
