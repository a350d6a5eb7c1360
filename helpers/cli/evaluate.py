"""`helpers evaluate`: score a trained model on labelled rows."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.cli import options as task_options
from helpers.cli.terminal import FILES, note
from helpers.tasks import registry


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    verb.add_argument("--data", required=True, help=FILES)
    verb.add_argument(
        "--report", metavar="FOLDER", help="write the error analysis, with pictures, into this new folder"
    )
    verb.add_argument("--no-texts", action="store_true", help="leave texts of the rows out of the error analysis")
    verb.add_argument("--baselines", metavar="FILE", help="training rows, to score cheaper systems on --data as well")
    verb.add_argument(
        "--validation",
        metavar="FILE",
        help="rows to choose the baselines' settings by (default: a part of --baselines)",
    )
    task_options.add(verb, "evaluate")


def run(options: argparse.Namespace) -> None:
    """Score the model; prints its scores, and the ladder where baselines are asked for."""
    with _appearing(options.report) as scratch:
        page = _scored(options, scratch)
    if page:
        note(f"error analysis in {Path(options.report) / page}")


@contextmanager
def _appearing(folder: str | None) -> Iterator[Path | None]:
    """A folder to write into, which is at `folder` in one move when all went well; None where none is asked for.

    A place that cannot be written is found at once, and not when the model has answered.
    """
    if not folder:
        yield None
        return
    from helpers.saving.folder import check_free, scratch_folder

    check_free(folder)
    with scratch_folder(Path(folder)) as scratch:
        scratch.mkdir()
        yield scratch
        check_free(folder)
        scratch.rename(folder)


def _scored(options: argparse.Namespace, scratch: Path | None) -> str | None:
    """Score the model and print; returns the name of the page that was written into `scratch`, if there is one."""
    from helpers.export.opening import opened
    from helpers.workflow.baselines import taught
    from helpers.workflow.finetune import FINE_TUNED, evaluate, one_group_warning

    predictor = opened(options.model)
    task = predictor.task
    files = registry.wing(task.name, "files")
    task_options.check_owned(options, task.name, "evaluate")
    columns = task_options.values(options, task.name, "COLUMNS")
    test, baselines = files.labelled(options.data, task, **columns), {}
    if options.baselines:
        given = {"validation": options.validation, "columns": columns}
        baselines = taught(task, options.baselines, options.data, **given)
    if sentence := one_group_warning(test):
        note(sentence)
    table, scores, analysis = evaluate(predictor, test, baselines)
    _print_scores(table.loc[FINE_TUNED], scores, task.reported_task(predictor.tokenizer).selection_metric)
    if analysis.classes is not None:
        print(analysis.classes.round(3).to_string())
    if baselines:
        print(table.round(3).to_string())
    return _report(options, scratch, analysis, test, table) if scratch else None


def _print_scores(last, scores: dict, metric: str) -> None:
    print(f"{metric} {last[metric]:.3f} [{last['low']:.3f}, {last['high']:.3f}] n={last['n']:.0f}")
    for name, value in scores.items():
        if name == metric:
            continue  # stands above, with its interval
        print(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}")


def _report(options, scratch: Path, analysis, test, table) -> str:
    from helpers.saving.folder import full_disk_named
    from helpers.workflow import report

    title = f"{Path(options.model).name} on {Path(options.data).name}"
    with full_disk_named(Path(options.report)):
        return report.write(scratch, analysis, test, title=title, ladder=table, texts=not options.no_texts).name
