"""The command `helpers`: fetch models and texts, and train, evaluate and use models on one's own files."""

import argparse
import os
import sys
from pathlib import Path

from helpers import __version__
from helpers.cli import check, evaluate, export, predict, results, train, tune
from helpers.cli.config import Parser
from helpers.errors import AssetError, InputError, TrainingError

SERVE = "fastapi uvicorn"  # the optional extra `serve` of pyproject.toml
EXAMPLES = """\
examples:
  helpers fetch
  helpers assets
  helpers corpora mail
  helpers results list
  helpers check mail.csv --task classification --text body --label folder
  helpers train --task classification --data mail.csv --text body --label folder --output model/
  helpers train --task tagging --data names.conll --output model/
  helpers train --task generation --data pairs.jsonl --prompt source --completion target --output model/
  helpers train --data reviews.jsonl --group film --output model/ --epochs 4 --learning-rate 5e-5
  helpers train --config model/run.toml --output again/
  helpers evaluate model/ --data new.csv --text body --label folder
  helpers tune --data mail.csv --text body --label folder --output search/
  helpers predict model/ --data unseen.csv --text body --id number > predictions.jsonl
  echo "A slick, engrossing melodrama." | helpers predict model/
  helpers train --task extraction --data questions.jsonl --answer answers --output finder/
  helpers card model/
  helpers export model/ --to onnx --data new.csv --text body --label folder --output exported/
  helpers export model/ --to onnx-int8 --data new.csv --text body --label folder --output small/
  helpers export writer/ --to gguf --data pairs.jsonl --prompt source --completion target --output llama/
  helpers serve model/ --port 8000
  helpers results show reviews-curve

exit codes: 0 done, 1 failed (network, disk, a diverged or interrupted run), 2 something to change in data or arguments,
3 'predict' is done, and some rows have an error in place of an answer
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. A user's mistake is one sentence on standard error."""
    try:
        options = parser().parse_args(arguments)
        return options.run(options) or 0
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


def parser() -> argparse.ArgumentParser:
    """The command line, one sub-command per verb."""
    root = Parser("helpers", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--version", action="version", version=f"helpers {__version__}")
    verbs = root.add_subparsers(metavar="command", required=True)
    _verb(verbs, "fetch", _fetch, "download and verify all models and texts")
    _verb(verbs, "assets", _assets, "list the models and texts with their licences")
    corpora = _verb(verbs, "corpora", _corpora, "list the corpora, or show the data card of one")
    corpora.add_argument("name", nargs="?", help="a corpus, for its data card")
    results.add(_verb(verbs, "results", results.run, "print what the experiments of the book recorded"))
    check.add(_verb(verbs, "check", check.run, "say what is in a file of rows, and whether it can be trained on"))
    train.add(_verb(verbs, "train", train.run, "fine-tune a model on labelled rows"))
    about = "search the learning rate and the number of epochs on validation rows"
    tune.add(_verb(verbs, "tune", tune.run, about))
    evaluate.add(_verb(verbs, "evaluate", evaluate.run, "score a trained model on labelled rows", model=True))
    about = "predict for the rows of a file or of standard input; writes JSONL"
    predict.add(_verb(verbs, "predict", predict.run, about, model=True))
    _verb(verbs, "card", _card, "write a model card, README.md, into the folder of a trained model", model=True)
    about = "write a trained model as a file for other programs, after a trial beside PyTorch"
    export.add(_verb(verbs, "export", export.run, about, model=True))
    serve = _verb(
        verbs, "serve", _serve, "try a trained model on a page of this computer, or by JSON requests", model=True
    )
    serve.add_argument("--port", type=int, default=8000, help="of 127.0.0.1 (default: 8000)")
    return root


def _verb(verbs, name: str, run, about: str, *, model: bool = False) -> argparse.ArgumentParser:
    own = "\n".join(line for line in EXAMPLES.splitlines() if f"helpers {name} " in f"{line} ")
    words = {"help": about, "description": about, "epilog": own and f"examples:\n{own}"}
    verb = verbs.add_parser(name, **words, formatter_class=argparse.RawDescriptionHelpFormatter)
    verb.set_defaults(run=run)
    if model:
        verb.add_argument("model", help="folder that 'helpers train' wrote")
    return verb


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


def _card(options) -> None:
    from helpers.saving import model_card

    print(model_card.write(options.model))


def _serve(options) -> None:
    from helpers.export.opening import opened

    try:
        from helpers.cli import server
    except ModuleNotFoundError as error:
        raise InputError(f"'{error.name}' is missing; 'helpers serve' needs pip install {SERVE}") from error
    server.run(opened(options.model), name=Path(options.model).resolve().name, port=options.port)


def _fail(error: object, code: int) -> int:
    print(f"helpers: {error}", file=sys.stderr)
    return code
