"""What files hold and what of it a model would learn, before anything is trained: a ledger whose sums close."""

import textwrap
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from helpers import models
from helpers.data import conll
from helpers.data.accounts import Account, account
from helpers.data.corpus import Corpus, sample
from helpers.data.splits import normalised
from helpers.errors import InputError
from helpers.tasks import registry
from helpers.tasks.base import Task
from helpers.tasks.texts import TextTask
from helpers.text import AS_TEXT, special_tokens_written
from helpers.workflow import signs

MOST = 2000  # training rows whose tokens are looked at
FEW = 10  # rows of a label, below which a score of it says little
SCORED = 30  # test rows, below which intervals are wider than most differences
CONTRADICTORY = "same text, other label"
TOKENS = 60  # of a row that is shown
WIDTH = 100  # characters of a line
MARKS = {"trained": ">{}<", "context": "{}", "cut": "~{}~"}


@dataclass(frozen=True)
class Ledger:
    """What became of the bytes, rows and tokens of some files.

    Attributes:
        accounts: the bytes and rows of each file, by its path.
        rows: how many rows are used in each split, and how many are left out, by reason.
        labels: rows (of tagging, words) with each label, over all splits.
        tokens: of the training rows looked at: trained on, read as context, cut off.
        facts: what else is worth knowing, one sentence each.
        cautions: what may spoil a model and hinders nothing, one sentence each.
        problems: what has to be changed, one sentence each.
        examples: rows as the model sees them, with each token marked.
    """

    accounts: Mapping[str, Account]
    rows: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing has to be changed."""
        return not self.problems

    def short(self) -> list[str]:
        """The ledger without tokens and examples, a line each."""
        lines = [
            f"{path}: {one.rows:,} {_unit(one)}; {_sum(one.bytes, ' of ')} = {one.size:,} bytes"
            for path, one in self.accounts.items()
        ]
        lines += [f"rows: {_sum(self.rows)} = {sum(self.rows.values()):,}"] if self.rows else []
        lines += ["labels: " + ", ".join(f"'{name}' {count:,}" for name, count in self.labels.items())] * bool(
            self.labels
        )
        return [*lines, *self.facts, *(f"caution: {caution}" for caution in self.cautions)]

    def text(self) -> str:
        """All of the ledger, to be read in a terminal."""
        lines = self.short()
        if self.tokens:
            lines.append(f"tokens: {_sum(_named(self.tokens))} = {sum(self.tokens.values()):,}")
        lines = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines]
        if self.examples:
            lines += [
                "",
                f"rows as the model sees them: {', '.join(mark.format(name) for name, mark in MARKS.items())}",
            ]
            lines += [textwrap.fill(row, WIDTH, initial_indent="  ", subsequent_indent="  ") for row in self.examples]
        many = f"{len(self.cautions)} caution{'s' * (len(self.cautions) > 1)}"
        ready = f"ready, with {many} above" if self.cautions else "ready"
        verdict = [f"to change: {problem}" for problem in self.problems] or [ready]
        return "\n".join([*lines, "", *verdict])


def _named(tokens: Mapping[str, int]) -> dict[str, int]:
    """The tokens by what becomes of them; where a whole text has a label, none is trained on and all are read."""
    return dict(tokens) if tokens["trained"] else {"read": tokens["context"], "cut": tokens["cut"]}


def _unit(one: Account) -> str:
    return "rows" if one.columns else "sentences"


def _sum(parts: Mapping[str, int], of: str = " ") -> str:
    return " + ".join(f"{count:,}{of}{name}" for name, count in parts.items())


def read(
    task: str,
    data: str | Path,
    *,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
    columns: Mapping[str, Any] | None = None,
) -> tuple[Corpus, Ledger]:
    """The corpus of some files, as the wing's `files.corpus` makes it, and the ledger of their bytes and rows.

    Args:
        task: a name of `registry.WINGS`.
        columns: further arguments of `files.corpus`, such as `text` and `label`.

    Raises InputError for files that cannot be read, and if a row is not accounted for.
    """
    columns, files = dict(columns or {}), registry.wing(task, "files")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        corpus = files.corpus(data, validation=validation, test=test, seed=seed, **columns)
    accounts = _accounts((data, validation, test), columns.get("format"))
    card = corpus.card
    rows = card.rows | {name: count for name, count in card.removed.items() if count}
    held, shape = sum(one.rows for one in accounts.values()), card.source.partition(", read as ")[2]
    if shape != "squad" and sum(rows.values()) != held:  # an article of SQuAD is many questions
        raise InputError(
            f"{sum(rows.values()):,} of the {held:,} rows of '{data}' are accounted for; look for a quotation mark "
            "that opens a field and is not closed, and else please report this"
        )
    facts = [f"the rows are read as {shape}" + _otherwise(shape)] if shape else []
    facts += _unread(accounts, columns) if not shape else []
    facts += [
        f"{one.long:,} row{'s' * (one.long > 1)} of {path} on several lines, in quotes"
        for path, one in accounts.items()
        if one.long
    ]
    facts += dict.fromkeys(str(warning.message) for warning in told if warning.category is UserWarning)
    labels = Counter()
    for counts in card.labels.values():
        labels.update(counts)
    facts += _repeated(corpus) if validation is not None else []
    cautions = _of_labels(labels, task) + _of_rows(rows)
    return corpus, Ledger(accounts, rows, dict(labels.most_common()), facts=tuple(facts), cautions=tuple(cautions))


def check(
    task: str,
    data: str | Path,
    *,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
    columns: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    model: str | None = None,
    shown: int = 3,
) -> Ledger:
    """The ledger of some files with their tokens; what has to be changed stands in it and is not raised.

    Args:
        task, data, validation, test, seed, columns: as `read` takes them.
        settings: fields of the task, such as `max_length`.
        model: whose tokenizer reads the rows, by role, folder or name on the Hub; None is the task's default.
        shown: how many rows are examples.
    """
    try:
        corpus, ledger = read(task, data, validation=validation, test=test, seed=seed, columns=columns)
    except InputError as error:
        return Ledger(_readable((data, validation, test), (columns or {}).get("format")), problems=(str(error),))
    try:
        made = registry.task_class(task).for_corpus(corpus, **(settings or {}))
        return _with_tokens(ledger, made, models.tokenizer(model or made.default_model), corpus, shown)
    except InputError as error:
        return replace(ledger, problems=(str(error),))


def _accounts(paths: tuple, format: str | None) -> dict[str, Account]:
    return {str(path): account(path, format) for path in paths if path is not None}


def _readable(paths: tuple, format: str | None) -> dict[str, Account]:
    """The accounts of those files that have one."""
    accounts = {}
    for path in paths:
        try:
            accounts |= _accounts((path,), format)
        except (InputError, ValueError, OSError):  # what is wrong is told already
            continue
    return accounts


def _otherwise(shape: str) -> str:
    return "" if shape in conll.FORMATS else "; --format columns takes them as they stand"


def _unread(accounts: Mapping[str, Account], columns: Mapping[str, Any]) -> list[str]:
    """Which columns the task does not read."""
    known = {str(name) for value in columns.values() for name in (value, str(value).partition(".")[0])}
    unread = dict.fromkeys(name for one in accounts.values() for name in one.columns if name not in known)
    return [f"columns that are not read: {', '.join(unread)}"] if unread and columns else []


def _of_labels(labels: Counter, task: str) -> list[str]:
    few = [f"'{label}' ({count})" for label, count in labels.items() if count < FEW]
    what, shown = "words" if task == "tagging" else "rows", ", ".join(few[:FEW]) + " ..." * (len(few) > FEW)
    return [f"{len(few)} labels have fewer than {FEW} {what}, {shown}; a score of them says little"] if few else []


def _of_rows(rows: Mapping[str, int]) -> list[str]:
    """Whether much is left out as contradictory, and whether too few rows are left to score on."""
    told, contradictory = [], rows.get(CONTRADICTORY, 0)
    if contradictory > 0.1 * sum(rows.values()):
        told.append(
            f"{contradictory:,} of {sum(rows.values()):,} rows have the text of another row and another label, and are "
            "left out; label equal texts alike"
        )
    if 0 < rows.get("test", 0) < SCORED:
        told.append(f"{rows['test']} test rows tell one model from another only if they are far apart; give more rows")
    return told


def _repeated(corpus: Corpus) -> list[str]:
    """Of splits that are given, and so stay as they are: how many training rows repeat another."""
    rows = corpus.data["train"]
    names = [name for name in ("text", "tokens", "prompt", "question", "context") if name in rows.column_names]
    if not names:
        return []
    keys = [normalised(pd.Series([_joined(value) for value in rows[name]], dtype=object)) for name in names]
    repeated = pd.concat(keys, axis=1).duplicated()
    return [f"{repeated.sum():,} training rows repeat another; given splits stay as they are"] if repeated.any() else []


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


# Tokens


def _with_tokens(ledger: Ledger, task: Task, tokenizer: PreTrainedTokenizerBase, corpus: Corpus, shown: int) -> Ledger:
    """The ledger with what the training rows, or a sample of them, are to the model."""
    rows = sample(corpus.data["train"], MOST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is cut, which is counted here
        encoded = task.encode(tokenizer, rows)
    cut = _cut(task, tokenizer, rows, encoded)
    tokens = Counter({"trained": 0, "context": 0, "cut": sum(map(len, cut))})
    marked = []
    for row, lost in zip(encoded, cut, strict=True):
        states = _states(row)
        tokens.update(states)
        if len(marked) < shown:
            marked.append(_marked(tokenizer, row["input_ids"], states, lost) + _label(task, row))
    lengths = [len(ids) + len(lost) for ids, lost in zip(encoded["input_ids"], cut, strict=True)]
    facts = [*ledger.facts, *_of_tokens(lengths, sum(map(bool, cut)), len(rows), len(corpus.data["train"]))]
    if len(encoded) > len(rows):
        facts.append(f"long rows are read in windows that overlap: {len(encoded):,} windows for {len(rows):,} rows")
    cautions = (*ledger.cautions, *signs.unreadable(tokenizer, rows))
    unknown, _ = signs.unreadable_share(tokenizer, signs.texts_of(rows))
    facts += [f"{unknown:.1%} of the tokens are unknown to the model"] * (unknown <= signs.UNREADABLE)
    special = special_tokens_written(tokenizer, signs.texts_of(rows))
    facts += [f"{special:,} texts spell a special token of the model, which is read as text"] if special else []
    return replace(ledger, tokens=dict(tokens), facts=tuple(facts), cautions=cautions, examples=tuple(marked))


def _of_tokens(lengths: list[int], cut: int, rows: int, of: int) -> list[str]:
    median, most = (int(np.quantile(lengths, share)) for share in (0.5, 0.95))
    whose = f"a sample of {rows:,} of the {of:,} training rows" if rows < of else f"the {of:,} training rows"
    told = f"tokens of {whose}: half have up to {median:,}, 95 % up to {most:,}, the longest {max(lengths):,}"
    return [f"{told}; {cut / rows:.1%} of them are cut" + (", raise --max-length to keep more" if cut else "")]


def _states(row: Mapping[str, Any]) -> list[str]:
    """What each token of an encoded row is: trained on, or context.

    Which tokens add to the loss, each task's `encode` says in its own columns. The label of a whole text stands at no
    token, so that all of a text is context.
    """
    count = len(row["input_ids"])
    if "counts" in row:  # generation
        trained = np.flatnonzero(row["counts"])
    elif "labels" in row and isinstance(row.get("first"), list):  # tagging: the first token of each word
        trained = row["first"]
    elif row.get("start"):  # extraction: the answer, if it is in this window
        trained = range(row["start"], row["end"] + 1)
    else:
        trained = []
    states = ["context"] * count
    for place in trained:
        states[place] = "trained"
    return states


def _cut(task: Task, tokenizer: PreTrainedTokenizerBase, rows: Dataset, encoded: Dataset) -> list[list[int | None]]:
    """The tokens that each encoded row has lost; None for one that is counted and not known."""
    if "cut" in encoded.column_names:  # generation
        return [[None] * count for count in encoded["cut"]]
    if "text" not in rows.column_names or len(encoded) != len(rows):  # read in windows, of which none is lost
        return [[] for _ in encoded]
    whole = tokenizer(rows["text"][:], verbose=False, return_attention_mask=False, **AS_TEXT)["input_ids"]
    end = tokenizer.num_special_tokens_to_add() // 2  # special tokens that stand behind the text
    pairs = zip(encoded["input_ids"], whole, strict=True)
    return [ids[len(kept) - end : len(ids) - end] if len(kept) < len(ids) else [] for kept, ids in pairs]


def _marked(tokenizer: PreTrainedTokenizerBase, ids: list[int], states: list[str], cut: list) -> str:
    """The tokens of a row with their marks, as text."""
    known = [token for token in cut if token is not None]
    pairs = [*zip(ids, states, strict=True), *((token, "cut") for token in known)]
    shown = [MARKS[state].format(_shown(tokenizer, token)) for token, state in pairs[:TOKENS]]
    more = len(ids) + len(cut) - len(shown)
    return " ".join(shown) + (f" ... {more:,} more" if more else "")


def _label(task: Task, row: Mapping[str, Any]) -> str:
    """What a whole text is trained to get, behind it."""
    if not isinstance(task, TextTask) or "labels" not in row:
        return ""
    many = isinstance(row["labels"], list)  # 1.0 or 0.0 for each label
    own = [name for name, yes in zip(task.labels, row["labels"], strict=True) if yes] if many else None
    return f" {MARKS['trained'].format(', '.join(own) if many else task.labels[row['labels']])}"


def _shown(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    text = tokenizer.decode([token])
    return text.strip() if text.strip() else repr(text)[1:-1]
