"""The shell's part for generation: prompts with completions, or chats."""

MODEL = "decoder"
FIELDS = ("prompt",)
GROUPED = True


def add_columns(parser) -> None:
    """Name the columns of prompts, completions and chats."""
    add_input(parser)
    parser.add_argument(
        "--completion", default="completion", metavar="COLUMN", help="column of the completions (default: completion)"
    )


def add_settings(parser) -> None:
    """Say how rows are framed and trained on."""
    parser.add_argument("--template", default="chat", choices=["chat", "plain"], help="default: chat")
    parser.add_argument("--system", metavar="TEXT", help="system turn of each prompt (default: the template's)")
    parser.add_argument(
        "--supervise", default="completion", choices=["completion", "all"], help="what counts (default: completion)"
    )
    parser.add_argument("--max-new-tokens", type=int, default=64, metavar="N", help="of an answer (default: 64)")
    parser.add_argument("--lora-rank", type=int, metavar="N", help="train LoRA matrices only, merged at the end")


def add_input(parser) -> None:
    """Name the columns of prompts and chats."""
    parser.add_argument("--prompt", default="prompt", metavar="COLUMN", help="column of the prompts (default: prompt)")
    parser.add_argument(
        "--messages", default="messages", metavar="COLUMN", help="column of chats, without prompts (default: messages)"
    )


def corpus(options):
    """Prompts with completions, or chats; rows of a group, if one is named, stay together."""
    from helpers.corpora import chats

    files = {"validation": options.validation, "test": options.test}
    columns = {"prompt": options.prompt, "completion": options.completion, "messages": options.messages}
    return chats.corpus(options.data, **columns, group=options.group, **files, seed=options.seed)


def task(_corpus, options):
    """Generation as the options say; nothing is cut unless --max-length is given."""
    from helpers.errors import InputError
    from helpers.tasks.generation import Generation

    if options.max_length is not None and options.max_length <= options.max_new_tokens:
        raise InputError(
            f"--max-length {options.max_length} leaves no token for a prompt beside --max-new-tokens "
            f"{options.max_new_tokens}; raise the one or lower the other"
        )
    names = ("template", "system", "supervise", "max_length", "max_new_tokens", "lora_rank")
    return Generation(**{name: getattr(options, name) for name in names})


def judge(task, tokenizer):
    """The task as the shell scores it: by the texts that the model writes."""
    return Written(task, tokenizer)


def baselines(data, _task) -> dict:
    """The prompt itself, and the completion of the most similar training prompt."""
    from datasets import Dataset

    from helpers import pair_baselines

    train, test = (Dataset.from_list([_pair(row) for row in data[name]]) for name in ("train", "test"))
    return {"copy": pair_baselines.copied(test), "nearest prompt": pair_baselines.memory(train, test)}


def read(options, path):
    """Prompts with completions and groups, and the chats that they come from."""
    from helpers.corpora import chats

    return chats.learnable(path, options.prompt, options.completion, options.messages, options.group)


def check_apart(frames, paths) -> None:
    """No prompt and no group in two files."""
    from helpers.corpora import tables

    tables.check_apart(frames, paths, "prompt")


def labelled(options, _task):
    """Prompts with completions, or whole chats, and their groups."""
    from helpers.corpora import chats

    return chats.dataset(read(options, options.data))


def unlabelled(options, _task):
    """Prompts or chats of a file, or one prompt a line."""
    from datasets import Dataset

    from helpers import commands
    from helpers.corpora import chats

    if options.data:
        return chats.askable(options.data, options.prompt, options.messages)
    return Dataset.from_dict({"prompt": commands.standard_input()})


def line(_task, prediction, _row) -> dict:
    """What the model wrote."""
    return {"completion": prediction}


def row(fields: dict[str, str]) -> dict:
    """What a person typed, as a row without completion."""
    return fields


def _pair(row: dict) -> dict[str, str]:
    """The last prompt of a row and its completion."""
    if "messages" in row:
        return {"prompt": row["messages"][-2]["content"], "completion": row["messages"][-1]["content"]}
    return {"prompt": row["prompt"], "completion": row["completion"]}


class Written:
    """`Generation` with texts as predictions: what the model writes, scored by chrF against what it should write.

    It has the names of a task, so that the shell and `evaluation.ladder` take it as one.
    """

    selection = "chrf"

    def __init__(self, task, tokenizer):
        from helpers import metrics

        self.task, self.tokenizer, self.name = task, tokenizer, task.name
        self.metrics = [metrics.load(name) for name in ("chrf", "bleu", "length_ratio")]

    def encode(self, tokenizer, data):
        """As the task does, with the completions beside the tokens."""
        encoded = self.task.encode(tokenizer, data)
        if "completion" not in data.column_names and not _learnable(data):
            return encoded
        return encoded.add_column("completion", [_pair(row)["completion"] for row in data])

    def predict(self, model, data, *, pad_id: int = 0) -> list[str]:
        """What the model writes after each prompt; the tokenizer's own pad token is used."""
        return self.task.generate(model, self.tokenizer, data).texts

    def references(self, data) -> list[str]:
        """The completions of the rows."""
        return data["completion"][:]

    def per_row(self, predictions, references):
        """What chrF is made of, a row each."""
        return self.metrics[0].per_row(predictions, references)

    def from_counts(self, counts):
        """chrF from counts."""
        return self.metrics[0].from_counts(counts)

    def score(self, predictions, references) -> dict[str, float | str]:
        """chrF, BLEU, the ratio of lengths, the share of completions that are met exactly, and chrF's signature."""
        scores = {"exact_match": sum(map(str.__eq__, predictions, references)) / len(references)}
        for metric in self.metrics:
            scores |= metric.compute(predictions=predictions, references=references)
        return scores | {"signature": self.metrics[0].signature}


def _learnable(data) -> bool:
    return "messages" in data.column_names and data[0]["messages"][-1]["role"] == "assistant"
