"""Every task by its name. A new task is a new folder, and a line here.

Only names are kept, and a task is imported when it is asked for: the shell lists tasks without loading PyTorch.
"""

from importlib import import_module
from types import ModuleType

from helpers.errors import InputError

# By name, where the class stands. A folder of that name is a wing: task.py, files.py, baselines.py and options.py.
TASKS = {
    "classification": "helpers.tasks.classification.task:Classification",
    "multilabel": "helpers.tasks.multilabel.task:MultiLabel",
    "tagging": "helpers.tasks.tagging.task:Tagging",
    "extraction": "helpers.tasks.extraction.task:Extraction",
    "generation": "helpers.tasks.generation.task:Generation",
    "seq2seq": "helpers.tasks.seq2seq:Seq2Seq",
}
WINGS = tuple(name for name, path in TASKS.items() if path.startswith(f"helpers.tasks.{name}."))


def task_class(name: str) -> type:
    """The class of a task; InputError if there is none of that name."""
    if name not in TASKS:
        raise InputError(f"there is no task '{name}'; choose one of {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].partition(":")
    return getattr(import_module(module), attribute)


def from_dict(settings: dict):
    """The task that `Task.to_dict` described; InputError if there is none of that name."""
    settings = dict(settings)
    return task_class(settings.pop("name", None))(**settings)


def wing(name: str, part: str) -> ModuleType:
    """A file of a task's wing: `files`, `baselines` or `options`; InputError for a task without a wing."""
    if name not in WINGS:
        raise InputError(
            f"the task '{name}' is for Python alone (helpers.tasks.{name}); the shell has {', '.join(WINGS)}"
        )
    return import_module(f"helpers.tasks.{name}.{part}")
