"""Fine-tune a model for a task: one loop for a laptop, a GPU, or several processes.

`fit` knows no task by name. A task (`helpers.tasks`) says how rows become token ids, how a batch is padded, what the
loss of a batch is, and how predictions are scored; the loop does the rest on `accelerate`.

Two properties hold by construction and are tested:

- A step of `batch_rows` rows is the same step however it is cut into micro-batches and processes, because the loss of
  each piece is a sum that is divided by the supervised terms of the whole step (`eq-normalisation`).
- A run that was killed and resumed ends with the same bits as one that was not: the rows of each step and all its
  random draws are a function of the seed and the number of the step alone, so a checkpoint needs no random state.
"""

import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers import checkpoints
from helpers.allocator import keep_freed
from helpers.batching import length_batches, on_device, split_evenly
from helpers.dropout import Bits, cheap_dropout, dropout_rates
from helpers.errors import InputError, TrainingError
from helpers.progress import Progress
from helpers.recipe import Recipe

GB = 1e9


@dataclass(frozen=True)
class Run:
    """What a training run did.

    Attributes:
        history: one row a step: step (from 1), epoch, loss (mean over supervised terms), learning_rate,
            gradient_norm, rows, tokens (without padding), seconds since the start of training, and, at evaluations,
            `validation_<score>`.
        best: the history's row whose weights the model now has, or None without validation rows.
        seconds: spent on training steps, without validation and checkpoints.
        peak_memory_gb: of this process since it started, or of the GPU since training began.
        precision: fp32 or bf16.
    """

    model: PreTrainedModel
    history: pd.DataFrame
    best: dict | None
    seconds: float
    rows_per_second: float
    tokens_per_second: float
    peak_memory_gb: float
    precision: str
    processes: int
    recipe: Recipe


def fit(
    task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Dataset,
    validation: Dataset | None = None,
    recipe: Recipe | None = None,
    *,
    output: str | Path | None = None,
    resume: bool = False,
) -> Run:
    """Train `model` in place on the rows of `train`; with `validation`, end with the weights that scored best there.

    Args:
        task: an object of `helpers.tasks`, such as `Classification`.
        train, validation: rows as the task's `encode` takes them.
        output: where the caller will save the model. Checkpoints go to the folder `<output>.training` beside it,
            which `checkpoints.discard` removes.
        resume: go on from the newest checkpoint there.

    Raises InputError if there are no rows, or if a checkpoint does not fit the run; TrainingError if the loss is not
    finite, with the step and the rows, or if memory runs out. An interrupt (Ctrl-C, or SIGTERM) of any process ends
    the step in all of them, writes a checkpoint, and then raises KeyboardInterrupt.
    """
    if len(train) == 0:
        raise InputError("the training data hold no rows; give at least one")
    work = checkpoints.work_folder(output) if output else None
    loop = _Loop(task, model, tokenizer, train, validation, recipe or Recipe(), work)
    with torch.random.fork_rng(), _interruptible() as interrupt, loop.memory_told():
        return loop.run(resume, interrupt)


def native_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 matrices itself; where it does not, bf16 is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or sys.platform == "darwin":  # Apple's matrix unit is reached through fp32
        return False
    able = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch do not tell
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def peak_memory_gb(device: torch.device) -> float:
    """Largest memory so far, in 1e9 bytes: of the GPU if there is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GB


class _Loop:
    """The state of one run and its step; `run` is the loop itself."""

    def __init__(self, task, model, tokenizer, train, validation, recipe: Recipe, work: Path | None):
        self.task, self.recipe, self.work = task, recipe, work
        self.pad_id = tokenizer.pad_token_id
        train = task.encode(tokenizer, train)
        self.validation = None if validation is None else task.encode(tokenizer, validation)
        self.accelerator, self.precision = _accelerator(recipe)
        _check_reach(model, recipe)
        groups = parameter_groups(model, recipe, task.head, getattr(task, "learning_rates", {}))
        fused = self.accelerator.device.type in ("cpu", "cuda")
        optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=fused)
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.body = self.accelerator.unwrap_model(self.model)

        self.rows = train.to_list()
        lengths = [len(row["input_ids"]) for row in self.rows]
        self.lengths, self.terms = np.array(lengths), task.supervised(train)  # (N,), (N,)
        self.plan, self.evaluate_after = _plan(lengths, recipe)
        _check_terms(self.terms, self.plan)
        self.bits = Bits()
        self.step, self.seconds = 0, 0.0  # steps that are done, and the time they took
        self.history, self.best, self.best_weights = [], None, None

    def run(self, resume: bool, interrupt: threading.Event) -> Run:
        if self.work:
            self._open_work(resume)
        elif resume:
            raise InputError("resume needs the output folder of the run that is to go on")
        rows = sum(len(rows) for _, rows in self.plan)
        done = sum(len(rows) for _, rows in self.plan[: self.step])
        with self._training_mode(), Progress(rows, done, shown=self.accelerator.is_main_process) as progress:
            while self.step < len(self.plan) and not self._out_of_patience():
                progress.update(self._one_step())
                if self.step in self.evaluate_after and self.validation is not None:
                    progress.note(self._evaluate())
                stop = self._any_interrupted(interrupt)
                if self.work and (stop or self.step % self.recipe.checkpoint_steps == 0):
                    self._save()
                if stop:
                    raise KeyboardInterrupt
        if self.best_weights is not None:
            self._load_weights(self.best_weights)
        return self._result()

    @contextmanager
    def memory_told(self) -> Iterator[None]:
        """While this lasts, memory that runs out is a TrainingError with the step and the remedy."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            recipe = self.recipe
            raise TrainingError(
                f"memory ran out in step {self.step + 1} of {len(self.plan)}, with up to {recipe.batch_tokens:,} "
                f"tokens in {recipe.accumulate} pieces and rows of up to {self.lengths.max():,} tokens; lower "
                "batch_tokens or batch_rows, raise accumulate, or give the task a smaller max_length"
            ) from error

    def _one_step(self) -> dict:
        """Forward, backward and update on the rows of one step; returns its row of the history."""
        began = time.perf_counter()
        epoch, rows = self.plan[self.step]
        self._seed_step()
        share = self.recipe.learning_rate_at(self.step, len(self.plan))
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
        # The outermost autocast drops the bf16 copies of the weights where it ends. Inside this one, which itself casts
        # nothing, the pieces of a step share them.
        with torch.autocast(self.accelerator.device.type, enabled=False):
            loss = self._backward(rows)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip).item()
        if not np.isfinite(loss) or not np.isfinite(norm):
            raise TrainingError(
                f"the loss of step {self.step + 1} is {loss:g} and its gradient norm {norm:g} "
                f"(rows {_listed(rows)} of the training data); lower the learning rate of "
                f"{self.recipe.learning_rate:g} or look at these rows"
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.seconds += time.perf_counter() - began
        entry = {"step": self.step, "epoch": epoch + 1, "loss": loss, "learning_rate": share * self.peaks[0]}
        entry |= {"gradient_norm": norm, "rows": len(rows), "tokens": int(self.lengths[rows].sum())}
        self.history.append(entry | {"seconds": self.seconds})
        return self.history[-1]

    def _backward(self, rows: list[int]) -> float:
        """Gradients of the mean loss over all supervised terms of the step; returns that mean.

        `accelerate` averages gradients over processes, so each piece is weighted by their number.
        """
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        total = self.terms[rows].sum()
        pieces = split_evenly(rows, self.recipe.accumulate * world)[rank::world]
        pieces = [piece for piece in pieces if len(piece)]
        weight = world / total if pieces else 0.0
        pieces = pieces or [rows[:1]]  # a process without rows still takes part in the averaging, with weight 0
        value = torch.zeros((), device=self.accelerator.device)
        for number, piece in enumerate(pieces, start=1):
            batch = self.task.collate([self.rows[i] for i in piece], self.pad_id)
            batch = on_device(batch, self.accelerator.device)
            with ExitStack() as stack:
                if number < len(pieces):
                    stack.enter_context(self.accelerator.no_sync(self.model))
                loss = self.task.loss(self.model, batch) * weight
                self.accelerator.backward(loss)
            value += loss.detach()
        return (self.accelerator.reduce(value, "sum") / world).item()

    def _seed_step(self) -> None:
        """Make every random draw of this step a function of seed, step and process."""
        key = [self.recipe.seed, self.step, self.accelerator.process_index]
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
        self.bits.seed(key)

    def _evaluate(self) -> dict:
        """Score the validation rows, write the scores into the history, and keep the weights if they are the best."""
        predictions = self.task.predict(self.body, self.validation, pad_id=self.pad_id)
        scores = self.task.score(predictions, self.task.references(self.validation))
        self.history[-1] |= {f"validation_{name}": value for name, value in scores.items()}
        key = f"validation_{self.task.selection}"
        if self.best is None or self.history[-1][key] > self.best[key]:
            self.best = dict(self.history[-1])
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in self._weights().items()}
        return scores

    def _any_interrupted(self, interrupt: threading.Event) -> bool:
        """Whether any process was interrupted: all must stop after the same step, or one would wait for the others."""
        if self.accelerator.num_processes == 1:
            return interrupt.is_set()
        seen = torch.tensor(float(interrupt.is_set()), device=self.accelerator.device)
        return self.accelerator.reduce(seen, "sum").item() > 0

    def _out_of_patience(self) -> bool:
        if self.recipe.patience is None or self.best is None:
            return False
        since = sum(f"validation_{self.task.selection}" in row for row in self.history[self.best["step"] :])
        return since >= self.recipe.patience

    def _weights(self) -> dict[str, Tensor]:
        """Parameters that train and buffers, by name; those that do not train are as they were at the start."""
        named = {name: tensor for name, tensor in self.body.named_parameters() if tensor.requires_grad}
        return named | dict(self.body.named_buffers())

    def _load_weights(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self._weights().items():
                tensor.copy_(weights[name])

    def _open_work(self, resume: bool) -> None:
        """Start an empty folder for checkpoints, or go on from the newest one in it."""
        if not resume:
            checkpoints.start(self.work)
            return
        state = checkpoints.load(self.work, self._identity)
        self._load_weights(state.weights)
        optimizer = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state.optimizer, "param_groups": optimizer["param_groups"]})
        self.step, self.seconds = state.step, state.seconds
        self.history, self.best, self.best_weights = state.history, state.best, state.best_weights

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            optimizer = self.optimizer.state_dict()["state"]
            state = checkpoints.State(
                self.step, self.seconds, self.history, self.best, self._weights(), optimizer, self.best_weights
            )
            checkpoints.save(self.work, state, self._identity)
        self.accelerator.wait_for_everyone()

    @cached_property
    def _identity(self) -> dict:
        """What must be the same for a run to go on from a checkpoint."""
        rows = checkpoints.digest(repr([self.rows, self.validation and self.validation.to_list()]))
        processes = self.accelerator.num_processes
        task = f"{self.task.name} {asdict(self.task)}"
        about = {"task": task, "model": self._model_digest(), "rows": rows}
        return {**self.recipe.to_dict(), "precision": self.precision, "processes": processes, **about}

    def _model_digest(self) -> str:
        """Names and shapes of all weights, and the beginnings of those that do not train."""
        named = self.body.named_parameters()
        seen = [
            (name, tuple(tensor.shape), [] if tensor.requires_grad else tensor.detach().flatten()[:16].tolist())
            for name, tensor in named
        ]
        return checkpoints.digest(repr(seen))

    @contextmanager
    def _training_mode(self) -> Iterator[None]:
        """Training mode, the recipe's dropout, and the fast paths of task and device, undone at the end."""
        with ExitStack() as stack:
            stack.enter_context(dropout_rates(self.body, self.recipe.dropout, self.recipe.attention_dropout))
            self.body.train()
            stack.enter_context(cheap_dropout(self.body, self.bits))
            stack.enter_context(self.task.fast_path(self.body))
            if self.accelerator.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.accelerator.device)
            elif self.accelerator.device.type == "cpu":
                keep_freed()
            yield
        self.body.eval()

    def _result(self) -> Run:
        history = pd.DataFrame(self.history)
        model = self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        return Run(
            model=model,
            history=history,
            best=self.best,
            seconds=self.seconds,
            rows_per_second=history["rows"].sum() / self.seconds,
            tokens_per_second=history["tokens"].sum() / self.seconds,
            peak_memory_gb=peak_memory_gb(self.accelerator.device),
            precision=self.precision,
            processes=self.accelerator.num_processes,
            recipe=self.recipe,
        )


def parameter_groups(
    model: nn.Module, recipe: Recipe, head: tuple[str, ...], rates: Mapping[str, float] | None = None
) -> list[dict]:
    """Freeze what the recipe does not train, and sort the rest by learning rate and weight decay.

    Args:
        head: name prefixes of the new layers.
        rates: peak step sizes of parameters that a task lets learn at their own pace, by name prefix.

    Raises InputError if the recipe asks for more layers than the model has or for a head where there is none, and if
    weights to be trained are not in float32.
    """
    if hasattr(model, "peft_config") and recipe.trainable != "all":
        raise InputError(
            f"trainable {recipe.trainable} of the recipe has no meaning with LoRA, where its matrices alone train; "
            "leave it at all, or leave LoRA out"
        )
    trained = _trained_prefixes(model, recipe.trainable, head)
    groups: dict[tuple, list] = {}
    for name, parameter in model.named_parameters():
        if not hasattr(model, "peft_config"):  # adapters have chosen what trains
            parameter.requires_grad_(trained is None or name.startswith(trained))
        if parameter.requires_grad:
            _check_precision(name, parameter)
            own = [rate for prefix, rate in (rates or {}).items() if name.startswith(prefix)]
            rate = own[0] if own else recipe.head_learning_rate if name.startswith(head) else None
            # Biases and norms are vectors; decaying them pulls activations to zero and helps nothing.
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate or recipe.learning_rate, decay), []).append(parameter)
    if not groups:
        raise InputError(f"trainable {recipe.trainable} of the recipe leaves nothing to train in this model; take all")
    return [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]


def _check_reach(model: nn.Module, recipe: Recipe) -> None:
    """InputError if the recipe sets what it cannot set in both stacks of an encoder-decoder."""
    names = [name for name in ("dropout", "attention_dropout") if getattr(recipe, name) is not None]
    names += ["trainable"] if recipe.trainable != "all" else []
    if names and getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise InputError(f"{names[0]} of the recipe does not reach both stacks of an encoder-decoder; leave it out")


def _check_precision(name: str, parameter: Tensor) -> None:
    if parameter.dtype != torch.float32:  # bf16 has 8 bits: most of AdamW's updates are smaller than its rounding
        raise InputError(
            f"the weights of '{name}' are {parameter.dtype}, in which small updates are lost; convert the model with "
            "model.float() and let precision='bf16' choose how products are computed"
        )


def _check_terms(terms: np.ndarray, plan: list[tuple[int, list[int]]]) -> None:
    """InputError if a step would divide by zero because none of its rows has anything that counts."""
    for _, rows in plan:
        if terms[rows].sum() == 0:
            raise InputError(
                f"nothing in the rows {_listed(rows)} of the training data adds to the loss; they must hold labels, or "
                "completions"
            )


def _trained_prefixes(model: nn.Module, trainable: str | int, head: tuple[str, ...]) -> tuple[str, ...] | None:
    if trainable == "all":
        return None
    if trainable == "head":
        return head
    layers = next(name for name, child in model.named_modules() if isinstance(child, nn.ModuleList))
    count = len(model.get_submodule(layers))
    if trainable > count:
        raise InputError(f"trainable {trainable} of the recipe is more than the model's {count} layers; lower it")
    return (*head, *(f"{layers}.{i}." for i in range(count - trainable, count)))


def _accelerator(recipe: Recipe) -> tuple[Accelerator, str]:
    """A fresh accelerator and the precision that it computes in."""
    AcceleratorState._reset_state()  # it is one for the whole process and else keeps the last run's precision
    device = Accelerator().device
    precision = recipe.precision
    if precision == "auto":
        precision = "bf16" if native_bf16(device) else "fp32"
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no"), precision


def _plan(lengths: list[int], recipe: Recipe) -> tuple[list[tuple[int, list[int]]], set[int]]:
    """The epoch and rows of every step, and the numbers of the steps after which validation is scored."""
    plan, evaluate_after = [], set()
    for epoch in range(recipe.epochs):
        batches = length_batches(
            lengths, batch_rows=recipe.batch_rows, batch_tokens=recipe.batch_tokens, seed=recipe.seed, epoch=epoch
        )
        parts = recipe.evaluations
        evaluate_after |= {len(plan) + max(1, len(batches) * part // parts) for part in range(1, parts + 1)}
        plan += [(epoch, batch) for batch in batches]
    return plan, evaluate_after


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
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
    """Whether an error says that the memory of a GPU, or of this computer, is used up."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _listed(rows: list[int], most: int = 8) -> str:
    shown = ", ".join(str(row + 1) for row in sorted(rows)[:most])
    return shown + (", ..." if len(rows) > most else "")
