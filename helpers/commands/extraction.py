"""The shell's part for extraction: columns of questions, contexts and answers."""

import json

MODEL = "encoder"
FIELDS = ("question", "context")
GROUPED = False  # a row belongs to its context


def add_columns(parser) -> None:
    """Name the columns of questions, contexts and answers."""
    add_input(parser)
    parser.add_argument(
        "--answer",
        default="answers",
        metavar="COLUMN",
        help="column of the answers: a piece of the context, empty for none, or as in SQuAD (default: answers)",
    )


def add_input(parser) -> None:
    """Name the columns of questions and contexts."""
    for name in FIELDS:
        parser.add_argument(
            f"--{name}", default=name, metavar="COLUMN", help=f"column of the {name}s (default: {name})"
        )


def corpus(options):
    """Questions with answers, split by context."""
    from helpers.corpora import spans

    files = {"validation": options.validation, "test": options.test}
    columns = {"question": options.question, "context": options.context, "answer": options.answer}
    return spans.corpus(options.data, **columns, **files, seed=options.seed)


def task(_corpus, options):
    """Extraction in windows that share a quarter of their tokens."""
    from helpers.tasks.extraction import Extraction

    length = 256 if options.max_length is None else options.max_length
    return Extraction(length, length // 4)


def baselines(data, _task) -> dict:
    """No answer, a random span, and the sentence that shares most words with the question."""
    from helpers import finders

    return {
        "no answer": finders.no_answer(data["test"]),
        "random span": finders.random_span(data["train"], data["test"]),
        "overlapping sentence": finders.overlapping_sentence(data["test"]),
    }


def read(options, path):
    """Questions with contexts and answers."""
    from helpers.corpora import spans

    return spans.labelled(path, options.question, options.context, options.answer)


def check_apart(frames, paths) -> None:
    """No context in two files."""
    from helpers.corpora import tables

    tables.check_apart(frames, paths, "context")


def labelled(options, _task):
    """Questions with contexts and answers; questions on one context are one group."""
    from helpers.corpora import spans

    return spans.dataset(spans.grouped(read(options, options.data)))


def unlabelled(options, _task):
    """Questions and contexts of a file, or a JSON object a line with both."""
    from helpers.corpora import spans

    if options.data:
        return spans.dataset(spans.unlabelled(options.data, options.question, options.context))
    return _standard_input({"question": options.question, "context": options.context})


def _standard_input(names: dict[str, str]):
    from datasets import Dataset

    from helpers import commands
    from helpers.errors import InputError
    from helpers.texts import half_character

    rows = []
    for number, line in enumerate(commands.standard_input(), start=1):
        try:
            given = json.loads(line)
            rows.append({name: given[column] for name, column in names.items()})
            if not all(isinstance(text, str) for text in rows[-1].values()):
                raise TypeError("a text is no string")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"line {number} of standard input is no JSON object with {' and '.join(names.values())}; "
                'write {"question": "...", "context": "..."} on each line, or give --data'
            ) from error
        if any(map(half_character, rows[-1].values())):
            raise InputError(
                f"line {number} of standard input holds half a character (a lone surrogate); write whole ones"
            )
    return Dataset.from_list(rows)


def line(task, prediction, _row) -> dict:
    """The answer, empty for none, and where it stands in the context."""
    answer = task.answer(prediction)
    place = {"start": prediction.start, "end": prediction.end} if answer else {}
    # A context without words has no span to compare, and JSON has no word for minus infinity.
    return {"answer": answer, **place, "margin": round(max(prediction.margin, -1e6), 4)}


def row(fields: dict[str, str]) -> dict:
    """What a person typed, as a row without labels."""
    return fields
