"""The options of the tasks on the verbs of the shell, from the tables of their wings."""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from helpers.errors import InputError
from helpers.tasks import registry
from helpers.tasks.options import Option

# The tables of `helpers.tasks.<name>.options` that a verb takes.
TABLES = {
    "train": ("COLUMNS", "SPLITTING", "SETTINGS"),
    "check": ("COLUMNS", "SPLITTING", "SETTINGS"),
    "evaluate": ("COLUMNS",),
    "predict": ("INPUT",),
    "export": ("COLUMNS",),
}


def of_task(task: str, table: str) -> tuple[Option, ...]:
    """One table of a task's wing; empty where the task has nothing of the kind."""
    return getattr(registry.wing(task, "options"), table, ())


def add(verb: ArgumentParser, name: str) -> None:
    """Put the options of all tasks on a verb: each once, in a group that is named after the tasks that have it."""
    owners: dict[Option, list[str]] = {}
    for task in registry.WINGS:
        for table in TABLES[name]:
            for option in of_task(task, table):
                owners.setdefault(option, []).append(task)
    groups: dict[str, Any] = {}
    for option, tasks in owners.items():
        title = ", ".join(tasks)
        groups.setdefault(title, verb.add_argument_group(title) if title not in groups else None)
        kind = {} if option.choices else {"metavar": option.metavar or "X", "type": option.kind}
        # Not its default: an option that is left out must be told from one that is written.
        groups[title].add_argument(
            option.flag, default=argparse.SUPPRESS, choices=option.choices, help=option.about, **kind
        )


def values(options: Namespace, task: str, *tables: str) -> dict[str, Any]:
    """What the options of a task's tables say, by name, with their defaults."""
    task_options = [option for table in tables for option in of_task(task, table)]
    return {option.name: getattr(options, option.name, option.default) for option in task_options}


def check_owned(options: Namespace, task: str, verb: str) -> None:
    """InputError if an option is written that the task does not have."""
    own = {option.name for table in TABLES[verb] for option in of_task(task, table)}
    owners: dict[str, list[str]] = {}
    flags: Mapping[str, str] = {}
    for name in registry.WINGS:
        for table in TABLES[verb]:
            for option in of_task(name, table):
                owners.setdefault(option.name, []).append(name)
                flags = {**flags, option.name: option.flag}
    for name, tasks in owners.items():
        if name not in own and hasattr(options, name):
            raise InputError(f"{flags[name]} is an option of {', '.join(tasks)} and the task is {task}; leave it out")
