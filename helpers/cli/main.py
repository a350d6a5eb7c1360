"""The command `helpers`: fetch models and texts, and train, evaluate and use models on one's own files."""

import argparse
import json
import os
import sys
from dataclasses import fields
from pathlib import Path

from helpers import __version__, scales
from helpers.cli import options as task_options
from helpers.errors import AssetError, InputError, TrainingError
from helpers.scales import SCALES
from helpers.tasks import registry
from helpers.training.recipe import Recipe

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
        from helpers.training.device import out_of_memory

        if not out_of_memory(error):
            raise
        return _fail("memory ran out; close other programs, shorten the longest rows, or take a smaller model", 1)
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one sentence, without the usage."""

    def error(self, message: str):
        self.exit(2, f"helpers: {message}; see '{self.prog} --help'\n")


def parser() -> argparse.ArgumentParser:
    """The command line, one sub-command per verb."""
    root = _Parser(
        "helpers", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--version", action="version", version=f"helpers {__version__}")
    verbs = root.add_subparsers(metavar="command", required=True)
    _verb(verbs, "fetch", _fetch, "download and verify all models and texts")
    _verb(verbs, "assets", _assets, "list the models and texts with their licences")
    corpora = _verb(verbs, "corpora", _corpora, "list the corpora, or show the data card of one")
    corpora.add_argument("name", nargs="?", help="a corpus, for its data card")
    _add_train(_verb(verbs, "train", _train, "fine-tune a model on labelled rows"))
    evaluate = _verb(verbs, "evaluate", _evaluate, "score a trained model on labelled rows", model=True)
    evaluate.add_argument("--data", required=True, help=FILES)
    evaluate.add_argument(
        "--baselines", metavar="FILE", help="training rows, to score cheaper systems on --data as well"
    )
    predict = _verb(
        verbs, "predict", _predict, "predict for the rows of a file or of standard input; writes JSONL", model=True
    )
    predict.add_argument("--data", help=f"{FILES}; without it one row a line is read")
    _verb(verbs, "card", _card, "write a model card, README.md, into the folder of a trained model", model=True)
    serve = _verb(
        verbs, "serve", _serve, "try a trained model on a page of this computer, or by JSON requests", model=True
    )
    serve.add_argument("--port", type=int, default=8000, help="of 127.0.0.1 (default: 8000)")
    for name, verb in (("evaluate", evaluate), ("predict", predict)):
        task_options.add(verb, name)
    return root


def _verb(verbs, name: str, run, about: str, *, model: bool = False) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name, help=about, description=about, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verb.set_defaults(run=run)
    if model:
        verb.add_argument("model", help="folder that 'helpers train' wrote")
    return verb


def _add_train(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--task", default="classification", choices=registry.WINGS, help="what to learn")
    verb.add_argument("--data", required=True, help=FILES)
    task_options.add(verb, "train")
    verb.add_argument("--validation", metavar="FILE", help="rows to choose the best weights (with --test)")
    verb.add_argument("--test", metavar="FILE", help="rows to score once at the end (with --validation)")
    verb.add_argument("--output", required=True, help="new folder for the trained model")
    verb.add_argument("--model", help="a role, a folder, or a name on the Hub (default: what suits the task)")
    verb.add_argument("--scale", choices=SCALES, help="what the role stands for (default: $SFT_SCALE)")
    verb.add_argument("--max-length", type=int, help="tokens kept of a row (default: 256; for generation all)")
    verb.add_argument("--rows", type=int, metavar="N", help="train on so many rows, drawn at random (default: all)")
    verb.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    recipe = verb.add_argument_group("recipe", "see helpers.Recipe for ranges and sources")
    for field in fields(Recipe):
        flag = "--" + field.name.replace("_", "-")
        recipe.add_argument(flag, type=_value, default=field.default, metavar="X", help=f"default: {field.default}")


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
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    task_options.check_owned(options, options.task, "train")
    _note(f"reading {options.data}")  # what follows takes seconds before it has something to tell
    from helpers import saving
    from helpers.workflow.finetune import finetune

    saving.check_free(options.output)
    corpus = registry.wing(options.task, "files").corpus(
        options.data,
        **task_options.values(options, options.task, "COLUMNS"),
        validation=options.validation,
        test=options.test,
        seed=options.seed,
    )
    if options.rows is not None:
        corpus = corpus.drawn(options.rows, options.seed)
    _note(f"{options.data}: {_counts(corpus.card.rows)}; removed {_counts(corpus.card.removed) or 'none'}")
    settings = {"max_length": options.max_length} | task_options.values(options, options.task, "SETTINGS")
    task, output = registry.task_class(options.task).for_corpus(corpus, **settings), options.output
    try:
        with scales.chosen(options.scale):
            run = finetune(task, corpus, recipe, output, model=options.model, resume=options.resume, note=_note)
    except KeyboardInterrupt:
        raise TrainingError(_interrupted(output)) from None
    if run.ladder is not None:
        print(run.ladder.round(3).to_string())


def _interrupted(output: str) -> str:
    """Where an interrupted run stands, and how it goes on."""
    from helpers.training import checkpoints

    if Path(output).exists():
        return f"interrupted after the model was saved; it is in '{output}', and 'helpers evaluate' scores it"
    if checkpoints.newest(checkpoints.work_folder(output)) is None:
        return "interrupted before the first checkpoint; the same command begins anew"
    return "interrupted after a complete step; the same command with --resume goes on"


def _evaluate(options) -> None:
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
        _note(sentence)
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


def _predict(options) -> None:
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


def _card(options) -> None:
    from helpers.saving import model_card

    print(model_card.write(options.model))


def _serve(options) -> None:
    from helpers import saving

    try:
        from helpers.cli import server
    except ModuleNotFoundError as error:
        raise InputError(f"'{error.name}' is missing; 'helpers serve' needs pip install {SERVE}") from error
    server.run(saving.load(options.model), name=Path(options.model).resolve().name, port=options.port)


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
