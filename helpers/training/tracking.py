"""Curves of a run for a program that draws them while it trains: `helpers train --track tensorboard`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.errors import InputError
from helpers.progress import is_main_process

Follow = Callable[[dict], None]  # is given rows of the history as they come: `step`, and numbers by name


def folder_of(output: str | Path) -> Path:
    """Where the curves of the run into `output` are: beside it, because `output` appears at the end alone."""
    return Path(f"{Path(output)}.tensorboard")


@contextmanager
def tensorboard(folder: str | Path, *, resume: bool = False) -> Iterator[Follow]:
    """While this lasts, what the given function is given is written for TensorBoard; only the first process writes.

    Args:
        folder: nothing is made before the first step.
        resume: the run goes on, so the folder may exist; later steps of the broken-off run are hidden.

    Raises InputError if the package is missing, or if the folder holds the curves of another run.
    """
    folder = Path(folder)
    if folder.exists() and not resume:
        raise InputError(f"'{folder}' holds the curves of another run; move it away, or choose another output")
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(f"'{error.name}' is missing; --track tensorboard needs pip install tensorboard") from error
    writers = []

    def follow(row: dict) -> None:
        if not writers:
            writers.append(SummaryWriter(str(folder), purge_step=row["step"]))
        for name in row.keys() - {"step"}:
            writers[0].add_scalar(name.replace("_", "/", 1), row[name], row["step"])

    try:
        yield follow if is_main_process() else lambda row: None
    finally:
        for writer in writers:
            writer.close()
