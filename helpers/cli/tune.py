"""`helpers tune`: search the learning rate and the length of training on validation rows."""

import argparse
from collections.abc import Callable

from helpers import scales
from helpers.cli import options as task_options
from helpers.cli import train
from helpers.cli.terminal import note
from helpers.errors import InputError, TrainingError


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    train.add_rows(verb)
    verb.add_argument("--output", required=True, help="folder for the trials; into the same one a search goes on")
    about = "to try, such as {} (default: {})"
    rates = about.format("5e-5,1e-4,2e-4", "that of the recipe, half of it and twice as much")
    verb.add_argument("--rates", metavar="X,X", help=f"learning rates {rates}")
    lengths = about.format("3,6", "those of the recipe and twice as many")
    verb.add_argument("--lengths", metavar="N,N", help=f"epochs {lengths}")
    train.add_recipe(verb)


def run(options: argparse.Namespace) -> None:
    """Read the rows and search; prints the trials, and the options of the best one."""
    recipe = train.recipe_of(options)
    rates, lengths = _numbers("--rates", options.rates, float), _numbers("--lengths", options.lengths, int)
    task_options.check_owned(options, options.task, "train")
    note(f"reading {options.data}")
    from helpers.workflow.tune import tune

    task, corpus = train.rows_of(options)
    grid = {"learning_rates": rates, "epochs": lengths}
    try:
        with scales.chosen(options.scale):
            found = tune(task, corpus, recipe, options.output, model=options.model, **grid, note=note)
    except KeyboardInterrupt:
        raise TrainingError("interrupted while searching; the same command goes on") from None
    shown = {"float_format": "{:.3f}".format, "formatters": {"learning_rate": "{:g}".format}}
    print(found.table().to_string(index=False, **shown))
    chosen = found.recipe
    note(f"train with --learning-rate {chosen.learning_rate:g} --epochs {chosen.epochs}; the test rows were not read")


def _numbers(flag: str, text: str | None, kind: Callable) -> list | None:
    """Numbers with commas between them; InputError for something else."""
    if text is None:
        return None
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} {text!r} is no list of numbers with commas between them, such as 3,6") from None
