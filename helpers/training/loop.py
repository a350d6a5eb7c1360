"""Fine-tune a model for a task: one loop for a laptop, a GPU, or several processes.

`fit` knows no task by name. A task (`helpers.tasks.base`) says how rows become token ids, how a batch is padded, what
the loss of a batch is, and how predictions are scored; the loop does the rest on `accelerate`.

Two properties hold by construction and are tested:

- A step of `batch_rows` rows is the same step however it is cut into pieces and processes, because the loss of each
  piece is a sum that is divided by the supervised terms of the whole step (`eq-normalisation`).
- A run that was killed and resumed ends with the same bits as an unbroken one: the rows of each step and all its
  random draws are a function of the seed and the number of the step alone, so a checkpoint needs no random state.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers import saving
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.progress import Progress
from helpers.tasks.base import Predictor, Task
from helpers.training import checkpoints, job, preparation
from helpers.training.checkpoints import State
from helpers.training.device import any_interrupted, interruptible, peak_memory_gb
from helpers.training.job import Job
from helpers.training.recipe import Recipe
from helpers.training.validation import evaluate, load_best, out_of_patience

_RUNNING = threading.RLock()  # held by the thread that trains


def ladder_rows(ladder: pd.DataFrame) -> list[dict]:
    """A ladder as `scores.json` holds it."""
    return ladder.reset_index().to_dict("records")


@dataclass(frozen=True)
class Run(Predictor):
    """What a training run did, with the model that came out of it, its task and its tokenizer.

    Attributes:
        history: one row per step: step (from 1), epoch, loss (mean over supervised terms), learning_rate,
            gradient_norm, rows, tokens (without padding), seconds since the start of training, and, at evaluations,
            `validation_<score>`.
        best: the history's row whose weights the model now has, or None without validation rows. Its scores were
            computed in `precision`; `predict` computes in fp32, so the last digits may differ.
        seconds: spent on training steps, without validation and checkpoints.
        peak_memory_gb: of this process since it started, or of the GPU since training began.
        precision: fp32 or bf16.
        recipe: with the numbers that the run took where the caller's left them open.
        ladder: where `finetune` scored it, the test scores of this model and of its baselines with intervals.
        scores: where `finetune` scored it, this model's test scores by name.
        signs: what `finetune` found of rows that cannot be read, or of a run that has not learnt; a sentence each.
    """

    history: pd.DataFrame
    best: dict | None
    seconds: float
    rows_per_second: float
    tokens_per_second: float
    peak_memory_gb: float
    precision: str
    processes: int
    recipe: Recipe
    ladder: pd.DataFrame | None = None
    scores: dict | None = None
    signs: tuple[str, ...] = ()

    def save(self, folder: str | Path, card: DataCard) -> Path:
        """Write the model to a new folder, which `helpers.load` opens, and remove the checkpoints of its run.

        Args:
            card: of the data that it was trained on.

        Raises as `saving.save` does, and tells then where the run is kept, if it has checkpoints beside that folder.
        """
        scores = (self.scores or {}) | ({} if self.ladder is None else {"ladder": ladder_rows(self.ladder)})
        scores |= {"signs": list(self.signs)} if self.signs else {}
        about = {"recipe": self.recipe.to_dict(), "history": self.history, "card": card, "scores": scores}
        with checkpoints.kept_if_not_saved(folder):
            path = saving.save(folder, self, **about)
        checkpoints.discard(folder)
        return path


def fit(
    task: Task,
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
        task: such as `Classification`.
        train, validation: rows as the task's `encode` takes them.
        output: where the caller will save the model. Checkpoints go to the folder `<output>.training` beside it,
            which `checkpoints.discard` removes.
        resume: go on from the newest checkpoint there.

    Raises InputError if there are no rows, if a checkpoint does not fit the run, if another run has the same output, or
    if another thread is training; TrainingError if the loss is not finite, with the step and the rows, or if memory
    runs out. An interrupt (Ctrl-C, or SIGTERM) of any process ends the step in all of them, writes a checkpoint, and
    then raises KeyboardInterrupt.
    """
    work = checkpoints.work_folder(output) if output else None
    with _only_one():
        run = preparation.prepare(task, model, tokenizer, train, validation, recipe or Recipe(), work)
        return carry_out(run, resume=resume)


def carry_out(
    run: Job,
    *,
    resume: bool = False,
    note: Callable[[str], None] | None = None,
    follow: Callable[[dict], None] | None = None,
) -> Run:
    """Train as `preparation.prepare` has prepared it, and as `fit` says.

    `note` is told the scores of each evaluation; `follow` is given the numbers of each step and these scores.
    """
    try:
        with _only_one(), checkpoints.alone(run.work), torch.random.fork_rng(), interruptible() as interrupt:
            state = job.opened(run, resume)
            with job.memory_errors(run, state):
                _train(run, state, interrupt, _progress(run, state, note, follow))
            job.save_last(run, state)
    finally:
        run.restore_trainable()
    return _result(run, state)


@contextmanager
def _only_one() -> Iterator[None]:
    """While this lasts, no other thread trains: both would draw from torch's one generator, so that neither repeats."""
    if not _RUNNING.acquire(blocking=False):
        raise InputError("another thread of this process is training; wait for its end, or train in another process")
    try:
        yield
    finally:
        _RUNNING.release()


def _progress(run: Job, state: State, note: Callable | None, follow: Callable | None) -> Progress:
    rows_of, shown = [len(rows) for _, rows in run.plan], run.accelerator.is_main_process
    return Progress(sum(rows_of), sum(rows_of[: state.step]), shown=shown, told=note, followed=follow)


def _train(run: Job, state: State, interrupt: threading.Event, progress: Progress) -> None:
    """The loop: move `state` from where it stands to the end of the plan, and the model with it."""
    steps, recipe, machine = len(run.plan), run.recipe, run.accelerator
    with job.training_mode(run), progress:
        while state.step < steps and not out_of_patience(run, state):
            began = time.perf_counter()
            epoch, rows = run.plan[state.step]
            job.seed_step(run, state.step)

            # The learning rate rises and falls with the step, in each group from its own peak.
            share = recipe.learning_rate_at(state.step, steps)
            for group, peak in zip(run.optimizer.param_groups, run.peaks, strict=True):
                group["lr"] = peak * share

            # Gradients of the mean loss over the whole step, however many pieces and processes it is cut into.
            loss = job.backward(run, rows)
            norm = machine.clip_grad_norm_(run.model.parameters(), recipe.clip).item()
            job.check_finite(run, state.step, rows, loss, norm)
            run.optimizer.step()
            run.optimizer.zero_grad()

            # What was done.
            state.step += 1
            state.seconds += time.perf_counter() - began
            state.history.append(
                {
                    "step": state.step,
                    "epoch": epoch + 1,
                    "loss": loss,
                    "learning_rate": share * run.peaks[0],
                    "gradient_norm": norm,
                    "rows": len(rows),
                    "tokens": int(run.lengths[rows].sum()),
                    "seconds": state.seconds,
                }
            )
            progress.update(state.history[-1])

            # Validation chooses the weights that are kept.
            if run.validation is not None and state.step in run.evaluate_after:
                progress.note(evaluate(run, state))

            # All processes stop after the same step, or one would wait for the others.
            stop = any_interrupted(machine, interrupt)
            if run.work and (stop or state.step % recipe.checkpoint_steps == 0):
                job.save(run, state)
            if stop:
                raise KeyboardInterrupt
    load_best(run, state)


def _result(run: Job, state: State) -> Run:
    history = pd.DataFrame(state.history)
    return Run(
        task=run.task,
        model=run.plain_model(),
        tokenizer=run.tokenizer,
        history=history,
        best=state.best,
        seconds=state.seconds,
        rows_per_second=history["rows"].sum() / state.seconds,
        tokens_per_second=history["tokens"].sum() / state.seconds,
        peak_memory_gb=peak_memory_gb(run.accelerator.device),
        precision=run.precision,
        processes=run.accelerator.num_processes,
        recipe=run.recipe,
    )
