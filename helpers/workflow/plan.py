"""What a run is expected to take, told before its first step: steps, minutes, and the peak of memory.

Time and activations are measured, by a few steps that change nothing, and what comes later is added: AdamW's two
moments of each weight that trains, and the copy of the best weights where it is kept in memory.
"""

import time
from dataclasses import dataclass

import psutil
import torch

from helpers.data.batching import pieces
from helpers.training.checkpoints import State
from helpers.training.device import GB, peak_memory_gb
from helpers.training.job import Job, backward, memory_errors, training_mode

# Of the time of a training step, what a forward pass without gradients takes.
FORWARD = 1 / 3
SHARES = (0.9, 0.7, 0.3, 0.1)  # of the steps by size: which ones lend a piece to the estimate of memory


@dataclass(frozen=True)
class Plan:
    """What a run is expected to take.

    Attributes:
        seconds: of all steps and evaluations.
        memory_gb: the peak, in 1e9 bytes, of the process or, where there is one, of the GPU.
        missing_gb: memory that the run needs beyond what it holds already, less what is free; above 0 it does not fit.
    """

    epochs: int
    rows: int
    steps: int
    seconds: float
    memory_gb: float
    missing_gb: float

    def sentences(self) -> list[str]:
        """The plan in words, and a warning if memory is short."""
        took = f"{self.seconds / 60:.0f} min" if self.seconds > 90 else f"{self.seconds:.0f} s"
        told = [
            f"training {self.epochs} epochs of {self.rows:,} rows in {self.steps:,} steps; expected are about {took} "
            f"and a peak of {self.memory_gb:.1f} GB of memory"
        ]
        if self.missing_gb > 0:
            told.append(
                f"about {self.missing_gb:.1f} GB of memory are missing for that; lower piece_tokens (--piece-tokens), "
                "keep fewer tokens of a row (--max-length), close other programs, or take a smaller model"
            )
        return told


def expected(job: Job) -> Plan:
    """What a prepared run is expected to take; all processes of a run call this together.

    What is computed for it changes nothing: gradients are dropped, and random states are as before.
    """
    sizes = [sum(len(part) * job.lengths[part].max() for part in _parts(job, rows)) for _, rows in job.plan]  # tokens
    with memory_errors(job, State()), training_mode(job), torch.random.fork_rng():
        held, per_token = _rehearsed(job, sizes)
        job.optimizer.zero_grad()
    trained = sum(weight.nbytes for weight in job.body.parameters() if weight.requires_grad) / GB
    more = (2 + (job.work is None and job.validation is not None)) * trained
    scored = sum(map(len, job.validation["input_ids"])) * len(job.evaluate_after) if job.validation is not None else 0
    return Plan(
        epochs=job.recipe.epochs,
        rows=len(job.rows),
        steps=len(job.plan),
        seconds=per_token * (sum(sizes) + FORWARD * scored),
        memory_gb=max(held + more, peak_memory_gb(job.accelerator.device)),
        missing_gb=more - _free_gb(job),
    )


def _rehearsed(job: Job, sizes: list[int]) -> tuple[float, float]:
    """Memory that is held after a few steps, in 1e9 bytes, and the seconds that a token takes.

    The step with the largest piece comes first. The C library keeps the blocks of each size that was ever asked for, so
    pieces of other sizes follow it. A step of median size gives the time.

    Args:
        sizes: tokens of each step of the plan, padding included.
    """
    largest = max(job.plan, key=lambda step: max(len(part) * job.lengths[part].max() for part in _parts(job, step[1])))
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    backward(job, largest[1])
    for share in SHARES:
        backward(job, _parts(job, job.plan[order[int(share * (len(order) - 1))]][1])[-1])
    median = order[len(order) // 2]
    began = time.perf_counter()
    backward(job, job.plan[median][1])
    seconds = time.perf_counter() - began
    return _held_gb(job), seconds / sizes[median]


def _parts(job: Job, rows: list[int]) -> list[list[int]]:
    return pieces(rows, job.lengths, job.recipe.piece_tokens)


def _held_gb(job: Job) -> float:
    """Memory after a step: what was freed within it counts as well, as it is kept for the next."""
    if job.accelerator.device.type == "cuda":
        return peak_memory_gb(job.accelerator.device)
    return psutil.Process().memory_info().rss / GB


def _free_gb(job: Job) -> float:
    if job.accelerator.device.type == "cuda":
        return torch.cuda.mem_get_info(job.accelerator.device)[0] / GB
    return psutil.virtual_memory().available / GB
