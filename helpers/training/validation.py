"""What validation rows decide: their scores choose the weights that a run ends with, and may end it."""

import numpy as np
import torch
from accelerate.utils import broadcast_object_list

from helpers.errors import TrainingError
from helpers.training import checkpoints
from helpers.training.checkpoints import State
from helpers.training.device import give_back_memory
from helpers.training.job import Job


def evaluate(job: Job, state: State) -> dict[str, float]:
    """Score the validation rows, write the scores into the history, and keep the weights if they are the best.

    Several processes go by the scores of the first, as theirs may differ in the last digits. Raises TrainingError if
    the score that chooses is not finite.
    """
    predictions = job.task.predict(job.body, job.validation, batch_tokens=job.recipe.piece_tokens)
    scores = job.task.score(predictions, job.task.references(job.validation))
    (scores,) = broadcast_object_list([scores])
    chosen = scores[job.task.selection_metric]
    if not np.isfinite(chosen):
        raise TrainingError(
            f"{job.task.selection_metric} on the validation rows is {chosen} after step {state.step} and cannot choose "
            "weights; look at these rows, or leave validation out"
        )
    state.history[-1] |= {f"validation_{name}": value for name, value in scores.items()}
    key = f"validation_{job.task.selection_metric}"
    if state.best is None or state.history[-1][key] > state.best[key]:
        state.best = dict(state.history[-1])
        _keep_best(job, state)
    return scores


def out_of_patience(job: Job, state: State) -> bool:
    """Whether the last `patience` evaluations of the recipe have brought no better score."""
    if job.recipe.patience is None or state.best is None:
        return False
    key = f"validation_{job.task.selection_metric}"
    return sum(key in row for row in state.history[state.best["step"] :]) >= job.recipe.patience


def load_best(job: Job, state: State) -> None:
    """Give the model the weights of the best evaluation, if there was one; after the last step.

    The moments of the optimiser are given up first: they are twice as large as the weights that come. No process goes
    on until all have read, as the first may then remove the folder; and none reads before the first, where a run is
    resumed at its last step, has put the file there.
    """
    if state.best is None:
        return
    job.optimizer.state.clear()
    give_back_memory()
    if job.work is None:
        job.load_weights(state.best_weights)
        return
    job.accelerator.wait_for_everyone()
    with checkpoints.best(job.work) as weights:
        job.load_weights(weights)
    job.accelerator.wait_for_everyone()


def _keep_best(job: Job, state: State) -> None:
    """Keep today's weights: in the folder of checkpoints if there is one, else in memory."""
    weights = job.weights()
    if job.work is not None:
        if job.accelerator.is_main_process:
            checkpoints.save_best(job.work, weights)
        job.accelerator.wait_for_everyone()
        return
    if state.best_weights is None:
        state.best_weights = {name: torch.empty_like(tensor, device="cpu") for name, tensor in weights.items()}
    for name, tensor in weights.items():
        state.best_weights[name].copy_(tensor.detach())
