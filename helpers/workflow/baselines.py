"""Baselines for a model that is trained already, taught the same rows as it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from sklearn.model_selection import GroupShuffleSplit

from helpers.tasks import registry
from helpers.tasks.base import Task

CHOOSING = 0.125  # of the training rows, where no validation rows are given


def taught(
    task: Task,
    train: str | Path,
    test: str | Path,
    *,
    validation: str | Path | None = None,
    columns: Mapping[str, Any] | None = None,
) -> dict[str, Sequence]:
    """Predictions of a task's baselines for the rows of `test`, by name; all rows of `train` teach them.

    Args:
        train, test: files as the wing's `files.labelled` reads them.
        validation: the rows that choose settings such as the regularisation. Without them an eighth of the training
            rows does, in whole groups, after which the baseline is fitted to all.
        columns: further arguments of `files.labelled`.

    Raises InputError if files share texts or groups, or have labels that the task does not know.
    """
    files, columns = registry.wing(task.name, "files"), dict(columns or {})
    paths = {"train": train, "test": test} | ({"validation": validation} if validation is not None else {})
    files.check_apart({name: files.read(path, **columns) for name, path in paths.items()}, paths)
    data = DatasetDict({name: files.labelled(path, task, **columns) for name, path in paths.items()})
    if validation is None:
        data |= _cut(data["train"])
    return registry.wing(task.name, "baselines").ladder(data, task)


def _cut(rows: Dataset) -> dict[str, Dataset]:
    """Some rows to choose by, and the rest, with each group on one side."""
    groups = rows["group"][:] if "group" in rows.column_names else []
    groups = groups if len(set(groups)) > 1 else np.arange(len(rows))
    if len(rows) < 2:
        return {"validation": rows, "rest": rows}
    cut = GroupShuffleSplit(n_splits=1, test_size=CHOOSING, random_state=0)
    rest, choosing = next(cut.split(groups, groups=groups))
    return {"validation": rows.select(choosing), "rest": rows.select(rest)}
