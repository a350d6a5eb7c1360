"""Answers for rows without end: read, answered and handed on in windows, so that nothing is held for long."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path

import pandas as pd
from datasets import Dataset

from helpers.data.streams import Row
from helpers.errors import ColumnError, InputError
from helpers.models.inference import BATCH_TOKENS
from helpers.tasks.base import Predictor
from helpers.tasks.writing import WritingTask

WINDOW, WRITING_WINDOW = 2048, 32  # rows that are sorted by length together, and handed on together
CPU_TOKENS = 2048  # of one forward pass on a processor: larger ones take more memory, and no less time
Outcome = tuple[Row, dict | None]  # a row and its answer, or the row with its error and None


def outcomes(
    predictor: Predictor, rows: Iterable[Row], read: Callable[[pd.DataFrame], Dataset], *, window: int | None = None
) -> Iterator[list[Outcome]]:
    """The answer to each row, in the order of the rows, a window of them at a time.

    Args:
        read: from a table of cells, indexed by the numbers of the rows, to rows as the task takes them; InputError for
            a table that holds a bad row, or lacks a column.
        window: rows that are answered together; None is what suits the task.

    Raises ColumnError if the first rows lack a column: then no row is answered.
    """
    size = window or (WRITING_WINDOW if isinstance(predictor.task, WritingTask) else WINDOW)
    rows, checked, names = iter(rows), False, {}
    while part := list(islice(rows, size)):
        good = [row for row in part if row.error is None]
        names |= dict.fromkeys(chain.from_iterable(row.cells for row in good))
        read_all = partial(_read, read, names)
        if good and not checked:
            _check_columns(good, read_all)
            checked = True
        answered = iter(_answered(predictor, good, read_all))
        yield [next(answered) if row.error is None else (row, None) for row in part]


def _check_columns(rows: list[Row], read: Callable[[list[Row]], Dataset]) -> None:
    """ColumnError if all rows together lack a column; what is wrong with one of them is told beside it."""
    try:
        read(rows)
    except ColumnError:
        raise
    except InputError:
        pass


def _answered(predictor: Predictor, rows: list[Row], read: Callable[[list[Row]], Dataset]) -> list[Outcome]:
    """Rows with their answers. Where one of them is refused, halves are tried, down to the row that is bad."""
    if not rows:
        return []
    try:
        return list(zip(rows, _answers(predictor, read(rows)), strict=True))
    except InputError as error:
        if len(rows) == 1:
            return [(Row(rows[0].number, rows[0].cells, str(error)), None)]
    half = len(rows) // 2
    return [*_answered(predictor, rows[:half], read), *_answered(predictor, rows[half:], read)]


def _answers(predictor: Predictor, rows: Dataset) -> list[dict]:
    """As `Predictor.answers`, in batches that suit the device."""
    task, model = predictor.task.reported_task(predictor.tokenizer), predictor.model
    small = model.device.type == "cpu" and not isinstance(predictor.task, WritingTask)
    encoded = task.encode(predictor.tokenizer, rows)
    predictions = task.predict(model, encoded, batch_tokens=CPU_TOKENS if small else BATCH_TOKENS)
    return [task.answer(prediction, row) for prediction, row in zip(predictions, rows, strict=True)]


def _read(read: Callable[[pd.DataFrame], Dataset], names: Iterable[str], rows: list[Row]) -> Dataset:
    """Rows as the task takes them. What a row lacks and any row so far has is empty there, and is the row's fault."""
    cells = {name: [row.cells.get(name) for row in rows] for name in names}
    return read(pd.DataFrame(cells, index=[row.number for row in rows], dtype=object))


def reader(wing, source: str | Path, columns: dict) -> Callable[[pd.DataFrame], Dataset]:
    """From tables of cells to rows of a task, by the function `unlabelled` of its wing's files."""
    return lambda table: wing.unlabelled(table, source, **columns)
