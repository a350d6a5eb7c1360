"""The shell's part for tagging: CoNLL columns, or JSONL with lists of words and tags."""

MODEL = "encoder"
FIELDS = ("text",)
GROUPED = True


def add_columns(parser) -> None:
    """Name the fields of words and tags."""
    add_input(parser)
    parser.add_argument("--tags", default="tags", metavar="COLUMN", help="field of the tags (default: tags)")


def add_settings(parser) -> None:
    """Name the head."""
    parser.add_argument("--head", default="softmax", choices=["softmax", "crf"], help="default: softmax")


def add_input(parser) -> None:
    """Name the field of words."""
    parser.add_argument("--tokens", default="tokens", metavar="COLUMN", help="field of the words (default: tokens)")


def corpus(options):
    """Tagged sentences, split by document where the file marks documents."""
    from helpers.corpora import tagged

    files = {"validation": options.validation, "test": options.test}
    return tagged.corpus(
        options.data, tokens=options.tokens, tags=options.tags, group=options.group, **files, seed=options.seed
    )


def task(corpus, options):
    """Tagging with the corpus's tags; spans are kept legal at decoding."""
    from helpers.tasks.tagging import Tagging

    found = Tagging(corpus.labels, options.head, max_length=256 if options.max_length is None else options.max_length)
    return Tagging(corpus.labels, options.head, constrain=found.spans, max_length=found.max_length)


def baselines(data, task) -> dict:
    """The most frequent tag of each word, and a classical CRF with hand-made features."""
    from helpers import taggers

    return {
        "most frequent": taggers.most_frequent(data["train"], data["test"]),
        "classical crf": taggers.crfsuite(data["train"], data["validation"], data["test"], task),
    }


def read(options, path):
    """Sentences with their tags and, where they are known, groups."""
    from helpers.corpora import tagged

    return tagged.read(path, options.tokens, options.tags, options.group)


def check_apart(frames, paths) -> None:
    """No long sentence and no group in two files."""
    from helpers.corpora import tagged

    tagged.check_apart(frames, paths)


def labelled(options, task):
    """Sentences with tags that the task knows."""
    from helpers.corpora import tagged

    rows = read(options, options.data)
    tagged.check_tags(rows, task.tags, options.data)
    return tagged.dataset(rows, task.tags)


def unlabelled(options, _task):
    """Words of a file, or one sentence a line with blanks between words."""
    from datasets import Dataset

    from helpers import commands
    from helpers.corpora import tagged

    if options.data:
        words = tagged.words(options.data, options.tokens)
    else:
        words = [line.split() for line in commands.standard_input()]
    return Dataset.from_dict({"tokens": words})


def line(task, prediction, row) -> dict:
    """The words and their tags, and the spans that the tags mark."""
    from helpers import metrics

    tags = task.names(prediction)
    result = {"tokens": row["tokens"], "tags": tags}
    if task.spans:
        found = sorted(metrics.spans(tags), key=lambda span: span[1])
        result["spans"] = [
            {"kind": kind, "start": start, "end": end, "text": " ".join(row["tokens"][start:end])}
            for kind, start, end in found
        ]
    return result


def row(fields: dict[str, str]) -> dict:
    """The words that a person typed with blanks between them, as a row without tags."""
    return {"tokens": fields["text"].split()}
