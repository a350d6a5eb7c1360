"""Processor, memory and signals: what a run uses of its machine."""

import atexit
import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import GradientAccumulationPlugin

from helpers.errors import InputError
from helpers.models.inference import native_bf16
from helpers.training.recipe import Recipe

GB = 1e9


def peak_memory_gb(device: torch.device) -> float:
    """Largest memory so far, in 1e9 bytes: of the GPU if there is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GB


def give_back_memory() -> None:
    """Give the memory of freed tensors back to the system, which the C library of Linux keeps for what comes next."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def accelerator(recipe: Recipe, precision: str | None = None) -> tuple[Accelerator, str]:
    """A fresh accelerator and the precision that it computes in: that of the recipe unless another is given.

    A run inherits nothing: accelerate keeps its state for the whole process, where another loop that ended between two
    updates would leave `step` without effect, and it reads variables that would divide all gradients.
    """
    with _own_environment(), _processes_part_at_exit():
        device = _accelerator("no").device
        precision = precision or recipe.precision
        if precision == "auto":
            precision = "bf16" if native_bf16(device) else "fp32"
        return _accelerator("bf16" if precision == "bf16" else "no"), precision


def _accelerator(mixed_precision: str) -> Accelerator:
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    one_step = GradientAccumulationPlugin(num_steps=1)  # pieces of a step are added up by the loop itself
    return Accelerator(mixed_precision=mixed_precision, gradient_accumulation_plugin=one_step)


@contextmanager
def _own_environment() -> Iterator[None]:
    """While this lasts, accelerate sees no variable of its own but which processor to use."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("ACCELERATE_")}
    for name in ("ACCELERATE_USE_CPU", "ACCELERATE_TORCH_DEVICE"):
        hidden.pop(name, None)
    for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM"):
        if hidden.get(name, "false").lower() in ("1", "true"):
            raise InputError(f"{name} is set, and a run keeps whole copies of the model; start it with torchrun alone")
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def _processes_part_at_exit() -> Iterator[None]:
    """A process group that is opened while this lasts is closed when the process ends, in whatever way.

    Left open, its threads may abort a process that has done its work; closed, it tells the other processes at once
    that they wait in vain.
    """
    before = dist.is_available() and dist.is_initialized()
    yield
    if dist.is_available() and dist.is_initialized() and not before:
        atexit.register(_close_group)


def _close_group() -> None:
    if dist.is_initialized():  # unless somebody has closed it
        dist.destroy_process_group()


def launched() -> bool:
    """Whether torchrun or `accelerate launch` has started this process."""
    return any(name in os.environ for name in ("TORCHELASTIC_RUN_ID", "ACCELERATE_MIXED_PRECISION"))


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """While this lasts, Ctrl-C sets the event, so that a step is never left half done; a second one stops at once.

    So does SIGTERM, with which batch systems and torchrun end a process, unless something else handles it.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGTERM] != signal.SIG_DFL:
        del before[signal.SIGTERM]

    def note(number, frame):
        signal.signal(number, before[number])
        event.set()

    for number in before:
        signal.signal(number, note)
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def out_of_memory(error: Exception) -> bool:
    """Whether an error means that the memory of the GPU, or of this computer, is exhausted."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h


def keep_freed() -> bool:
    """Have the C library keep freed memory up to the end of the process; returns whether it accepts that.

    glibc gives large blocks back to the system as soon as they are free. A training step takes the same blocks as the
    step before, and would get each page of them again, zeroed. Only glibc has this setting (`man 3 mallopt`); elsewhere
    nothing changes. The peak of memory is as before, but what lies between two peaks is not given back.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    never, above = -1, 1 << 30
    return bool(mallopt(_TRIM_THRESHOLD, never)) and bool(mallopt(_MMAP_THRESHOLD, above))


def any_interrupted(machine: Accelerator, interrupt: threading.Event) -> bool:
    """Whether any process was interrupted."""
    if machine.num_processes == 1:
        return interrupt.is_set()
    seen = torch.tensor(float(interrupt.is_set()), device=machine.device)
    return machine.reduce(seen, "sum").item() > 0
