"""From a corpus to a scored and saved model: the main path of the package."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers import evaluation, models, saving
from helpers.data.corpus import Corpus
from helpers.errors import TrainingError
from helpers.models import lora
from helpers.progress import is_main_process, pace
from helpers.saving import run_file
from helpers.tasks import registry
from helpers.tasks.base import Predictor, Task
from helpers.training import checkpoints, preparation
from helpers.training.device import launched
from helpers.training.job import Job
from helpers.training.loop import Run, carry_out, ladder_rows
from helpers.training.recipe import Recipe
from helpers.training.tracking import Follow
from helpers.workflow import plan, report, signs
from helpers.workflow.analysis import Analysis, analyse

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
    texts: bool = True,
    trials: Sequence[Mapping] = (),
    asked: Mapping | None = None,
    note: Note = lambda sentence: None,
    follow: Follow | None = None,
) -> Run:
    """Train on a corpus, save the model, and score it once on the test rows beside its baselines.

    Args:
        task: such as `Classification.for_corpus(corpus)`.
        output: a new folder for the model; without it nothing is written.
        model: a role, a folder or a name on the Hub; None is the task's default.
        resume: go on with a run into `output` that was interrupted.
        texts: whether the error analysis in `output` may hold texts of the test rows.
        trials: of the search that chose the recipe (`Tuned.rows`), for the card of the model.
        follow: is given the numbers of each step and the scores of each evaluation (`training.tracking`).
        asked: options of the shell that say rows, model and task; with the recipe they become `run.toml`.

    Returns the run, with `ladder`, `scores` and `signs`. In all but the first of several processes it is not scored.

    Raises InputError if `output` exists or the rows do not fit the task; TrainingError as `fit` does, and if scoring
    is interrupted, with the model already in `output`; KeyboardInterrupt after a complete step of training.
    """
    recipe, data, name = recipe or Recipe(), corpus.data, model or task.default_model
    if output is not None:
        saving.check_free(output)
    tokenizer = models.tokenizer(name)
    _check_lengths(task, tokenizer, data, note)
    unreadable = _noted(signs.unreadable(tokenizer, data["train"]), note)
    work = None if output is None else checkpoints.work_folder(output)
    built = task.build(name, seed=recipe.seed)
    prepared = preparation.prepare(task, built, tokenizer, data["train"], data["validation"], recipe, work)
    with checkpoints.alone(work):
        run = _trained(prepared, resume, note, follow)
        del prepared  # and with it the optimiser's memory
        if not is_main_process():
            return run
        run = _saved(replace(run, signs=unreadable), corpus, output, asked, note)
    with _told_if_interrupted(output, "thresholds and scores"):
        run = _calibrated(run, corpus, output, note)
    with _told_if_interrupted(output, "scores"):
        run, analysis = _scored(run, corpus)
    made = {"base": models.origin(name), "trials": list(trials)}
    _report(run, analysis, data["test"], output, made, texts, note)
    return run


def evaluate(
    predictor: Predictor, test: Dataset, baselines: Mapping[str, Sequence] | None = None
) -> tuple[pd.DataFrame, dict, Analysis]:
    """The ladder of baselines up to the fine-tuned model, that model's scores, and where it fails.

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
    return ladder, task.score(predictions, references) | counts, analyse(task, predictions, references)


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


@contextmanager
def _told_if_interrupted(output: str | Path | None, missing: str) -> Iterator[None]:
    """While this lasts, an interrupt tells that the model is saved, and what it lacks."""
    try:
        yield
    except KeyboardInterrupt:
        if output is None:
            raise
        raise TrainingError(
            f"interrupted while scoring; the trained model is in '{output}' without {missing}, and 'helpers evaluate' "
            "gives its scores"
        ) from None


def _trained(prepared: Job, resume: bool, note: Note, follow: Follow | None) -> Run:
    """The run, with what it is expected to take told before."""
    where = [f"checkpoints are in {prepared.work}"] if prepared.work is not None else []
    _noted(plan.expected(prepared).sentences() + where, note)
    return carry_out(prepared, resume=resume, note=note, follow=follow)


def _saved(run: Run, corpus: Corpus, output: str | Path | None, asked: Mapping | None, note: Note) -> Run:
    """The run with a plain model, which is saved before it is scored, so that nothing can lose it."""
    task = run.task.settled(run.model)
    chosen = {name: value for name, value in asdict(task).items() if value != getattr(run.task, name)}
    if chosen.get("base_dtype", "fp32") != "fp32":
        note(f"the frozen weights are kept in {chosen['base_dtype']}, as they would fill more than half of the memory")
    run = replace(run, task=task, model=_final(task, run.model))
    if output is not None:
        run.save(output, corpus.card)
        if asked is not None:
            _keep_asked(output, {**asked, **chosen, **run.recipe.to_dict()}, note)
    destination = f"; model in {output}" if output is not None else ""
    speed = f"{pace(run.rows_per_second)}, {run.seconds:.0f} s of training, {run.precision}"
    if launched():  # which may have started fewer than it was asked for
        speed += f", {run.processes} {'process' if run.processes == 1 else 'processes'}"
    note(f"{speed}, at most {run.peak_memory_gb:.1f} GB{destination}")
    return run


def _keep_asked(output: str | Path, settings: Mapping, note: Note) -> None:
    """Write `run.toml`; where that fails the run goes on, as its model is saved and not yet scored."""
    try:
        run_file.write(output, settings)
    except (OSError, UnicodeError) as error:
        note(f"'{output}' has no run.toml, which could not be written ({error}); the model is saved without it")


def _final(task: Task, model: PreTrainedModel) -> PreTrainedModel:
    """A trained model as it is saved, and scored: plain, unless its LoRA matrices are to be saved alone."""
    if task.lora_saved == "adapter":
        return model
    plain = lora.merged(model)
    return lora.rounded(plain) if task.lora_saved == "merged-bf16" else plain


def _calibrated(run: Run, corpus: Corpus, output: str | Path | None, note: Note) -> Run:
    """The run with what its validation rows choose and show: thresholds, which are saved at once, and signs."""
    encoded = run.encode(corpus.data["validation"])
    predictions = run.task.predict(run.model, encoded, batch_tokens=run.recipe.piece_tokens)  # as in training
    references = run.task.references(encoded)
    task = run.task.calibrated(predictions, references)
    if output is not None and task != run.task:
        with _saved_all_the_same(output):
            saving.add_scores(output, task, {})
    run = replace(run, task=task)
    return replace(run, signs=run.signs + _noted(signs.of_collapse(run, predictions, references), note))


def _scored(run: Run, corpus: Corpus) -> tuple[Run, Analysis]:
    """The run with its test scores, and where it fails on the test rows."""
    task = run.task
    baselines = registry.wing(task.name, "baselines").ladder(corpus.data, task) if task.name in registry.WINGS else {}
    ladder, scores, analysis = evaluate(run, corpus.data["test"], baselines)
    return replace(run, ladder=ladder, scores=scores), analysis


def _report(
    run: Run, analysis: Analysis, test: Dataset, output: str | Path | None, made: dict, texts: bool, note: Note
) -> None:
    """Tell the scores of each class, and write scores and error analysis into the folder of the model."""
    if sentence := one_group_warning(test):
        note(sentence)
    if analysis.classes is not None:
        note(analysis.classes.round(3).to_string())
    if output is None:
        return
    classes = [] if analysis.classes is None else analysis.classes.reset_index().to_dict("records")
    made = made | {"ladder": ladder_rows(run.ladder), "signs": list(run.signs), "classes": classes}
    with _saved_all_the_same(output):
        saving.add_scores(output, run.task, run.scores | made)
        page = report.write(
            output, analysis, test, title=Path(output).name, ladder=run.ladder, history=run.history, texts=texts
        )
    private = "; it and the files beside it quote test rows, which --no-texts leaves out" if texts else ""
    note(f"error analysis in {page}{private}")


@contextmanager
def _saved_all_the_same(output: str | Path) -> Iterator[None]:
    """While this lasts, a disk that is full is told with where the model is."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"scores and error analysis cannot be written ({error}); the model itself is saved in '{output}': free "
            "some space, and 'helpers evaluate' scores it"
        ) from error


def _noted(sentences: list[str], note: Note) -> tuple[str, ...]:
    for sentence in sentences:
        note(sentence)
    return tuple(sentences)


def _check_lengths(task: Task, tokenizer: PreTrainedTokenizerBase, data: DatasetDict, note: Note) -> None:
    """Tell how many training texts are cut; a test row that cannot be read stops the run before it trains."""
    task.reported_task(tokenizer).encode(tokenizer, data["test"])
    if cuts := task.truncated(tokenizer, data["train"]):
        window, rows = tokenizer.model_max_length, len(data["train"])
        more = task.max_length < window
        remedy = "raise max_length (--max-length) to keep more" if more else "the model reads no more"
        limit = min(task.max_length, window)
        note(f"{cuts:,} of {rows:,} training texts were cut to {limit:,} tokens; {remedy}")
