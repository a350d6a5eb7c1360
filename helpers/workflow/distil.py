"""From a trained classifier to a smaller one that answers like it."""

from dataclasses import replace

from datasets import Dataset

from helpers.tasks.base import Predictor
from helpers.tasks.classification.distillation import TEMPERATURE, Distilled, shallow, told
from helpers.training.loop import Run, fit
from helpers.training.recipe import Recipe


def distil(
    teacher: Predictor,
    rows: Dataset,
    layers: int,
    validation: Dataset | None = None,
    recipe: Recipe | None = None,
    *,
    temperature: float = TEMPERATURE,
) -> Run:
    """Train some of a classifier's layers to say what the whole says of each row.

    The run holds a plain classifier, which can be saved and exported like any other.

    Args:
        teacher: a `Run`, or what `helpers.load` gives; it stays as it is.
        rows: with the column `text`; labels are not read, so that any texts of the kind will do.
        layers: of the smaller model, from 2 to those of the teacher.
        validation: labelled rows that choose the epoch.
        temperature: see `Distilled`.

    Raises InputError as `shallow`, `Distilled` and `fit` do.
    """
    task = Distilled(teacher.task.labels, teacher.task.max_length, temperature=temperature)
    student = shallow(teacher.model, layers)
    run = fit(task, student, teacher.tokenizer, told(teacher, rows), validation, recipe)
    return replace(run, task=task.plain())
