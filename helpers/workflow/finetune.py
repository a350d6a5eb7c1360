"""From a corpus to a scored and saved model: the main path of the package."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from datasets import Dataset, DatasetDict
from transformers import PreTrainedTokenizerBase

from helpers import evaluation, models, saving
from helpers.data.corpus import Corpus
from helpers.errors import TrainingError
from helpers.models import lora
from helpers.tasks import registry
from helpers.tasks.base import Predictor, Task
from helpers.training import checkpoints
from helpers.training.device import is_main_process
from helpers.training.loop import Run, fit, ladder_rows
from helpers.training.recipe import Recipe

Note = Callable[[str], None]  # is told one sentence at a time of what happens
FINE_TUNED = "fine-tuned"


def finetune(
    task: Task,
    corpus: Corpus,
    recipe: Recipe | None = None,
    output: str | Path | None = None,
    *,
    model: str | None = None,
    resume: bool = False,
    note: Note = lambda sentence: None,
) -> Run:
    """Train on a corpus, save the model, and score it once on the test rows beside its baselines.

    Args:
        task: such as `Classification.for_corpus(corpus)`.
        output: a new folder for the model; without it nothing is written.
        model: a role, a folder or a name on the Hub; None is the task's default.
        resume: go on with a run into `output` that was interrupted.

    Returns the run, with `ladder` and `scores`. In all but the first of several processes the run is not scored.

    Raises InputError if `output` exists or the rows do not fit the task; TrainingError as `fit` does, and if scoring
    is interrupted, with the model already in `output`; KeyboardInterrupt after a complete step of training.
    """
    recipe, data, name = recipe or Recipe(), corpus.data, model or task.default_model
    if output is not None:
        saving.check_free(output)
    tokenizer = models.tokenizer(name)
    _check_lengths(task, tokenizer, data, note)
    built = task.build(name, seed=recipe.seed)
    where = f"; checkpoints in {checkpoints.work_folder(output)}" if output is not None else ""
    note(f"training {recipe.epochs} epochs{where}")
    run = fit(task, built, tokenizer, data["train"], data["validation"], recipe, output=output, resume=resume)
    if not is_main_process():
        return run
    run = replace(run, model=lora.merged(run.model))
    if output is not None:
        run.save(output, corpus.card)  # before it is scored, so that nothing can lose it
    destination = f"; model in {output}" if output is not None else ""
    note(f"{run.rows_per_second:.0f} rows/s, {run.seconds:.0f} s of training, {run.precision}{destination}")
    try:
        run = _scored(run, corpus)
    except KeyboardInterrupt:
        if output is None:
            raise
        raise TrainingError(
            f"interrupted while scoring; the trained model is in '{output}' without scores, and 'helpers evaluate' "
            "gives them"
        ) from None
    if sentence := one_group_warning(data["test"]):
        note(sentence)
    if output is not None:
        saving.add_scores(output, run.task, run.scores | {"ladder": ladder_rows(run.ladder)})
    return run


def evaluate(
    predictor: Predictor, test: Dataset, baselines: Mapping[str, Sequence] | None = None
) -> tuple[pd.DataFrame, dict]:
    """The ladder of baselines up to the fine-tuned model, and that model's scores.

    Args:
        test: labelled rows.
        baselines: predictions for them, by name.
    """
    task = predictor.task.reported_task(predictor.tokenizer)
    encoded = task.encode(predictor.tokenizer, test)
    predictions, references = task.predict(predictor.model, encoded), task.references(encoded)
    groups = groups_of(test)
    systems = {**(baselines or {}), FINE_TUNED: predictions}
    ladder = evaluation.ladder(task, systems, references, groups=groups)
    counts = {"n": len(references)} | ({} if groups is None else {"groups": len(set(groups))})
    return ladder, task.score(predictions, references) | counts


def groups_of(test: Dataset) -> list[str] | None:
    """The group of each row, or None for fewer than two groups: one group says nothing about how much others differ."""
    groups = test["group"][:] if "group" in test.column_names else []
    return groups if len(set(groups)) > 1 else None


def one_group_warning(test: Dataset) -> str | None:
    """If all rows are of one group, a sentence that the intervals hold for it alone; else None."""
    groups = test["group"][:] if "group" in test.column_names else []
    if len(groups) < 2 or len(set(groups)) > 1:
        return None
    return f"all {len(groups)} test rows are of the group '{groups[0][:40]}'; the intervals hold for it alone"


def _scored(run: Run, corpus: Corpus) -> Run:
    """The run with what is chosen on validation rows, such as a threshold, and then its test scores."""
    task = run.task
    if type(task).calibrated is not Task.calibrated:
        encoded = run.encode(corpus.data["validation"])
        task = task.calibrated(task.predict(run.model, encoded), task.references(encoded))
    run = replace(run, task=task)
    baselines = registry.wing(task.name, "baselines").ladder(corpus.data, task) if task.name in registry.WINGS else {}
    ladder, scores = evaluate(run, corpus.data["test"], baselines)
    return replace(run, ladder=ladder, scores=scores)


def _check_lengths(task: Task, tokenizer: PreTrainedTokenizerBase, data: DatasetDict, note: Note) -> None:
    """Tell how many training texts are cut; a test row that cannot be read is named here, before anything is trained."""
    task.reported_task(tokenizer).encode(tokenizer, data["test"])
    if cuts := task.truncated(tokenizer, data["train"]):
        window = tokenizer.model_max_length
        remedy = (
            "raise max_length (--max-length) to keep more" if task.max_length < window else "the model reads no more"
        )
        limit = min(task.max_length, window)
        note(f"{cuts:,} of {len(data['train']):,} training texts were cut to {limit:,} tokens; {remedy}")
