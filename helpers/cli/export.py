"""`helpers export`: a trained model as a file for other programs, tried on labelled rows before it is handed over."""

import argparse
from pathlib import Path

from helpers.cli import options as task_options
from helpers.cli.terminal import FILES, note
from helpers.errors import InputError
from helpers.export.formats import FORMATS, usable
from helpers.tasks import registry


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    tried = ", ".join(f"{form.rows:,} for {name}" for name, form in FORMATS.items())
    verb.add_argument("--to", required=True, choices=FORMATS, help="the form")
    verb.add_argument("--data", required=True, help=f"labelled rows that it must answer as PyTorch does: {FILES}")
    verb.add_argument("--output", required=True, help="new folder for the file, its certificate and its card")
    verb.add_argument("--rows", type=int, metavar="N", help=f"rows to try, drawn at random (default: {tried})")
    task_options.add(verb, "export")


def run(options: argparse.Namespace) -> None:
    """Export the model; prints what its certificate says."""
    from helpers import saving
    from helpers.export.exporting import CERTIFICATE, export

    saving.check_free(options.output)
    if (Path(options.model) / CERTIFICATE).is_file():
        raise InputError(f"'{options.model}' is an exported model itself; give the folder that it was made of")
    predictor = saving.load(options.model)
    name = predictor.task.name
    usable(options.to, name)
    task_options.check_owned(options, name, "export")
    columns = task_options.values(options, name, "COLUMNS")
    rows = registry.wing(name, "files").labelled(options.data, predictor.task, **columns)
    about = {"model": options.model, "data": Path(options.data).name, "count": options.rows, "note": note}
    certificate = export(predictor, options.to, rows, options.output, **about)
    print(certificate.sentence())
    note(f"{certificate.form.file} in {options.output}, with its certificate and its card")
