"""`helpers train`: fine-tune a model on labelled rows."""

import argparse
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path

from helpers import scales
from helpers.cli import options as task_options
from helpers.cli.terminal import FILES, counts, note
from helpers.errors import TrainingError
from helpers.progress import is_main_process
from helpers.scales import SCALES
from helpers.tasks import registry
from helpers.training.recipe import Recipe

# What None means in words, where it is the default of a recipe's field.
CHOSEN = {
    "learning_rate": "by the size of the model, 1e-4 for the packaged ones",
    "epochs": "at least 150 steps, from 3 to 20",
    "piece_tokens": "1024 on a CPU, 16384 on a GPU",
    "dropout": "the model's own",
    "attention_dropout": "the model's own",
    "head_learning_rate": "that of the body",
    "patience": "train to the end",
}


def add(verb: argparse.ArgumentParser) -> None:
    """Put the options on the verb."""
    add_rows(verb)
    verb.add_argument("--output", required=True, help="new folder for the trained model")
    _switch(verb, "--no-texts", "--texts", "leave texts of the test rows out of the error analysis")
    _switch(verb, "--resume", "--no-resume", "go on with a run that was interrupted, or whose model could not be saved")
    about = "TOML with any of these options, such as a model's run.toml; those beside it on the command line count more"
    verb.add_argument("--config", metavar="FILE", help=about)
    verb.add_argument("--track", choices=("tensorboard",), help="write curves while it trains, into OUTPUT.tensorboard")
    _switch(verb, "--tune", "--no-tune", "search rate and epochs first, as 'helpers tune' does")
    add_recipe(verb)


def add_rows(verb: argparse.ArgumentParser) -> None:
    """The options that say which rows a model learns from, and which model."""
    verb.add_argument("--task", default="classification", choices=registry.WINGS, help="what to learn")
    verb.add_argument("--data", required=True, help=FILES)
    task_options.add(verb, "train")
    verb.add_argument("--validation", metavar="FILE", help="rows to choose the best weights (with --test)")
    verb.add_argument("--test", metavar="FILE", help="rows to score once at the end (with --validation)")
    verb.add_argument("--model", help="a role, a folder, or a name on the Hub (default: what suits the task)")
    verb.add_argument("--scale", choices=SCALES, help="what the role stands for (default: $SFT_SCALE)")
    verb.add_argument("--max-length", type=int, help="tokens kept of a row (default: 256; for generation all)")
    verb.add_argument("--rows", type=int, metavar="N", help="train on so many random rows, and score on the same share")


def add_recipe(verb: argparse.ArgumentParser) -> None:
    """An option for each setting of a recipe."""
    recipe = verb.add_argument_group("recipe", "see helpers.Recipe for ranges and sources")
    for field in fields(Recipe):
        flag = "--" + field.name.replace("_", "-")
        if field.type is bool:
            undo = flag.replace("--", "--no-", 1)
            _switch(recipe, flag, undo, "several processes share one copy of the model")
            continue
        default = CHOSEN.get(field.name, field.default)
        recipe.add_argument(flag, type=_value, default=field.default, metavar="X", help=f"default: {default}")


def _switch(verb, flag: str, undo: str, about: str) -> None:
    """An option that is on or off, and one that turns it off again where a file of options has turned it on."""
    made = verb.add_argument(flag, action="store_true", help=f"{about} ({undo} undoes it)")
    verb.add_argument(undo, dest=made.dest, action="store_false", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """Read the rows, train, save and score; prints the ladder."""
    recipe = recipe_of(options)
    task_options.check_owned(options, options.task, "train")
    note(f"reading {options.data}")  # what follows takes seconds before it has something to tell
    from helpers import saving

    saving.check_free(options.output)
    task, corpus = rows_of(options)
    trained = _trained(options, task, corpus, recipe)
    if trained.ladder is not None:
        print(trained.ladder.round(3).to_string())


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe that the options of `add_recipe` say."""
    return Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})


def rows_of(options: argparse.Namespace) -> tuple:
    """The task and the corpus that the options of `add_rows` say, with what was read told."""
    from helpers.data.corpus import HELD_OUT
    from helpers.workflow import check

    corpus, ledger = check.read(
        options.task,
        options.data,
        columns=task_options.values(options, options.task, "COLUMNS", "SPLITTING"),
        validation=options.validation,
        test=options.test,
        seed=options.seed,
    )
    for line in ledger.short():
        note(line)
    if options.rows is not None:
        corpus = corpus.drawn(options.rows, options.seed, held_out=True)
        note(f"drew {options.rows:,} rows to train on, and of validation and test the same share, at least {HELD_OUT}")
        note(f"{options.data}: {counts(corpus.card.rows)}; removed {counts(corpus.card.removed) or 'none'}")
    settings = {"max_length": options.max_length} | task_options.values(options, options.task, "SETTINGS")
    return registry.task_class(options.task).for_corpus(corpus, **settings), corpus


def _trained(options: argparse.Namespace, task, corpus, recipe: Recipe):
    from helpers.workflow import tune
    from helpers.workflow.finetune import finetune

    searched, how = tune.search_folder(options.output), {"resume": options.resume, "texts": not options.no_texts}
    try:
        with scales.chosen(options.scale), _followed(options) as how["follow"]:
            if options.tune:
                found = tune.tune(task, corpus, recipe, searched, model=options.model, note=note)
                recipe, how["trials"] = found.recipe, found.rows()
            how["asked"] = _asked(options, task)
            run = finetune(task, corpus, recipe, options.output, model=options.model, note=note, **how)
    except KeyboardInterrupt:
        raise TrainingError(_interrupted(options.output)) from None
    if options.tune and is_main_process():
        tune.discard(searched)
    return run


def _followed(options: argparse.Namespace) -> AbstractContextManager:
    """What is given the numbers of each step: None, unless the run is tracked."""
    from helpers.training import tracking

    if options.track is None:
        return nullcontext()
    folder = tracking.folder_of(options.output)
    note(f"curves: tensorboard --logdir {folder}")
    return tracking.tensorboard(folder, resume=options.resume)


def _asked(options: argparse.Namespace, task) -> dict:
    """What makes the model again beside its recipe: rows, model and the task's settings, without the output."""
    rows = ("task", "data", "validation", "test", "model", "rows", "no_texts")
    own = task_options.values(options, options.task, "COLUMNS", "SPLITTING", "SETTINGS")
    stated = {name: value for name, value in own.items() if hasattr(options, name)}
    chosen = {"scale": scales.current(), "max_length": task.max_length}
    return {name: getattr(options, name) for name in rows} | chosen | stated


def _interrupted(output: str) -> str:
    """Where an interrupted run stands, and how it goes on."""
    from helpers.training import checkpoints, tracking
    from helpers.workflow import tune

    if Path(output).exists():
        return f"interrupted after the model was saved; it is in '{output}', and 'helpers evaluate' scores it"
    if (searched := tune.search_folder(output)).exists() and not (searched / tune.CHOSEN).exists():
        return "interrupted while searching; the same command goes on"
    if checkpoints.newest(checkpoints.work_folder(output)) is None:
        curves = tracking.folder_of(output)
        moved = f", once '{curves}' is moved away" if curves.exists() else ""
        return f"interrupted before the first checkpoint; the same command begins anew{moved}"
    return "interrupted after a complete step; the same command with --resume goes on"


def _value(text: str):
    """A recipe's value from the command line: None, a whole number, a number, or a word."""
    if text.lower() == "none":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
