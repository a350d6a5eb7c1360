"""`helpers predict`: predictions for the rows of a file or of standard input, as JSONL."""

import argparse
import json
import sys

from helpers.cli import options as task_options
from helpers.cli.terminal import FILES
from helpers.tasks import registry


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    verb.add_argument("--data", help=f"{FILES}; without it one row a line is read")
    task_options.add(verb, "predict")


def run(options: argparse.Namespace) -> None:
    """Print one line of JSON a row."""
    from helpers import saving
    from helpers.data.files import standard_lines

    predictor = saving.load(options.model)
    name = predictor.task.name
    files = registry.wing(name, "files")
    task_options.check_owned(options, name, "predict")
    columns = task_options.values(options, name, "INPUT")
    if options.data:
        rows = files.unlabelled(options.data, **columns)
    else:
        rows = files.from_lines(standard_lines(sys.stdin.buffer.read()), **columns)
    for answer in predictor.answers(rows):
        print(json.dumps(answer, ensure_ascii=False))
    sys.stdout.flush()
