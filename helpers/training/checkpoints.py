"""Checkpoints of a training run: complete or absent, checked by hash, and without pickle.

They live in `<output>.training`, one folder `step-<n>` each, of which the newest is kept. A folder is filled under
another name and then renamed, so a run that is killed while it writes leaves the checkpoint before. The weights of the
best evaluation lie beside them rather than in memory, and each checkpoint holds a link to those of its time.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from helpers.errors import InputError
from helpers.progress import is_main_process
from helpers.saving.folder import folders_above, full_disk_named
from helpers.saving.manifest import digest as file_digest

Weights = dict[str, Tensor]
Moments = dict[int, dict[str, Tensor]]
TENSORS, BEST, STATE = "tensors.safetensors", "best.safetensors", "state.json"
WRITING, LOCK = "writing", "lock"
ROOM, ROOM_BYTES = "room", 1_000_000  # kept free from the start for the last checkpoint, which needs its state alone


@dataclass
class State:
    """The state of a run: its progress and its best evaluation so far. The loop updates it, a checkpoint keeps it.

    Attributes:
        step: steps that are done.
        seconds: spent on them, without validation and checkpoints.
        history: one row per step, as `Run.history` has them.
        best: the row of the best evaluation so far.
        best_weights: what the weights were then, by name; in a run with a folder they lie there instead (`save_best`).
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)
    best: dict | None = None
    best_weights: Weights | None = None


def work_folder(output: str | Path) -> Path:
    """The folder beside `output` in which an unfinished run keeps its checkpoints."""
    output = Path(output)
    return output.with_name(output.name + ".training")


def start(work: Path) -> None:
    """Make the folder of a new run; InputError if one that can go on is there."""
    if work.exists() and newest(work) is not None:
        raise InputError(f"'{work}' holds an unfinished run; resume it, or delete that folder to start anew")
    with full_disk_named(work):
        work.mkdir(parents=True, exist_ok=True)
        (work / ROOM).write_bytes(bytes(ROOM_BYTES))


@contextmanager
def alone(work: Path | None) -> Iterator[None]:
    """While this lasts, no other run trains into the same folder; it may be entered again in the same thread.

    Raises InputError if one does, or if the folder holds anything that no run has made: it would be in the way, and it
    is never deleted.
    """
    if work is None:
        yield
        return
    with folders_above(work), _alone(work):
        yield


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    lock, problem = _locked(work) if is_main_process() else (None, None)
    (problem,) = broadcast_object_list([problem])  # or the other processes would wait for the first
    if problem:
        raise InputError(problem)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
        if is_main_process() and not (lock and lock.is_locked):
            with suppress(OSError):
                (work / LOCK).unlink(missing_ok=True)
                if newest(work) is None and not (work / WRITING).exists():
                    _remove_best(work)
                work.rmdir()  # if the run has left no checkpoint


def _locked(work: Path) -> tuple[FileLock | None, str | None]:
    """The lock of a folder that is ours alone, None where the file system knows none; or what stands in the way."""
    strange = sorted(path.name for path in work.iterdir() if not _may_stand_beside(path)) if work.is_dir() else []
    if strange:
        return None, (
            f"'{work}', where checkpoints go, holds '{strange[0]}', which no run has made; move it away, or choose "
            "another output"
        )
    with full_disk_named(work):
        work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / LOCK, is_singleton=True)  # one that whoever saves afterwards can hold on to
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None, (
            f"another run trains into '{work}' now; wait for it, or choose another output (if there is none, delete "
            f"'{work / LOCK}')"
        )
    except (NotImplementedError, OSError):
        return None, None
    return lock, None


def newest(work: Path) -> Path | None:
    """The newest complete checkpoint, if there is one."""
    return max((folder for folder in work.glob("step-*") if (folder / STATE).is_file()), default=None)


def save(work: Path, state: State, weights: Weights | None, moments: Moments, identity: dict) -> None:
    """Write a checkpoint and then remove the ones before it.

    Args:
        weights: what trains, and buffers, by name. None are those of the best evaluation, with which a run ends: they
            lie in the folder already, so that this takes no room.
        moments: AdamW's, by the number of the parameter.
        identity: to which run it belongs.
    """
    folder, scratch = work / f"step-{state.step:09d}", work / WRITING
    shutil.rmtree(scratch, ignore_errors=True)
    with _resumption_named(work):
        scratch.mkdir(parents=True)
        _fill(scratch, state, weights, moments, identity)
    old = list(work.glob("step-*"))
    if folder not in old:
        scratch.rename(folder)
        for path in old:
            shutil.rmtree(path)


@contextmanager
def _resumption_named(work: Path) -> Iterator[None]:
    """While this lasts, a disk that is full is told with the step from which the run can go on."""
    try:
        with full_disk_named(work):
            yield
    except OSError as error:
        if (last := newest(work)) is None:
            raise
        step = int(last.name.removeprefix("step-"))
        raise OSError(f"{error}; here the same command with --resume goes on from step {step}") from error


def _fill(scratch: Path, state: State, weights: Weights | None, moments: Moments, identity: dict) -> None:
    about = {name: getattr(state, name) for name in ("step", "seconds", "history", "best")}
    about |= {"identity": identity, "sha256": None}
    if weights is not None:
        tensors = {f"weights.{name}": tensor for name, tensor in weights.items()}
        tensors |= {f"optimizer.{i}.{key}": tensor for i, own in moments.items() for key, tensor in own.items()}
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, scratch / TENSORS)
        about["sha256"] = file_digest(scratch / TENSORS)
    if state.best is not None:
        _linked(scratch.parent / BEST, scratch / BEST)
        about["best_sha256"] = file_digest(scratch / BEST)
    if weights is None:
        (scratch.parent / ROOM).unlink(missing_ok=True)
    (scratch / STATE).write_text(json.dumps(about | {"seal": _seal(about)}), encoding="utf-8")


def _seal(about: dict) -> str:
    """A digest of what a checkpoint says of itself."""
    return digest([json.dumps(json.loads(json.dumps(about)), sort_keys=True)])


def check_processes(work: Path | None, processes: int) -> None:
    """InputError if the newest checkpoint is of several processes and the run of one, which cannot go on with it.

    Only that is said then, and not what else follows from it.
    """
    folder, before = None if work is None else newest(work), 1
    if folder is not None:
        with suppress(OSError, ValueError, LookupError, TypeError):  # whoever reads it whole tells what is wrong
            before = json.loads((folder / STATE).read_text(encoding="utf-8"))["identity"]["processes"]
    if processes == 1 < before:
        raise InputError(
            f"the checkpoint '{folder}' is of {before} processes; start as many with torchrun --nproc-per-node "
            f"{before} -m helpers train and the same options, or delete '{work}' to start anew"
        )


def load(work: Path, identity: dict) -> tuple[State, Weights, Moments]:
    """The newest checkpoint: the state, the weights, and AdamW's moments.

    Raises InputError if there is none, if its hash or form is wrong, or if it belongs to a run with another recipe
    or other rows; it is left as it is.
    """
    folder = newest(work)
    if folder is None:
        raise InputError(f"'{work}' holds no checkpoint to resume from; start the run without resuming")
    about = _read_state(folder)
    for name, value in identity.items():
        if about["identity"].get(name) != value:
            raise InputError(
                f"the checkpoint '{folder}' was made with {name} {about['identity'].get(name)!r}, not {value!r}; "
                f"use the same settings and data, or delete '{work}' to start anew"
            )
    groups: dict[str, dict] = {"weights": {}, "optimizer": {}}
    for name, tensor in (load_file(folder / TENSORS) if about["sha256"] else {}).items():
        group, rest = name.split(".", 1)
        groups[group][rest] = tensor
    if about["sha256"] is None:
        groups["weights"] = load_file(folder / BEST)
    state = State(about["step"], about["seconds"], about["history"], about["best"])
    if state.best is not None and is_main_process():
        _linked(folder / BEST, work / BEST)
    return state, groups["weights"], _nested(groups["optimizer"])


def save_best(work: Path, weights: Weights) -> None:
    """Write the weights of the best evaluation into the folder of a run, in place of those before."""
    scratch = work / f"{BEST}.{WRITING}"
    with full_disk_named(work):
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, scratch)
    scratch.replace(work / BEST)


@contextmanager
def best(work: Path) -> Iterator[Mapping[str, Tensor]]:
    """What `save_best` wrote, of which one weight at a time is in memory."""
    with safe_open(work / BEST, "pt") as stream:
        yield _Opened(stream)


class _Opened(Mapping):
    """The tensors of an open file by name, each read when it is asked for."""

    def __init__(self, stream):
        self.stream = stream

    def __getitem__(self, name: str) -> Tensor:
        return self.stream.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stream.keys())

    def __len__(self) -> int:
        return len(self.stream.keys())


@contextmanager
def kept_if_not_saved(output: str | Path) -> Iterator[None]:
    """While this lasts, a model that cannot be saved is told with what its run has kept, and how it is saved then."""
    work = work_folder(output)
    try:
        yield
    except (InputError, OSError) as error:
        if newest(work) is None:
            raise type(error)(f"{error}; no file keeps the training") from error
        searched = work.with_name(f"{Path(output).name}.tuning")
        also = f", and '{searched}' NAME.tuning" if searched.exists() else ""
        raise type(error)(
            f"{error}; the training is kept: the same command with --resume (from Python resume=True) only saves it, "
            f"and does so to another output NAME once '{work}' is called NAME.training{also}"
        ) from error


def discard(output: str | Path) -> None:
    """Remove the checkpoints of a run whose model has been saved, and their folder if it holds nothing else."""
    work = work_folder(output)
    for path in list(work.glob("*")):
        if path.is_dir() and _is_own(path):
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        _remove_best(work)
        (work / LOCK).unlink(missing_ok=True)
        work.rmdir()


def _may_stand_beside(path: Path) -> bool:
    """Whether a file is a run's, or one that a file browser or a network leaves anywhere."""
    return _is_own(path) or path.name.startswith(".")


def _is_own(path: Path) -> bool:
    """Whether a run has made this file or folder."""
    return path.name in (WRITING, LOCK, ROOM, BEST, f"{BEST}.{WRITING}") or bool(re.fullmatch(r"step-\d{9}", path.name))


def digest(*texts: Iterable[str]) -> str:
    """The first 16 hexadecimal digits of the sha256 of some texts, one after the other."""
    seen = hashlib.sha256()
    for text in chain(*texts):
        seen.update(text.encode("utf-8", "surrogatepass"))
    return seen.hexdigest()[:16]


def _linked(source: Path, target: Path) -> None:
    """Give a file a second name, in place of what has that name; where links are unknown, a copy."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except (NotImplementedError, OSError):
        shutil.copyfile(source, target)


def _remove_best(work: Path) -> None:
    for name in (BEST, f"{BEST}.{WRITING}", ROOM):
        (work / name).unlink(missing_ok=True)


def _read_state(folder: Path) -> dict:
    remedy = f"delete '{folder.parent}' to start anew"
    try:
        about = json.loads((folder / STATE).read_text(encoding="utf-8"))
        seal = about.pop("seal", None)  # checkpoints of earlier versions have none
        if seal is not None and seal != _seal(about):
            raise ValueError(f"{STATE} was changed")
        named = {TENSORS: "sha256"} if about["sha256"] else {}
        named |= {BEST: "best_sha256"} if about["best"] is not None else {}
        damaged = [name for name, key in named.items() if about[key] != file_digest(folder / name)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the checkpoint '{folder}' cannot be read ({error}); {remedy}") from error
    if damaged:
        raise InputError(f"the checkpoint '{folder}' is damaged: the sha256 of {damaged[0]} is wrong; {remedy}")
    return about


def _nested(flat: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """`{"3.exp_avg": t}` to `{3: {"exp_avg": t}}`, as an optimiser's state is laid out."""
    nested: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        index, key = name.split(".", 1)
        nested.setdefault(int(index), {})[key] = tensor
    return nested
