"""What the shell does differently from task to task; `helpers.cli` holds what is the same.

One module a task, with the same names in each:

    MODEL                            the pretrained model that `helpers train` takes if none is named
    FIELDS                           the names of what a person types for one prediction of `helpers serve`
    add_columns(parser)              the options that name columns, for train and evaluate
    add_input(parser)                the options that name columns of rows without labels, for predict
    corpus(options) -> Corpus        read the user's files, check them, and split them if no split is given
    task(corpus, options) -> task
    baselines(data, task) -> dict    the cheap rungs of the ladder: predictions on data["test"] by name
    labelled(options, task)          rows of `--data` for evaluate, as the task's `encode` takes them
    unlabelled(options, task)        rows of `--data` or of standard input for predict
    line(task, prediction, row)      what predict writes for a row, ready for JSON
    row(fields)                      a row without labels from the texts of FIELDS
    judge(task, tokenizer)           only where the shell scores other predictions than training does
"""

import sys
from importlib import import_module
from types import ModuleType

from helpers.errors import InputError

NAMES = ("classification", "extraction", "generation", "tagging")


def of(task: str) -> ModuleType:
    """The module of a task."""
    return import_module(f"helpers.commands.{task}")


def judge(task, tokenizer):
    """The task as the shell uses it to predict and to score: itself, unless its module has another judge."""
    command = of(task.name)
    return command.judge(task, tokenizer) if hasattr(command, "judge") else task


def standard_input() -> list[str]:
    """The lines of standard input that hold more than blanks; InputError if there are none, or if it is not UTF-8."""
    try:
        content = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8 (byte {error.start}); convert it to UTF-8") from error
    lines = [line for line in content.split("\n") if line.strip()]
    if not lines:
        raise InputError("standard input holds no text; write one text a line, or give --data")
    return lines
