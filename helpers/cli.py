"""The command `helpers`: fetch models and texts, and train, evaluate and use a classifier on one's own files."""

import argparse
import json
import os
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from helpers.errors import AssetError, InputError, TrainingError

EXAMPLES = """\
examples:
  helpers fetch
  helpers train --task classification --data mail.csv --text body --label folder --output model/
  helpers train --data reviews.jsonl --group film --output model/ --epochs 4 --learning-rate 5e-5
  helpers evaluate model/ --data new.csv --text body --label folder
  helpers predict model/ --data unseen.csv --text body > predictions.jsonl
  echo "A slick, engrossing melodrama." | helpers predict model/

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
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line, one sub-command a verb."""
    root = argparse.ArgumentParser(
        "helpers", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = root.add_subparsers(metavar="command", required=True)
    _verb(verbs, "fetch", _fetch, "download and verify all models and texts")
    _verb(verbs, "assets", _assets, "list the models and texts with their licences")
    listing = _verb(verbs, "corpora", _corpora, "list the corpora, or show the data card of one")
    listing.add_argument("name", nargs="?", help="a corpus, for its data card")
    _add_train(_verb(verbs, "train", _train, "fine-tune a model on labelled rows"))
    evaluate = _verb(verbs, "evaluate", _evaluate, "score a trained model on labelled rows")
    evaluate.add_argument("model", help="folder that 'helpers train' wrote")
    _add_columns(evaluate)
    predict = _verb(verbs, "predict", _predict, "label rows, or lines of standard input; writes JSONL")
    predict.add_argument("model", help="folder that 'helpers train' wrote")
    predict.add_argument("--data", help="CSV, TSV, JSONL or Parquet file; without it one text a line is read")
    predict.add_argument("--text", default="text", metavar="COLUMN", help="column of the texts (default: text)")
    return root


def _verb(verbs, name: str, run, about: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name, help=about, description=about, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verb.set_defaults(run=run)
    return verb


def _add_columns(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--data", required=True, help="CSV, TSV, JSONL or Parquet file in UTF-8")
    verb.add_argument("--text", default="text", metavar="COLUMN", help="column of the texts (default: text)")
    verb.add_argument("--label", default="label", metavar="COLUMN", help="column of the labels (default: label)")


def _add_train(verb: argparse.ArgumentParser) -> None:
    from helpers.recipe import Recipe

    verb.add_argument("--task", default="classification", choices=["classification"], help="what to learn")
    _add_columns(verb)
    verb.add_argument("--group", metavar="COLUMN", help="rows with the same value here stay in one split")
    verb.add_argument("--validation", metavar="FILE", help="rows to choose the best weights (with --test)")
    verb.add_argument("--test", metavar="FILE", help="rows to score once at the end (with --validation)")
    verb.add_argument("--output", required=True, help="new folder for the trained model")
    verb.add_argument("--model", default="encoder", help="a role, a folder, or a name on the Hub (default: encoder)")
    verb.add_argument("--scale", choices=["laptop", "gpu"], help="what the role stands for (default: $SFT_SCALE)")
    verb.add_argument("--max-length", type=int, default=256, help="tokens kept of a text (default: 256)")
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
    from helpers import assets, models

    assets.fetch_all()
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
    from helpers import baselines, checkpoints, evaluation, models, saved
    from helpers.corpora import tables
    from helpers.recipe import Recipe
    from helpers.tasks import TASKS
    from helpers.training import fit

    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    output = Path(options.output)
    saved.check_free(output)
    files = {"validation": options.validation, "test": options.test}
    columns = {"text": options.text, "label": options.label, "group": options.group}
    corpus = tables.corpus(options.data, **columns, **files, seed=options.seed)
    _note(f"{options.data}: {_counts(corpus.card.rows)}; removed {_counts(corpus.card.removed) or 'none'}")

    task = TASKS[options.task](corpus.labels, options.max_length)
    tokenizer = models.tokenizer(options.model, scale=options.scale)
    model = task.build(options.model, scale=options.scale, seed=options.seed)
    data = corpus.data
    _note(f"training {recipe.epochs} epochs; checkpoints in {checkpoints.work_folder(output)}")
    try:
        run = fit(
            task, model, tokenizer, data["train"], data["validation"], recipe, output=output, resume=options.resume
        )
    except KeyboardInterrupt:
        raise TrainingError("interrupted after a complete step; the same command with --resume goes on") from None

    encoded = task.encode(tokenizer, data["test"])
    systems = {
        "majority": baselines.majority(data["train"], data["test"]),
        "tf-idf": baselines.tfidf(data["train"], data["validation"], data["test"]),
        "fine-tuned": task.predict(run.model, encoded, pad_id=tokenizer.pad_token_id),
    }
    references = task.references(encoded)
    table = evaluation.ladder(task, systems, references)
    scores = task.score(systems["fine-tuned"], references) | {"n": len(references)}
    saved.save(output, task, run, tokenizer, corpus.card, scores | {"ladder": table.reset_index().to_dict("records")})
    print(table.round(3).to_string())
    _note(f"{run.rows_per_second:.0f} rows/s, {run.seconds:.0f} s of training, {run.precision}; model in {output}")


def _evaluate(options) -> None:
    from helpers import evaluation, saved
    from helpers.corpora import tables
    from helpers.corpora.base import dataset

    task, model, tokenizer = saved.load(options.model)
    rows = tables.labelled(options.data, options.text, options.label)
    tables.check_labels(rows, task.labels, options.data)
    encoded = task.encode(tokenizer, dataset(rows, list(task.labels)))
    predictions, references = task.predict(model, encoded, pad_id=tokenizer.pad_token_id), task.references(encoded)
    found = evaluation.interval(task.per_row(predictions, references))
    print(f"{task.selection} {found} n={found.n}")
    for name, value in task.score(predictions, references).items():
        print(f"{name} {value:.4f}")


def _predict(options) -> None:
    from datasets import Dataset

    from helpers import saved
    from helpers.corpora import tables

    task, model, tokenizer = saved.load(options.model)
    if options.data:
        texts = tables.texts(tables.read(options.data), options.text, options.data).tolist()
    else:
        texts = _lines(sys.stdin.buffer.read())
    encoded = task.encode(tokenizer, Dataset.from_dict({"text": texts}))
    for row in task.predict(model, encoded, pad_id=tokenizer.pad_token_id):
        probabilities = {name: round(float(p), 6) for name, p in zip(task.labels, row, strict=True)}
        print(json.dumps({"label": task.labels[int(row.argmax())], "probabilities": probabilities}, ensure_ascii=False))
    sys.stdout.flush()


def _lines(content: bytes) -> list[str]:
    try:
        lines = [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8 (byte {error.start}); convert it to UTF-8") from error
    if not lines:
        raise InputError("standard input holds no text; write one text a line, or give --data")
    return lines


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} {name}" for name, value in counts.items())


def _note(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _fail(error: object, code: int) -> int:
    print(f"helpers: {error}", file=sys.stderr)
    return code
