"""A small search for the settings of a run, on validation rows: the learning rate and how long to train.

Successive halving (Jamieson and Talwalkar 2016) over whole runs. All rates train for the shortest length, the better
half of them again from the start for the next one, and so on: every score is that of a run whose schedule has ended, so
that the chosen settings are those of a run that was seen. What a length says of a rate may not hold for twice that
length; that is the price of training fewer runs than there are settings.
"""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from helpers import models
from helpers.data.corpus import Corpus
from helpers.errors import InputError, TrainingError
from helpers.models import stored
from helpers.progress import is_main_process
from helpers.tasks.base import Task
from helpers.training import checkpoints
from helpers.training.loop import Run, fit
from helpers.training.recipe import STEPS, Recipe, default_epochs

FACTORS = (1.0, 0.5, 2.0)  # the rates that are tried by default, as multiples of the one that the size suggests
LENGTHS = (1, 2)  # and the lengths, as multiples of the shortest
MOST = 8  # trials: more of them find what suits the validation rows rather than the task
TRIALS, CHOSEN = "trials.jsonl", "recipe.json"  # what a search leaves in its folder

Compute = Callable[[Recipe], tuple[float, int]]  # a recipe's score on validation rows, and its steps


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Attributes:
        steps: optimiser steps; 0 if the run failed.
        score: the best on the validation rows, None if the run failed.
        failed: why, in a sentence; empty for a run that ended.
    """

    learning_rate: float
    epochs: int
    steps: int
    score: float | None
    failed: str = ""


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        recipe: the best one; of equal ones the cheapest, and of these the one that was tried first.
        trials: in the order in which they ran.
        metric: the score that chose.
    """

    recipe: Recipe
    trials: tuple[Trial, ...]
    metric: str

    def rows(self) -> list[dict]:
        """The trials as the card and the ledger keep them, with `chosen` for the best one."""
        mine = (self.recipe.learning_rate, self.recipe.epochs)
        return [
            {"learning_rate": trial.learning_rate, "epochs": trial.epochs, "steps": trial.steps}
            | {self.metric: trial.score, "failed": trial.failed}
            | {"chosen": (trial.learning_rate, trial.epochs) == mine}
            for trial in self.trials
        ]

    def table(self) -> pd.DataFrame:
        """The trials, one a row, in the order in which they ran."""
        table = pd.DataFrame(self.rows()).astype({self.metric: float})
        return table if any(table["failed"]) else table.drop(columns="failed")


def tune(
    task: Task,
    corpus: Corpus,
    recipe: Recipe | None = None,
    output: str | Path | None = None,
    *,
    model: str | None = None,
    learning_rates: Sequence[float] | None = None,
    epochs: Sequence[int] | None = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Tuned:
    """Search the learning rate and the length of training on the validation rows of a corpus.

    Args:
        recipe: what all trials share; its learning rate, or else the one that the size of the model suggests, is the
            middle of the rates, and its epochs, or else as many as give at least 150 steps, are the shortest length.
        output: a folder for the trials; the same search into it goes on where it was interrupted.
        model: a role, a folder or a name on the Hub; None is the task's default.
        learning_rates: other rates to try; by default the middle one, half of it and twice as much.
        epochs: other lengths; by default the shortest and twice that.
        note: is told each trial in a sentence.

    A trial whose loss is not finite loses. The test rows are not read.

    Raises InputError for a grid that cannot be searched, or a folder of another search; TrainingError if no trial ends;
    KeyboardInterrupt after a complete step, which a checkpoint in `output` keeps.
    """
    recipe, name = recipe or Recipe(), model or task.default_model
    train, validation = corpus.data["train"], corpus.data["validation"]
    tokenizer, built = models.tokenizer(name), task.build(name, seed=recipe.seed)
    rows = len(task.encode(tokenizer, train))
    about = {"lora": hasattr(built, "peft_config"), "device": "cpu"}
    centre = recipe.resolved(rows, stored.weight_count(built), **about).learning_rate
    shortest = recipe.epochs or enough_epochs(math.ceil(rows / recipe.batch_rows))
    folder = None if output is None else _folder(output, _identity(task, name, built, train, validation, recipe))
    del built

    def compute(tried: Recipe) -> tuple[float, int]:
        run = _trained(task, name, tokenizer, train, validation, tried, folder)
        return run.best[f"validation_{task.selection_metric}"], len(run.history)

    return search(
        compute,
        recipe,
        learning_rates or [factor * centre for factor in FACTORS],
        epochs or [factor * shortest for factor in LENGTHS],
        metric=task.selection_metric,
        folder=folder,
        note=note,
    )


def search(
    compute: Compute,
    recipe: Recipe,
    learning_rates: Sequence[float],
    epochs: Sequence[int],
    *,
    metric: str,
    folder: Path | None = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Tuned:
    """Successive halving for whatever a recipe trains: the rates at the shortest length, the better half at the next.

    Args:
        compute: trains by a recipe, and returns its score on validation rows, higher being better, and its steps; a
            TrainingError, or a score that is not finite, loses.
        metric: the name of that score.
        folder: of a search that keeps its trials.

    Raises InputError for a grid that cannot be searched, TrainingError if no trial ends.
    """
    rates, lengths = _grid(learning_rates, epochs)
    kept = {} if folder is None else _kept(folder)
    trials: list[Trial] = []
    for length in lengths:
        rung = []
        for rate in rates:
            trial = kept.get((rate, length))
            if trial is None:
                trial = _tried(compute, replace(recipe, learning_rate=rate, epochs=length))
                _keep(folder, asdict(trial))
            rung.append(trial)
            note(_sentence(trial, metric))
        trials += rung
        ended = sorted((trial for trial in rung if not trial.failed), key=lambda trial: -trial.score)  # stable
        rates = [trial.learning_rate for trial in ended[: math.ceil(len(rung) / 2)]]
    best = _best(trials)
    tuned = Tuned(replace(recipe, learning_rate=best.learning_rate, epochs=best.epochs), tuple(trials), metric)
    note(f"chosen of {len(trials)} trials: learning_rate {best.learning_rate:g}, {_epochs(best.epochs)}")
    if folder is not None and is_main_process():
        _write(folder / CHOSEN, json.dumps(tuned.recipe.to_dict(), indent=2) + "\n")
    return tuned


def enough_epochs(steps: int) -> int:
    """The passes of `steps` steps each that give at least 150 steps, and three of them where these are more."""
    return max(default_epochs(steps), math.ceil(STEPS / steps))


def search_folder(output: str | Path) -> Path:
    """The folder beside a model that is to be trained, in which the search for its settings keeps its trials."""
    output = Path(output)
    return output.with_name(output.name + ".tuning")


def discard(folder: str | Path) -> None:
    """Remove what a search left, and its folder if it holds nothing else."""
    for name in (TRIALS, CHOSEN):
        (Path(folder) / name).unlink(missing_ok=True)
    if Path(folder).is_dir() and not any(Path(folder).iterdir()):
        Path(folder).rmdir()


def _trained(task: Task, name: str, tokenizer, train, validation, recipe: Recipe, folder: Path | None) -> Run:
    """One trial, from its newest checkpoint if there is one; its weights are not kept."""
    model = task.build(name, seed=recipe.seed)
    if folder is None:
        return fit(task, model, tokenizer, train, validation, recipe)
    place = folder / f"trial-{recipe.learning_rate:g}-{recipe.epochs}"
    resume = checkpoints.newest(checkpoints.work_folder(place)) is not None
    try:
        run = fit(task, model, tokenizer, train, validation, recipe, output=place, resume=resume)
    except TrainingError:
        _forget(place)
        raise
    _forget(place)
    return run


def _forget(place: Path) -> None:
    """Remove the checkpoints of a trial that has ended, well or badly."""
    if is_main_process():
        checkpoints.discard(place)


def _epochs(number: int) -> str:
    return f"{number} epoch" + "s" * (number != 1)


def _grid(learning_rates: Sequence[float], epochs: Sequence[int]) -> tuple[list[float], list[int]]:
    """The rates in their order and the lengths from the shortest, each once; InputError if that is no search."""
    rates, lengths = list(dict.fromkeys(learning_rates)), sorted(set(epochs))
    for rate in rates:
        Recipe(learning_rate=rate)
    for length in lengths:
        Recipe(epochs=length)
    if len(rates) * len(lengths) < 2:
        raise InputError(f"learning rates {rates} and epochs {lengths} leave nothing to choose; give two of either")
    count, left = 0, len(rates)
    for _ in lengths:
        count, left = count + left, math.ceil(left / 2)
    if count > MOST:
        raise InputError(
            f"{len(rates)} learning rates and {len(lengths)} lengths make {count} trials, and more than {MOST} find "
            "what suits the validation rows alone; give fewer of either"
        )
    return rates, lengths


def _tried(compute: Compute, recipe: Recipe) -> Trial:
    about = {"learning_rate": recipe.learning_rate, "epochs": recipe.epochs}
    try:
        score, steps = compute(recipe)
    except TrainingError as error:
        return Trial(**about, steps=0, score=None, failed=str(error))
    if not math.isfinite(score):
        return Trial(**about, steps=0, score=None, failed=f"its score on the validation rows is {score}")
    return Trial(**about, steps=int(steps), score=float(score))


def _best(trials: Sequence[Trial]) -> Trial:
    """The best trial, of equal ones the cheapest; TrainingError if none has ended."""
    ended = [trial for trial in trials if not trial.failed]
    if not ended:
        raise TrainingError(f"none of {len(trials)} trials ended, the first because {trials[0].failed}")
    return min(ended, key=lambda trial: (-trial.score, trial.steps))


def _sentence(trial: Trial, metric: str) -> str:
    about = f"trial with learning_rate {trial.learning_rate:g} and {_epochs(trial.epochs)}"
    if trial.failed:
        return f"{about} loses: {trial.failed}"
    return f"{about}, {trial.steps:,} steps: validation {metric} {trial.score:.3f}"


def _identity(task: Task, name: str, built, train, validation, recipe: Recipe) -> dict:
    """What must be equal for trials to be compared: all but the rate and the length."""
    shared = {key: value for key, value in recipe.to_dict().items() if key not in ("learning_rate", "epochs")}
    weights = (
        (key, tuple(part.shape), part.detach().flatten()[:16].tolist()) for key, part in built.named_parameters()
    )
    return {
        "recipe": shared,
        "task": f"{task.name} {task}",
        "model": f"{name} {checkpoints.digest(map(repr, weights))}",
        "rows": checkpoints.digest(repr(part[:]) for part in (train, validation)),
    }


def _folder(output: str | Path, identity: Mapping) -> Path:
    """The folder of a search, made if need be; InputError if it holds another search, or something else."""
    folder = Path(output)
    if folder.is_file():
        raise InputError(f"the folder of the search '{folder}' is a file; choose another name")
    if not (folder / TRIALS).exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"the folder '{folder}' holds something and no search; choose another, or move it away")
        if is_main_process():
            folder.mkdir(parents=True, exist_ok=True)
            _keep(folder, {"search": identity})
        return folder
    before = _lines(folder)[0]["search"]
    for name, value in identity.items():
        if before.get(name) != value:
            raise InputError(
                f"the trials in '{folder}' were made with {name} {before.get(name)!r}, not {value!r}; search with the "
                "same rows and settings, or choose another folder"
            )
    return folder


def _kept(folder: Path) -> dict[tuple[float, int], Trial]:
    """The trials that a search has done, by rate and length."""
    trials = [Trial(**line) for line in _lines(folder)[1:]]
    return {(trial.learning_rate, trial.epochs): trial for trial in trials}


def _lines(folder: Path) -> list[dict]:
    """What a search wrote."""
    try:
        lines = [json.loads(line) for line in (folder / TRIALS).read_text(encoding="utf-8").splitlines()]
        if "search" not in lines[0]:
            raise KeyError("search")
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"'{folder / TRIALS}' is not what a search has written ({error}); delete it") from error
    return lines


def _keep(folder: Path | None, line: dict) -> None:
    """Add a line to what a search has written, so that a reader finds it whole or not at all."""
    if folder is None or not is_main_process():
        return
    path = folder / TRIALS
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    _write(path, text + json.dumps(line) + "\n")


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f"{path.name}.writing-{os.getpid()}")
    scratch.write_text(text, encoding="utf-8", newline="\n")
    scratch.replace(path)
