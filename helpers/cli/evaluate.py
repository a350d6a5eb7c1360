"""`helpers evaluate`: score a trained model on labelled rows."""

import argparse

from helpers.cli import options as task_options
from helpers.cli.terminal import FILES, note
from helpers.errors import InputError
from helpers.tasks import registry


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    verb.add_argument("--data", required=True, help=FILES)
    verb.add_argument("--baselines", metavar="FILE", help="training rows, to score cheaper systems on --data as well")
    task_options.add(verb, "evaluate")


def run(options: argparse.Namespace) -> None:
    """Score the model; prints its scores, and the ladder where baselines are asked for."""
    from helpers import saving
    from helpers.workflow.finetune import FINE_TUNED, evaluate, one_group_warning

    predictor = saving.load(options.model)
    task = predictor.task
    files = registry.wing(task.name, "files")
    task_options.check_owned(options, task.name, "evaluate")
    columns = task_options.values(options, task.name, "COLUMNS")
    test, baselines = files.labelled(options.data, task, **columns), {}
    if options.baselines:
        data = _training_rows(options, files, columns, test)
        baselines = registry.wing(task.name, "baselines").ladder(data, task)
    if sentence := one_group_warning(test):
        note(sentence)
    table, scores = evaluate(predictor, test, baselines)
    last, metric = table.loc[FINE_TUNED], task.reported_task(predictor.tokenizer).selection_metric
    print(f"{metric} {last[metric]:.3f} [{last['low']:.3f}, {last['high']:.3f}] n={last['n']:.0f}")
    for name, value in scores.items():
        print(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}")
    if baselines:
        print(table.round(3).to_string())


def _training_rows(options, files, columns: dict, test):
    """The rows to score on, with rows for the baselines to learn from.

    InputError if the two share texts or groups, or have other labels.
    """
    from helpers.data.corpus import label_feature

    paths = {"train": options.baselines, "test": options.data}
    files.check_apart({name: files.read(path, **columns) for name, path in paths.items()}, paths)
    data = files.corpus(options.baselines, **columns).data
    if label_feature(data["train"]) != label_feature(test):
        raise InputError(
            f"'{options.baselines}' has other labels than the model in '{options.model}'; "
            "give the rows that it was trained on"
        )
    data["test"] = test
    return data
