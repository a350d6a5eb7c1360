"""The shell's part for classification: columns of texts and labels."""

MODEL = "encoder"
FIELDS = ("text",)
GROUPED = True


def add_columns(parser) -> None:
    """Name the columns of texts and labels."""
    add_input(parser)
    parser.add_argument("--label", default="label", metavar="COLUMN", help="column of the labels (default: label)")


def add_input(parser) -> None:
    """Name the column of texts."""
    parser.add_argument("--text", default="text", metavar="COLUMN", help="column of the texts (default: text)")


def corpus(options):
    """Labelled texts, split by label and group."""
    from helpers.corpora import tables

    files = {"validation": options.validation, "test": options.test}
    columns = {"text": options.text, "label": options.label, "group": options.group}
    return tables.corpus(options.data, **columns, **files, seed=options.seed)


def task(corpus, options):
    """Classification with the corpus's labels."""
    from helpers.tasks.classification import Classification

    return Classification(corpus.labels, 256 if options.max_length is None else options.max_length)


def longer(task, tokenizer, rows) -> int:
    """How many texts have more tokens than the task keeps."""
    ids = tokenizer(rows["text"][:], truncation=True, max_length=task.max_length + 1)["input_ids"]
    return sum(len(row) > task.max_length for row in ids)


def baselines(data, _task) -> dict:
    """The most frequent label, and TF-IDF with logistic regression."""
    from helpers import baselines

    return {
        "majority": baselines.majority(data["train"], data["test"]),
        "tf-idf": baselines.tfidf(data["train"], data["validation"], data["test"]),
    }


def read(options, path):
    """Texts with their labels and, if they are named, groups."""
    from helpers.corpora import tables

    return tables.labelled(path, options.text, options.label, options.group)


def check_apart(frames, paths) -> None:
    """No text and no group in two files."""
    from helpers.corpora import tables

    tables.check_apart(frames, paths)


def labelled(options, task):
    """Texts with labels that the task knows."""
    from helpers.corpora import tables
    from helpers.corpora.base import dataset

    rows = read(options, options.data)
    tables.check_labels(rows, task.labels, options.data)
    return dataset(rows, list(task.labels))


def unlabelled(options, _task):
    """Texts of a column, or one a line."""
    from datasets import Dataset

    from helpers import commands
    from helpers.corpora import tables

    if options.data:
        texts = tables.texts(tables.read(options.data), options.text, options.data).tolist()
    else:
        texts = commands.standard_input()
    return Dataset.from_dict({"text": texts})


def line(task, prediction, _row) -> dict:
    """The likeliest label, and the probability of each."""
    probabilities = {name: round(float(p), 6) for name, p in zip(task.labels, prediction, strict=True)}
    return {"label": task.labels[int(prediction.argmax())], "probabilities": probabilities}


def row(fields: dict[str, str]) -> dict:
    """What a person typed, as a row without labels."""
    return fields
