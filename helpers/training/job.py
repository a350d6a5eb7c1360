"""What is fixed while a run lasts, such as the prepared model and the plan of its steps; and what a step does."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import on_device, pieces, rows_at, split_evenly
from helpers.errors import InputError, TrainingError
from helpers.models.fast import RandomBits, cheap_dropout, dropout_rates
from helpers.tasks.base import Task
from helpers.training import checkpoints, sharding
from helpers.training.checkpoints import State
from helpers.training.device import keep_freed, out_of_memory
from helpers.training.recipe import Recipe


@dataclass
class Job:
    """One run: what it trains, on what, and how.

    Attributes:
        model: as accelerate prepared it.
        peaks: the highest learning rate of each group of the optimiser.
        recipe: with numbers for what the caller's left to the run.
        rows: encoded, N of them; `lengths` are their tokens and `terms` what each adds to the loss, shape (N,).
        plan: the epoch and the rows of every step, the shortest row first.
        evaluate_after: the numbers of the steps after which the validation rows are scored.
        work: the folder of checkpoints, if there is one.
        trainable: which parameters required a gradient before the run, by name.
        outline: of a model that is sharded, to be filled at the end; else None.
    """

    task: Task
    recipe: Recipe
    accelerator: Accelerator
    precision: str
    model: nn.Module
    optimizer: torch.optim.Optimizer
    peaks: list[float]
    rows: Dataset
    lengths: np.ndarray
    terms: np.ndarray
    plan: list[tuple[int, list[int]]]
    evaluate_after: set[int]
    validation: Dataset | None
    tokenizer: PreTrainedTokenizerBase
    work: Path | None
    trainable: dict[str, bool]
    outline: nn.Module | None = None
    bits: RandomBits = field(default_factory=RandomBits)

    @cached_property
    def body(self) -> PreTrainedModel:
        """The model without the wrapper of accelerate."""
        return self.accelerator.unwrap_model(self.model)

    def weights(self) -> dict[str, Tensor]:
        """Parameters that train and buffers, by name; those that do not train are as they were at the start.

        All processes of a sharded run call this together.
        """
        return {name: sharding.whole(tensor) for name, tensor in self._parts().items()}

    def _parts(self) -> dict[str, Tensor]:
        sharding.reshard(self.body)
        named = {name: tensor for name, tensor in self.body.named_parameters() if tensor.requires_grad}
        return named | dict(self.body.named_buffers())

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Set the weights that `weights` returned."""
        with torch.no_grad():
            for name, tensor in self._parts().items():
                tensor.copy_(sharding.part(weights[name], tensor))
        torch.clear_autocast_cache()

    def moments(self) -> dict[int, dict[str, Tensor]]:
        """AdamW's, by the number of the parameter; all processes of a sharded run call this together."""
        states = self.optimizer.state_dict()["state"]
        return {i: {key: sharding.whole(tensor) for key, tensor in own.items()} for i, own in states.items()}

    def load_moments(self, moments: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Set the moments that `moments` returned."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        state = {
            i: {key: sharding.part(tensor, parameters[i]) if tensor.ndim else tensor for key, tensor in own.items()}
            for i, own in moments.items()
        }
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def plain_model(self) -> PreTrainedModel:
        """The model as it was given, with the weights of today; all processes of a sharded run call this together."""
        if self.outline is None:
            return self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        sharding.reshard(self.body)
        weights = {name: sharding.whole(tensor) for name, tensor in self.body.named_parameters()}
        return sharding.whole_model(self.outline, weights)

    def restore_trainable(self) -> None:
        """Let those parameters require a gradient that did before the run, so that the next run can choose again."""
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(self.trainable[name])

    @cached_property
    def identity(self) -> dict:
        """What must be equal for a run to resume from a checkpoint."""
        rows = checkpoints.digest(_written_out(self.rows), _written_out(self.validation))
        task = asdict(self.task)
        if "lora_saved" in task:  # how a model is saved may be chosen anew: it trains alike
            task["lora_saved"] = Task.lora_saved
        about = {"task": f"{self.task.name} {task}", "model": self._model_digest(), "rows": rows}
        return {
            **self.recipe.to_dict(),
            "precision": self.precision,
            "processes": self.accelerator.num_processes,
            **about,
        }

    def _model_digest(self) -> str:
        """Configuration, names and shapes of all weights, and the beginnings of those that do not train."""
        seen = [
            (name, tuple(tensor.shape), [] if tensor.requires_grad else sharding.whole(tensor).flatten()[:16].tolist())
            for name, tensor in self.body.named_parameters()
        ]
        config = self.body.config.to_dict()
        for name in ("_name_or_path", "transformers_version"):  # where it lies, and who wrote it, change nothing
            config.pop(name, None)
        return checkpoints.digest([repr([config, *seen])])


@contextmanager
def training_mode(job: Job) -> Iterator[None]:
    """Training mode, the recipe's dropout, and the fast paths of task and device, undone at the end."""
    device = job.accelerator.device
    with ExitStack() as stack:
        stack.enter_context(dropout_rates(job.body, job.recipe.dropout, job.recipe.attention_dropout))
        job.body.train()
        stack.enter_context(cheap_dropout(job.body, job.bits))
        stack.enter_context(job.task.fast_path(job.body))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type == "cpu":
            keep_freed()
        yield
    job.body.eval()


def seed_step(job: Job, step: int) -> None:
    """Make every random draw of a step a function of seed, step and process."""
    key = [job.recipe.seed, step, job.accelerator.process_index]
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
    job.bits.seed(key)


def backward(job: Job, rows: list[int]) -> float:
    """Gradients of the mean loss over all terms of a step; returns that mean.

    `accelerate` averages gradients over processes, so each piece is weighted by their number.
    """
    machine = job.accelerator
    world = machine.num_processes
    own = split_evenly(rows, world)[machine.process_index]
    weight = world / job.terms[rows].sum() if own else 0.0
    parts = pieces(own or rows[:1], job.lengths, job.recipe.piece_tokens)  # all take part in the averaging
    value = torch.zeros((), device=machine.device)
    with _copies_of_a_step(machine.device.type):
        for number, piece in enumerate(parts, start=1):
            with ExitStack() as stack:
                if number < len(parts):
                    stack.enter_context(machine.no_sync(job.model))
                loss = job.task.loss(job.model, collated(job, piece)) * weight
                machine.backward(loss)
            value += loss.detach()
    return (machine.reduce(value, "sum") / world).item()


@contextmanager
def _copies_of_a_step(device: str) -> Iterator[None]:
    """While this lasts, the pieces of a step share the bf16 copies of the weights; no other copies are used.

    The outermost autocast drops the copies where it ends. That is this one, which itself casts nothing, unless the
    caller has opened another: then they would be kept, and every later step would compute with the first one's weights.
    """
    torch.clear_autocast_cache()
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        torch.clear_autocast_cache()


def collated(job: Job, rows: list[int]) -> dict[str, Tensor]:
    """Some of the rows as one batch on the device."""
    batch = job.task.collate(rows_at(job.rows, rows), job.tokenizer.pad_token_id)
    return on_device(batch, job.accelerator.device)


def check_finite(job: Job, step: int, rows: list[int], loss: float, norm: float) -> None:
    """TrainingError, with the step and its rows, if the loss or the gradient is not finite."""
    if not np.isfinite(loss) or not np.isfinite(norm):
        raise TrainingError(
            f"the loss of step {step + 1} is {loss:g} and its gradient norm {norm:g} "
            f"(rows {listed(rows)} of the training data); lower the learning rate of "
            f"{job.recipe.learning_rate:g} or look at these rows"
        )


def opened(job: Job, resume: bool) -> State:
    """Where the run begins: at the start, with an empty folder for checkpoints, or at the newest one in it."""
    if job.work is None:
        if resume:
            raise InputError("resume needs the output folder of the run that is to go on")
        return State()
    if not resume:
        checkpoints.start(job.work)
        return State()
    state, weights, moments = checkpoints.load(job.work, job.identity)
    job.load_weights(weights)
    job.load_moments(moments)
    return state


def save(job: Job, state: State) -> None:
    """Write a checkpoint, in the first process; the others wait."""
    content = job.weights(), job.moments(), job.identity
    if job.accelerator.is_main_process:
        checkpoints.save(job.work, state, *content)
    job.accelerator.wait_for_everyone()


def save_last(job: Job, state: State) -> None:
    """Write a checkpoint of a run whose steps are done, from which its model is saved if that fails now."""
    if job.work is None:
        return
    content = job.weights() if state.best is None else None, {}, job.identity
    done = checkpoints.newest(job.work)
    if job.accelerator.is_main_process and (done is None or int(done.name.removeprefix("step-")) < state.step):
        try:
            checkpoints.save(job.work, state, *content)
        except OSError as error:  # the model is in memory still, and may be saved elsewhere
            warnings.warn(f"the last checkpoint could not be written ({error}); save the model soon", stacklevel=2)
    job.accelerator.wait_for_everyone()


@contextmanager
def memory_errors(job: Job, state: State) -> Iterator[None]:
    """While this lasts, memory that runs out is a TrainingError with the step and the remedy."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            f"memory ran out in step {state.step + 1} of {len(job.plan)}, with pieces of {job.recipe.piece_tokens:,} "
            f"tokens and rows of up to {job.lengths.max():,} tokens; lower piece_tokens, give the task a smaller "
            "max_length, or take a smaller model"
        ) from error


def _written_out(rows: Dataset | None, at_once: int = 1000) -> Iterator[str]:
    """Rows as text, some at a time, so that they are never all in memory as objects."""
    for start in range(0, len(rows or ()), at_once):
        yield repr(rows.select(range(start, min(start + at_once, len(rows)))).to_list())
    yield "end of rows"


def listed(rows: list[int], most: int = 8) -> str:
    """The numbers of some rows, from 1, for a message."""
    numbers = ", ".join(str(row + 1) for row in sorted(rows)[:most])
    return numbers + (", ..." if len(rows) > most else "")
