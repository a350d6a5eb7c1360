"""`helpers check`: what a file holds and what of it a model would learn, before anything is trained."""

import argparse

from helpers import scales
from helpers.cli import options as task_options
from helpers.cli.terminal import FILES, note
from helpers.scales import SCALES
from helpers.tasks import registry


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    verb.add_argument("data", metavar="FILE", help=FILES)
    verb.add_argument("--task", default="classification", choices=registry.WINGS, help="what to learn")
    task_options.add(verb, "check")
    verb.add_argument("--validation", metavar="FILE", help="rows to choose the best weights (with --test)")
    verb.add_argument("--test", metavar="FILE", help="rows to score once at the end (with --validation)")
    verb.add_argument("--model", help="a role, a folder, or a name on the Hub (default: what suits the task)")
    verb.add_argument("--scale", choices=SCALES, help="what the role stands for (default: $SFT_SCALE)")
    verb.add_argument("--max-length", type=int, help="tokens kept of a row (default: 256; for generation all)")
    verb.add_argument("--seed", type=int, default=0, help="of the split (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Print the ledger; 0 if the rows are ready to be trained on, 2 if something has to be changed."""
    task_options.check_owned(options, options.task, "check")
    note(f"reading {options.data}")
    from helpers.workflow.check import check

    with scales.chosen(options.scale):
        ledger = check(
            options.task,
            options.data,
            validation=options.validation,
            test=options.test,
            seed=options.seed,
            columns=task_options.values(options, options.task, "COLUMNS", "SPLITTING"),
            settings={"max_length": options.max_length} | task_options.values(options, options.task, "SETTINGS"),
            model=options.model,
        )
    print(ledger.text())
    return 0 if ledger.ready else 2
