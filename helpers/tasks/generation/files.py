"""Anyone's prompts with completions, or chats: CSV, TSV, JSONL or Parquet files to a `Corpus`."""

from functools import partial
from pathlib import Path

import pandas as pd
from datasets import Dataset, DatasetDict

from helpers.data import files, shapes
from helpers.data.corpus import Corpus, pair_corpus
from helpers.data.formats import unspelled
from helpers.data.splits import joined, one_completion_each, split_groups
from helpers.errors import InputError
from helpers.tasks.turns import as_turn, check_turns

SHAPES = ("turns", "alpaca", "sharegpt")


def corpus(
    data: str | Path,
    *,
    prompt: str = "prompt",
    completion: str = "completion",
    messages: str = "messages",
    group: str | None = None,
    format: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Corpus:
    """Rows of prompt and completion, or of chats if the file has the column `messages`, split if no split is given.

    Args:
        data: the training rows, or all rows if they are to be split.
        prompt, completion, messages, group: names of columns; rows of one group stay in one split.
        format: how rows are held, as `files.read` takes it; None finds out.
        validation, test: files with the same columns, both or neither.

    Raises InputError for a file that cannot be read, a missing column, an empty prompt or completion, a chat that is no
    list of turns or does not end with the assistant's, fewer than three rows, and a prompt or group that stands in two
    splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        unique, removed = one_completion_each(rows)
        if len(unique) < 3:
            raise InputError(f"'{data}' holds {len(unique)} different prompts; three splits need at least three")
        if "messages" in unique and not group:  # a conversation and its own beginnings belong together
            unique = unique.assign(group=joined([_answers(chat) for chat in unique["messages"]]).astype(str))
        rule = f"at random, seed {seed}" + (f", by {group}" if group else "")
        return split_groups(unique, seed=seed), removed, rule

    names = {"prompt": prompt, "completion": completion, "messages": messages, "group": group, "format": format}
    frames, about = files.in_splits(data, validation, test, read=partial(read, **names), cut=cut, check=check_apart)
    card = pair_corpus(frames, unit="one row of the file", **about).card
    return Corpus(DatasetDict({name: _rows(frame) for name, frame in frames.items()}), card)


def read(
    path: str | Path,
    prompt: str = "prompt",
    completion: str = "completion",
    messages: str = "messages",
    group: str | None = None,
    format: str | None = None,
) -> pd.DataFrame:
    """The rows of a file: prompt, completion and group as strings, their number `row`, and for chats `messages`."""
    rows = files.read(path, format, SHAPES)
    if messages in rows and prompt not in rows:
        chats = [_turns(chat, number, path) for number, chat in rows[messages].items()]
        for number, chat in zip(rows.index, chats, strict=True):
            if chat[-1]["role"] != "assistant" or len(chat) < 2:
                raise InputError(
                    f"messages in row {number} of '{path}' end without an answer; add the assistant's turn"
                )
            check_turns(chat, f"row {number} of '{path}'", True)
        before = ["\n".join(turn["content"] for turn in chat[:-1]) for chat in chats]
        columns = {"prompt": before, "completion": [chat[-1]["content"] for chat in chats], "messages": chats}
    else:
        columns = {"prompt": files.texts(rows, prompt, path), "completion": files.texts(rows, completion, path)}
    columns["group"] = files.texts(rows, group, path) if group else columns["prompt"]
    frame = pd.DataFrame(columns, index=rows.index).assign(row=rows.index)
    frame.attrs["format"] = rows.attrs["format"]
    return frame


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The prompts of a file with completions, or whole chats, and their groups, as the task takes them."""
    return _rows(read(path, **columns))


def check_apart(frames: files.Frames, paths: files.Paths) -> None:
    """InputError if a prompt or a group stands in two files."""
    files.check_apart(frames, paths, "prompt")
    for later, earlier in files.pairs_of(frames):
        if "messages" in frames[later] and "messages" in frames[earlier]:
            known = {answer for chat in frames[earlier]["messages"] for answer in _answers(chat)}
            shared = [any(answer in known for answer in _answers(chat)) for chat in frames[later]["messages"]]
            if any(shared):
                row = frames[later].index[shared.index(True)]
                raise InputError(
                    f"{sum(shared)} chats of '{paths[later]}' share a beginning, answer included, with a chat of "
                    f"'{paths[earlier]}', the first in row {row}; move them into one file"
                )


def unlabelled(
    rows: pd.DataFrame,
    path: str | Path,
    prompt: str = "prompt",
    messages: str = "messages",
    format: str | None = None,
) -> Dataset:
    """Rows to be answered: a column `prompt`, or `messages` without the assistant's last turn, and their number `row`.

    The table is a piece of `path`, as `helpers.data.streams` reads it.
    """
    rows = shapes.as_columns(rows, path, SHAPES, format)
    if messages in rows and prompt not in rows:
        chats = [_turns(chat, number, path) for number, chat in rows[messages].items()]
        chats = [chat[:-1] if _answered(chat) else chat for chat in chats]
        for number, chat in zip(rows.index, chats, strict=True):
            check_turns(chat, f"row {number} of '{path}'", False)
        return Dataset.from_dict({"messages": chats, "row": rows.index})
    return Dataset.from_dict({"prompt": files.texts(rows, prompt, path).tolist(), "row": rows.index})


def _rows(frame: pd.DataFrame) -> Dataset:
    """Rows as the task `Generation` takes them, with their groups and the numbers that they have in their file."""
    columns = ["messages", "group", "row"] if "messages" in frame else ["prompt", "completion", "group", "row"]
    return Dataset.from_dict({name: frame[name].tolist() for name in columns})


def _answers(chat: list[dict]) -> list[str]:
    """Each answer of a chat with all that stands before it: what two chats that begin alike have in common."""
    texts = [f"{turn['role']} {' '.join(turn['content'].casefold().split())}" for turn in chat]
    return ["\x1f".join(texts[: place + 1]) for place, turn in enumerate(chat) if turn["role"] == "assistant"]


def _turns(chat, number: int, path: str | Path) -> list[dict]:
    turns = shapes.items(chat)
    if not turns or not all(isinstance(turn, dict) and "role" in turn for turn in turns):
        raise InputError(
            f"messages in row {number} of '{path}' are no list of turns; write "
            '[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'
        )
    return [as_turn(unspelled(turn), f"row {number} of '{path}'") for turn in turns]


def _answered(turns: list[dict]) -> bool:
    return turns[-1]["role"] == "assistant"
