"""The command `helpers`: fetch models and texts, and train, evaluate and use models on one's own files."""

import argparse
import json
import os
import sys
from dataclasses import MISSING, fields, replace
from pathlib import Path

from helpers import __version__, commands
from helpers.errors import AssetError, InputError, TrainingError

FILES = "CSV, TSV, JSONL or Parquet file in UTF-8; for tagging also CoNLL columns"
SERVE = "fastapi uvicorn"  # the optional extra `serve` of pyproject.toml
EXAMPLES = """\
examples:
  helpers fetch
  helpers train --task classification --data mail.csv --text body --label folder --output model/
  helpers train --task tagging --data names.conll --output model/
  helpers train --task generation --data pairs.jsonl --prompt source --completion target --output model/
  helpers train --data reviews.jsonl --group film --output model/ --epochs 4 --learning-rate 5e-5
  helpers evaluate model/ --data new.csv --text body --label folder
  helpers predict model/ --data unseen.csv --text body > predictions.jsonl
  echo "A slick, engrossing melodrama." | helpers predict model/
  helpers train --task extraction --data questions.jsonl --answer answers --output finder/
  helpers card model/
  helpers serve model/ --port 8000

exit codes: 0 done, 1 failed (network, disk, a diverged or interrupted run), 2 something to change in data or arguments
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. A user's mistake is one sentence on standard error."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        return _fail(error, 2)
    except (AssetError, TrainingError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return _fail(error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 1)
    except (RuntimeError, MemoryError) as error:
        from helpers.training import out_of_memory

        if not out_of_memory(error):
            raise
        return _fail("memory ran out; close other programs, shorten the longest rows, or take a smaller model", 1)
    return 0


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one sentence, without the usage."""

    def error(self, message: str):
        self.exit(2, f"helpers: {message}; see '{self.prog} --help'\n")


def parser() -> argparse.ArgumentParser:
    """The command line, one sub-command a verb."""
    root = _Parser(
        "helpers", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--version", action="version", version=f"helpers {__version__}")
    verbs = root.add_subparsers(metavar="command", required=True)
    _verb(verbs, "fetch", _fetch, "download and verify all models and texts")
    _verb(verbs, "assets", _assets, "list the models and texts with their licences")
    listing = _verb(verbs, "corpora", _corpora, "list the corpora, or show the data card of one")
    listing.add_argument("name", nargs="?", help="a corpus, for its data card")
    _add_train(_verb(verbs, "train", _train, "fine-tune a model on labelled rows"))
    evaluate = _verb(verbs, "evaluate", _evaluate, "score a trained model on labelled rows")
    evaluate.add_argument("model", help="folder that 'helpers train' wrote")
    evaluate.add_argument("--data", required=True, help=FILES)
    evaluate.add_argument(
        "--baselines", metavar="FILE", help="training rows, to score cheaper systems on --data as well"
    )
    _add_owned(evaluate, "add_columns")
    predict = _verb(verbs, "predict", _predict, "predict for the rows of a file or of standard input; writes JSONL")
    predict.add_argument("model", help="folder that 'helpers train' wrote")
    predict.add_argument("--data", help=f"{FILES}; without it one row a line is read")
    _add_owned(predict, "add_input")
    card = _verb(verbs, "card", _card, "write a model card, README.md, into the folder of a trained model")
    card.add_argument("model", help="folder that 'helpers train' wrote")
    serve = _verb(verbs, "serve", _serve, "try a trained model on a page of this computer, or by JSON requests")
    serve.add_argument("model", help="folder that 'helpers train' wrote")
    serve.add_argument("--port", type=int, default=8000, help="of 127.0.0.1 (default: 8000)")
    return root


def _verb(verbs, name: str, run, about: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name, help=about, description=about, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verb.set_defaults(run=run)
    return verb


def _add_owned(verb: argparse.ArgumentParser, *parts: str) -> None:
    """Add the options that only some tasks have; `owners` then knows whose they are."""
    owners = commands.Owners()
    verb.set_defaults(owners=owners)
    for name in commands.NAMES:
        group = verb.add_argument_group(name)
        for part in parts:
            if hasattr(commands.of(name), part):
                owners.add(group, (name,), getattr(commands.of(name), part))
    if "add_columns" in parts:
        tasks = tuple(name for name in commands.NAMES if commands.of(name).GROUPED)
        owners.add(verb.add_argument_group(", ".join(tasks)), tasks, commands.add_group)


def _add_train(verb: argparse.ArgumentParser) -> None:
    from helpers.recipe import Recipe

    verb.add_argument("--task", default="classification", choices=commands.NAMES, help="what to learn")
    verb.add_argument("--data", required=True, help=FILES)
    _add_owned(verb, "add_columns", "add_settings")
    verb.add_argument("--validation", metavar="FILE", help="rows to choose the best weights (with --test)")
    verb.add_argument("--test", metavar="FILE", help="rows to score once at the end (with --validation)")
    verb.add_argument("--output", required=True, help="new folder for the trained model")
    verb.add_argument("--model", help="a role, a folder, or a name on the Hub (default: what suits the task)")
    verb.add_argument("--scale", choices=["laptop", "gpu"], help="what the role stands for (default: $SFT_SCALE)")
    verb.add_argument("--max-length", type=int, help="tokens kept of a row (default: 256; for generation all)")
    verb.add_argument("--rows", type=int, metavar="N", help="train on so many rows, drawn at random (default: all)")
    verb.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    recipe = verb.add_argument_group("recipe", "see helpers.recipe.Recipe for ranges and sources")
    for field in fields(Recipe):
        default = field.default if field.default is not MISSING else None
        flag = "--" + field.name.replace("_", "-")
        recipe.add_argument(flag, type=_value, default=default, metavar="X", help=f"default: {default}")


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


def _fetch(_options) -> None:
    from helpers import assets, corpora, models

    assets.fetch_all()
    for name in ("docstrings", "parameters"):  # read the sources of the installed libraries, half a minute once
        corpora.load(name, scale="laptop")
    models.describe()  # unpacks the decoder, which takes up to a minute once
    print(f"all assets are in {assets.cache_dir()}")


def _assets(_options) -> None:
    from helpers import assets

    print(assets.table().to_string(index=False))


def _corpora(options) -> None:
    from helpers import corpora

    if options.name is None:
        print("\n".join(corpora.NAMES))
        return
    card = corpora.load(options.name).card.table()
    print("\n".join(f"{name:16} {value}" for name, value in card.iloc[:, 0].items()))


def _train(options) -> None:
    from helpers.recipe import Recipe

    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    output, command = Path(options.output), commands.of(options.task)
    options.owners.check(options, options.task)
    _note(f"reading {options.data}")  # what follows takes seconds before it has something to tell
    from helpers import adapters, checkpoints, models, saved
    from helpers.training import fit

    saved.check_free(output)
    corpus = command.corpus(options)
    if options.rows is not None:
        corpus = corpus.drawn(options.rows, options.seed)
    _note(f"{options.data}: {_counts(corpus.card.rows)}; removed {_counts(corpus.card.removed) or 'none'}")

    task, name, data = command.task(corpus, options), options.model or command.MODEL, corpus.data
    tokenizer = models.tokenizer(name, scale=options.scale)
    if hasattr(command, "longer"):
        _tell_cuts(command.longer(task, tokenizer, data["train"]), task, len(data["train"]))
    model = task.build(name, scale=options.scale, seed=options.seed)
    _note(f"training {recipe.epochs} epochs; checkpoints in {checkpoints.work_folder(output)}")
    try:
        run = fit(
            task, model, tokenizer, data["train"], data["validation"], recipe, output=output, resume=options.resume
        )
    except KeyboardInterrupt:
        if checkpoints.newest(checkpoints.work_folder(output)) is None:
            raise TrainingError("interrupted before the first checkpoint; the same command begins anew") from None
        raise TrainingError("interrupted after a complete step; the same command with --resume goes on") from None
    if not _is_main():
        return
    run = replace(run, model=adapters.merged(run.model))
    saved.save(output, task, run, tokenizer, corpus.card)  # before it is scored, so that nothing can lose it
    _note(f"{run.rows_per_second:.0f} rows/s, {run.seconds:.0f} s of training, {run.precision}; model in {output}")
    try:
        if hasattr(task, "calibrated"):  # a threshold is chosen on validation rows, like everything else
            task = task.calibrated(*_predicted(task, run.model, tokenizer, data["validation"]))
        table, scores = _scores(task, run.model, tokenizer, data["test"], command.baselines(data, task))
    except KeyboardInterrupt:
        raise TrainingError(
            f"interrupted while scoring; the trained model is in '{output}' without scores, and 'helpers evaluate' "
            "gives them"
        ) from None
    saved.add_scores(output, task, scores | {"ladder": table.reset_index().to_dict("records")})
    print(table.round(3).to_string())


def _tell_cuts(cut: int, task, rows: int) -> None:
    if cut:
        _note(
            f"{cut:,} of {rows:,} training texts were cut to {task.max_length} tokens; raise --max-length to keep more"
        )


def _predicted(task, model, tokenizer, rows) -> tuple:
    """Predictions for labelled rows, and what they should have been."""
    encoded = task.encode(tokenizer, rows)
    return task.predict(model, encoded, pad_id=tokenizer.pad_token_id), task.references(encoded)


def _scores(task, model, tokenizer, test, baselines: dict) -> tuple:
    """The ladder up to the fine-tuned model, and that model's scores."""
    from helpers import evaluation

    task = commands.judge(task, tokenizer)
    predictions, references = _predicted(task, model, tokenizer, test)
    groups = _groups(test)
    table = evaluation.ladder(task, {**baselines, "fine-tuned": predictions}, references, groups=groups)
    counts = {"n": len(references)} | ({} if groups is None else {"groups": len(set(groups))})
    return table, task.score(predictions, references) | counts


def _groups(test) -> list[str] | None:
    """What the rows belong to, where they say; rows of one group cannot tell how much other groups differ."""
    groups = test["group"][:] if "group" in test.column_names else []
    if len(set(groups)) == 1 and len(groups) > 1:
        _note(f"all {len(groups)} test rows are of the group '{groups[0][:40]}'; the intervals hold for it alone")
    return groups if len(set(groups)) > 1 else None


def _evaluate(options) -> None:
    from helpers import saved

    task, model, tokenizer = saved.load(options.model)
    command = commands.of(task.name)
    options.owners.check(options, task.name)
    test = command.labelled(options, task)
    baselines = command.baselines(_with_training(options, command, test), task) if options.baselines else {}
    table, scores = _scores(task, model, tokenizer, test, baselines)
    found, task = table.loc["fine-tuned"], commands.judge(task, tokenizer)
    print(f"{task.selection} {found[task.selection]:.3f} [{found['low']:.3f}, {found['high']:.3f}] n={found['n']:.0f}")
    for name, value in scores.items():
        print(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}")
    if baselines:
        print(table.round(3).to_string())


def _with_training(options, command, test):
    """The rows to score on, with rows for the baselines to learn from.

    InputError if the two share texts or groups, or have other labels.
    """
    paths = {"train": options.baselines, "test": options.data}
    command.check_apart({name: command.read(options, path) for name, path in paths.items()}, paths)
    given = argparse.Namespace(**{**vars(options), "data": options.baselines})
    given.validation, given.test, given.seed = None, None, 0
    data = command.corpus(given).data
    for column in {"label", "tags"} & set(test.column_names):
        if data["train"].features[column] != test.features[column]:
            raise InputError(
                f"'{options.baselines}' has other labels than the model in '{options.model}'; "
                "give the rows that it was trained on"
            )
    data["test"] = test
    return data


def _predict(options) -> None:
    from helpers import saved

    task, model, tokenizer = saved.load(options.model)
    options.owners.check(options, task.name)
    task = commands.judge(task, tokenizer)
    command = commands.of(task.name)
    rows = command.unlabelled(options, task)
    predictions = task.predict(model, task.encode(tokenizer, rows), pad_id=tokenizer.pad_token_id)
    for prediction, row in zip(predictions, rows, strict=True):
        print(json.dumps(command.line(task, prediction, row), ensure_ascii=False))
    sys.stdout.flush()


def _card(options) -> None:
    from helpers import cards

    print(cards.write(options.model))


def _serve(options) -> None:
    from helpers import saved

    try:
        from helpers import serve
    except ModuleNotFoundError as error:
        raise InputError(f"'{error.name}' is missing; 'helpers serve' needs pip install {SERVE}") from error
    serve.run(*saved.load(options.model), name=Path(options.model).resolve().name, port=options.port)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} {name}" for name, value in counts.items())


def _is_main() -> bool:
    """Whether this process is the only one, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def _note(sentence: str) -> None:
    if _is_main():
        print(sentence, file=sys.stderr, flush=True)


def _fail(error: object, code: int) -> int:
    print(f"helpers: {error}", file=sys.stderr)
    return code
