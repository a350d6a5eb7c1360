"""What can be learnt: each task says how rows become token ids, what the loss is, and how predictions are scored."""

from dataclasses import asdict

from helpers.errors import InputError
from helpers.tasks.classification import Classification
from helpers.tasks.extraction import Extraction
from helpers.tasks.generation import Generation
from helpers.tasks.rewriting import Rewriting
from helpers.tasks.tagging import Tagging

TASKS = {task.name: task for task in (Classification, Extraction, Generation, Rewriting, Tagging)}


def to_dict(task) -> dict:
    """The task's name and settings, ready for JSON."""
    return {"name": task.name, **asdict(task)}


def from_dict(settings: dict):
    """The task that `to_dict` described; InputError if there is none of that name."""
    settings = dict(settings)
    name = settings.pop("name", None)
    if name not in TASKS:
        raise InputError(f"there is no task '{name}'; choose one of {', '.join(TASKS)}")
    return TASKS[name](**settings)
