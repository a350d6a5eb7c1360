"""What the shell does differently from task to task; `helpers.cli` holds what is the same.

One module a task, with the same names in each:

    MODEL                            the pretrained model that `helpers train` takes if none is named
    FIELDS                           the names of what a person types for one prediction of `helpers serve`
    GROUPED                          whether rows may name in a column what they belong to (--group)
    add_columns(parser)              the options that name columns, for train and evaluate
    add_settings(parser)             the other options of train, where there are some
    add_input(parser)                the options that name columns of rows without labels, for predict
    corpus(options) -> Corpus        read the user's files, check them, and split them if no split is given
    task(corpus, options) -> task
    baselines(data, task) -> dict    the cheap rungs of the ladder: predictions on data["test"] by name
    read(options, path)              a frame of the labelled rows of a file
    check_apart(frames, paths)       InputError if two files share what one alone may hold
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
    """The module of a task; InputError for a task that the shell does not have."""
    if task not in NAMES:
        raise InputError(f"the task '{task}' is for Python, helpers.tasks.{task}; the shell has {', '.join(NAMES)}")
    return import_module(f"helpers.commands.{task}")


def judge(task, tokenizer):
    """The task as the shell uses it to predict and to score: itself, unless its module has another judge."""
    command = of(task.name)
    return command.judge(task, tokenizer) if hasattr(command, "judge") else task


class Owners:
    """The options of each task on the parser of a verb; one of another task is refused and not ignored."""

    def __init__(self):
        self.found: dict[str, tuple[str, object, tuple[str, ...]]] = {}  # flag, default and tasks by name of attribute

    def add(self, parser, tasks: tuple[str, ...], add) -> None:
        """Let `add` put options of `tasks` on a parser, or a group of one."""
        self.parser, self.tasks = parser, tasks
        add(self)

    def add_argument(self, *flags: str, **settings) -> None:
        """As a parser has it."""
        action = self.parser.add_argument(*flags, **settings)
        self.found[action.dest] = (flags[0], action.default, self.tasks)

    def check(self, options, task: str) -> None:
        """InputError if an option is set that `task` does not have."""
        for name, (flag, default, tasks) in self.found.items():
            if task not in tasks and getattr(options, name) != default:
                raise InputError(f"{flag} is an option of {', '.join(tasks)} and the task is {task}; leave it out")


def add_group(parser) -> None:
    """Name the column of groups, which several tasks have."""
    parser.add_argument("--group", metavar="COLUMN", help="rows with the same value here stay in one split")


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
