"""`helpers evaluate`: score a trained model on labelled rows."""

import argparse
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
    from helpers import saving
    from helpers.export.opening import opened
    from helpers.workflow.baselines import taught
    from helpers.workflow.finetune import FINE_TUNED, evaluate, one_group_warning

    if options.report:
        saving.check_free(options.report)
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
    if options.report:
        _report(options, analysis, test, table)


def _print_scores(last, scores: dict, metric: str) -> None:
    print(f"{metric} {last[metric]:.3f} [{last['low']:.3f}, {last['high']:.3f}] n={last['n']:.0f}")
    for name, value in scores.items():
        if name == metric:
            continue  # stands above, with its interval
        print(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}")


def _report(options, analysis, test, table) -> None:
    from helpers.workflow import report

    folder, title = Path(options.report), f"{Path(options.model).name} on {Path(options.data).name}"
    folder.mkdir(parents=True)
    page = report.write(folder, analysis, test, title=title, ladder=table, texts=not options.no_texts)
    note(f"error analysis in {page}")
