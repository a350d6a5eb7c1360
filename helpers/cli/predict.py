"""`helpers predict`: predictions for the rows of a file or of standard input, as JSONL.

For each row there is one line, in order: its number `row` (from 1, as in the file), and the answer. A row that cannot
be read has "prediction": null and the reason as "error". Lines are written as they are known.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator

from helpers.cli import options as task_options
from helpers.cli.terminal import FILES, note
from helpers.errors import InputError
from helpers.progress import pace
from helpers.tasks import registry

PAUSE = 5.0  # seconds between two lines of progress
SOME_FAILED = 3  # the exit code


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    verb.add_argument("--data", help=f"{FILES}, or .txt with a row a line; without it standard input, a row a line")
    verb.add_argument("--id", metavar="COLUMN", help="write the value of this column beside each answer")
    verb.add_argument("--keep", action="store_true", help="write all columns of the file beside each answer, as input")
    task_options.add(verb, "predict")


def run(options: argparse.Namespace) -> int:
    """Write one line of JSON a row; returns the exit code, which tells whether a row has no answer."""
    from helpers.export.opening import opened
    from helpers.models.inference import half_precision
    from helpers.workflow import predict

    predictor = opened(options.model)
    task = predictor.task
    task_options.check_owned(options, task.name, "predict")
    columns = task_options.values(options, task.name, "INPUT")
    rows, total = _rows(options, task, columns)
    read = predict.reader(registry.wing(task.name, "files"), options.data or "standard input", columns)
    began = told = time.monotonic()
    done = failed = 0
    with half_precision(predictor.model.device):
        for window in predict.outcomes(predictor, rows, read):
            _check_id(options, window if not done else [])
            _write("".join(_line(row, answer, options) for row, answer in window))
            done += len(window)
            failed += sum(answer is None for _, answer in window)
            if time.monotonic() - told > PAUSE and done != total:
                told = time.monotonic()
                note(_progress(done, total, told - began))
    if not done:
        raise InputError(f"{options.data or 'standard input'} holds no rows; give at least one")
    lost = f"; {failed:,} without an answer, each with its error" if failed else ""
    note(f"{_progress(done, done, time.monotonic() - began)}{lost}")
    return SOME_FAILED if failed else 0


def _rows(options: argparse.Namespace, task, columns: dict) -> tuple[Iterator, int | None]:
    """The rows to answer, and how many there are, which standard input does not tell."""
    from helpers.data import streams

    def cells(line: str) -> dict:
        return {columns.get(name, name): value for name, value in task.row({task.fields[0]: line}).items()}

    of_line = cells if len(task.fields) == 1 else None
    if options.data:
        return streams.rows(options.data, of_line, columns["format"])
    return streams.lines(sys.stdin.buffer, of_line), None


def _check_id(options: argparse.Namespace, window: list) -> None:
    """InputError if no row of the first window has the column that `--id` names."""
    names = list(dict.fromkeys(name for row, _ in window for name in row.cells))
    if options.id is not None and window and options.id not in names:
        raise InputError(f"there is no column '{options.id}' for --id; choose one of {', '.join(names)}")


def _line(row, answer: dict | None, options: argparse.Namespace) -> str:
    from helpers.data.formats import unspelled

    line = {"row": row.number}
    if options.id is not None:
        line["id"] = unspelled(row.cells.get(options.id))
    line |= {"prediction": None, "error": row.error} if answer is None else answer
    if options.keep:
        line["input"] = unspelled(row.cells)
    return json.dumps(line, ensure_ascii=False, default=str) + "\n"


def _write(text: str) -> None:
    """Write whole lines, also if Ctrl-C falls between them."""
    from helpers.training.device import interruptible

    with interruptible() as interrupt:
        sys.stdout.write(text)
        sys.stdout.flush()
    if interrupt.is_set():
        raise KeyboardInterrupt


def _progress(done: int, total: int | None, seconds: float) -> str:
    speed = done / max(seconds, 1e-9)
    left = f", {(total - done) / speed:.0f} s left" if total and total > done else ""
    of = f" of {total:,}" if total and total > done else ""
    return f"{done:,}{of} {'row' if done == 1 and not of else 'rows'}, {pace(speed)}{left}"
