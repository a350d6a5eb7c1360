"""What is fixed while a run lasts, such as the prepared model and the plan of its steps; and what a step does."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import length_batches, on_device, pieces, rows_at, split_evenly
from helpers.errors import InputError, TrainingError
from helpers.models import stored
from helpers.models.fast import RandomBits, cheap_dropout, check_dropout, dropout_rates
from helpers.tasks.base import Task, labelled_references
from helpers.training import checkpoints, probes
from helpers.training.checkpoints import State
from helpers.training.device import accelerator, keep_freed, out_of_memory
from helpers.training.optimizer import check_reach, new_parameters, parameter_groups
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
    bits: RandomBits = field(default_factory=RandomBits)

    @cached_property
    def body(self) -> PreTrainedModel:
        """The model without the wrapper of accelerate."""
        return self.accelerator.unwrap_model(self.model)

    def weights(self) -> dict[str, Tensor]:
        """Parameters that train and buffers, by name; those that do not train are as they were at the start."""
        named = {name: tensor for name, tensor in self.body.named_parameters() if tensor.requires_grad}
        return named | dict(self.body.named_buffers())

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Set the weights that `weights` returned."""
        with torch.no_grad():
            for name, tensor in self.weights().items():
                tensor.copy_(weights[name])

    def restore_trainable(self) -> None:
        """Let those parameters require a gradient that did before the run, so that the next run can choose again."""
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(self.trainable[name])

    @cached_property
    def identity(self) -> dict:
        """What must be equal for a run to resume from a checkpoint."""
        rows = checkpoints.digest(_written_out(self.rows), _written_out(self.validation))
        about = {"task": f"{self.task.name} {asdict(self.task)}", "model": self._model_digest(), "rows": rows}
        return {
            **self.recipe.to_dict(),
            "precision": self.precision,
            "processes": self.accelerator.num_processes,
            **about,
        }

    def _model_digest(self) -> str:
        """Configuration, names and shapes of all weights, and the beginnings of those that do not train."""
        seen = [
            (name, tuple(tensor.shape), [] if tensor.requires_grad else tensor.detach().flatten()[:16].tolist())
            for name, tensor in self.body.named_parameters()
        ]
        config = self.body.config.to_dict()
        for name in ("_name_or_path", "transformers_version"):  # where it lies, and who wrote it, change nothing
            config.pop(name, None)
        return checkpoints.digest([repr([config, *seen])])


def prepare(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Dataset,
    validation: Dataset | None,
    recipe: Recipe,
    work: Path | None,
) -> Job:
    """Encode the rows, plan the steps, and bring the model to its device; InputError for what cannot be trained."""
    encoded, validation = _encoded(task, model, tokenizer, train, validation)
    check_reach(model, recipe)
    check_dropout(model, recipe.dropout, recipe.attention_dropout)
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    machine, precision = accelerator(recipe)
    recipe = _resolved(recipe, len(encoded), model, machine)
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    plan, evaluate_after = _plan(lengths, recipe)
    terms = _loss_terms(task, encoded, plan)
    few = probes.few(encoded, lengths, terms)
    machine, precision = _proved(task, model, few, tokenizer.pad_token_id, recipe, machine, precision)
    model, optimizer, peaks = _on_device(machine, model, recipe, task)
    return Job(
        task=task,
        recipe=recipe,
        accelerator=machine,
        precision=precision,
        model=model,
        optimizer=optimizer,
        peaks=peaks,
        rows=encoded,
        lengths=lengths,
        terms=terms,
        plan=plan,
        evaluate_after=evaluate_after,
        validation=validation,
        tokenizer=tokenizer,
        work=work,
        trainable=trainable,
    )


def _proved(task: Task, model: PreTrainedModel, rows: list[dict], *of_the_run) -> tuple[Accelerator, str]:
    """As `probes.prove`; memory that runs out on a few rows is a TrainingError: no setting of the recipe helps."""
    try:
        return probes.prove(task, model, rows, *of_the_run)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        longest = max(len(row["input_ids"]) for row in rows)
        raise TrainingError(
            f"memory ran out before the first step, on two rows of up to {longest} tokens; take a smaller model, close "
            "other programs, or use a machine with more memory"
        ) from error


def _resolved(recipe: Recipe, rows: int, model: PreTrainedModel, machine: Accelerator) -> Recipe:
    lora = hasattr(model, "peft_config")
    return recipe.resolved(rows, stored.weight_count(model), lora=lora, device=machine.device.type)


def _loss_terms(task: Task, encoded: Dataset, plan: list[tuple[int, list[int]]]) -> np.ndarray:
    """What each row adds to the loss, (N,); InputError if a step would divide by zero because none of its rows adds."""
    try:
        terms = task.loss_terms(encoded)
    except InputError:
        raise
    except (KeyError, ValueError) as error:
        raise InputError(f"the training rows hold no labels ({error}); add them") from error
    for _, rows in plan:
        if terms[rows].sum() == 0:
            raise InputError(
                f"nothing in the rows {_listed(rows)} of the training data adds to the loss; they must hold labels, or "
                "completions"
            )
    return terms


def _encoded(
    task: Task, model: nn.Module, tokenizer: PreTrainedTokenizerBase, train: Dataset, validation: Dataset | None
) -> tuple[Dataset, Dataset | None]:
    """Rows as tokens; InputError if there are none, or if those for validation hold nothing to compare with."""
    if len(train) == 0:
        raise InputError("the training data hold no rows; give at least one")
    encoded = task.encode(tokenizer, train)
    _check_vocabulary(model, encoded)
    if validation is None:
        return encoded, None
    if len(validation) == 0:
        raise InputError("the validation data hold no rows; give at least one, or leave validation out")
    compared = task.encode(tokenizer, validation)
    labelled_references(task, compared)
    return encoded, compared


def _check_vocabulary(model: nn.Module, encoded: Dataset) -> None:
    """InputError if a row holds a token that the model has no embedding for, as when a tokenizer was given new ones."""
    embeddings = model.get_input_embeddings() if isinstance(model, PreTrainedModel | PeftModel) else None
    known = getattr(embeddings, "num_embeddings", None)
    if known is None:
        return
    for row, ids in enumerate(encoded["input_ids"], start=1):
        if ids and max(ids) >= known:
            raise InputError(
                f"row {row} of the training data holds token {max(ids)}, and the model has embeddings of {known:,} "
                "tokens; take the tokenizer of this model, or train all weights after resize_token_embeddings"
            )


def _on_device(machine: Accelerator, model: PreTrainedModel, recipe: Recipe, task: Task) -> tuple:
    """The model and its optimiser as accelerate prepares them, and the highest learning rate of each group."""
    groups = parameter_groups(model, recipe, new_parameters(model, task), task.learning_rates)
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=machine.device.type in ("cpu", "cuda"))
    peaks = [group["lr"] for group in optimizer.param_groups]
    return *machine.prepare(model, optimizer), peaks


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
    # The outermost autocast drops the bf16 copies of the weights where it ends. Inside this one, which itself casts
    # nothing, the pieces of a step share them.
    with torch.autocast(machine.device.type, enabled=False):
        for number, piece in enumerate(parts, start=1):
            with ExitStack() as stack:
                if number < len(parts):
                    stack.enter_context(machine.no_sync(job.model))
                loss = job.task.loss(job.model, collated(job, piece)) * weight
                machine.backward(loss)
            value += loss.detach()
    return (machine.reduce(value, "sum") / world).item()


def collated(job: Job, rows: list[int]) -> dict[str, Tensor]:
    """Some of the rows as one batch on the device."""
    batch = job.task.collate(rows_at(job.rows, rows), job.tokenizer.pad_token_id)
    return on_device(batch, job.accelerator.device)


def check_finite(job: Job, step: int, rows: list[int], loss: float, norm: float) -> None:
    """TrainingError, with the step and its rows, if the loss or the gradient is not finite."""
    if not np.isfinite(loss) or not np.isfinite(norm):
        raise TrainingError(
            f"the loss of step {step + 1} is {loss:g} and its gradient norm {norm:g} "
            f"(rows {_listed(rows)} of the training data); lower the learning rate of "
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
    groups = job.optimizer.state_dict()["param_groups"]
    job.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return state


def save(job: Job, state: State) -> None:
    """Write a checkpoint, in the first process; the others wait."""
    if job.accelerator.is_main_process:
        checkpoints.save(job.work, state, job.weights(), job.optimizer.state_dict()["state"], job.identity)
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


def _plan(lengths: np.ndarray, recipe: Recipe) -> tuple[list[tuple[int, list[int]]], set[int]]:
    """The epoch and rows of every step, and the numbers of the steps after which validation is scored."""
    plan, evaluate_after, parts = [], set(), recipe.evaluations
    for epoch in range(recipe.epochs):
        batches = length_batches(lengths, batch_rows=recipe.batch_rows, seed=recipe.seed, epoch=epoch)
        evaluate_after |= {len(plan) + max(1, len(batches) * part // parts) for part in range(1, parts + 1)}
        plan += [(epoch, batch) for batch in batches]
    return plan, evaluate_after


def _written_out(rows: Dataset | None, at_once: int = 1000) -> Iterator[str]:
    """Rows as text, some at a time, so that they are never all in memory as objects."""
    for start in range(0, len(rows or ()), at_once):
        yield repr(rows.select(range(start, min(start + at_once, len(rows)))).to_list())
    yield "end of rows"


def _listed(rows: list[int], most: int = 8) -> str:
    numbers = ", ".join(str(row + 1) for row in sorted(rows)[:most])
    return numbers + (", ..." if len(rows) > most else "")
