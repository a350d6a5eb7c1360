"""Shapes in which others publish rows, and what makes them the columns that a task reads.

To add one: a function from rows to rows, and a line in `SHAPES`. The numbers of the rows in their file, which the index
holds, stay as they are, unless one row of the file becomes several.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from helpers.errors import InputError
from helpers.text import word_spans

PLAIN = "columns"  # the rows as they stand there
ROLES = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "observation": "tool",
}  # of ShareGPT, as templates say


def as_columns(rows: pd.DataFrame, path: object, shapes: Sequence[str], name: str | None = None) -> pd.DataFrame:
    """Rows of a file in the columns of a task; `attrs["format"]` says which shape was found.

    Args:
        path: of the file, for messages.
        shapes: names in `SHAPES` that the task takes.
        name: one of them, or `PLAIN`; None finds out.

    Raises InputError for a name that is none of them, and for a row that is not of the shape.
    """
    if name not in (None, PLAIN, *shapes):
        raise InputError(f"format '{name}' is not one that this task reads; choose {', '.join((PLAIN, *shapes))}")
    if name is None:
        name = next((shape for shape in shapes if SHAPES[shape][0](rows)), PLAIN)
    if name != PLAIN:
        if not SHAPES[name][0](rows):
            columns = ", ".join(map(str, rows.columns))
            raise InputError(f"'{path}' is not in the format {name}; its columns are {columns}")
        rows = SHAPES[name][1](rows.copy(), path)
    rows.attrs["format"] = name
    return rows


def items(value) -> list | None:
    """A list, an array, or a text that spells a JSON list, as a list; None for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):
            value = json.loads(value)
    return list(value) if isinstance(value, (list, tuple, np.ndarray)) else None


def _first(rows: pd.DataFrame, column: str):
    """The first value of a column that is there; None if there is none."""
    held = rows[column].dropna() if column in rows else []
    return held.iloc[0] if len(held) else None


def _is_turns(value) -> bool:
    held = items(value)
    return bool(held) and all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in held)


def _has_turns(rows: pd.DataFrame) -> bool:
    both = _is_turns(_first(rows, "prompt")), "completion" not in rows or _is_turns(_first(rows, "completion"))
    return all(both)


def _written(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column of texts, with an empty one where there is nothing."""
    if column not in rows:
        return pd.Series("", index=rows.index, dtype=object)
    return rows[column].map(lambda value: "" if value is None or value is np.nan else value)


def _alpaca(rows: pd.DataFrame, path: object) -> pd.DataFrame:
    """Instruction and input with a line end between them are the prompt; system and history, if any, make a chat.

    Source: Taori et al. (2023), https://github.com/tatsu-lab/stanford_alpaca; system and history as LLaMA-Factory has.
    """
    asked = [
        f"{instruction}\n{more}" if str(more).strip() else instruction
        for instruction, more in zip(_written(rows, "instruction"), _written(rows, "input"), strict=True)
    ]
    system, history = _written(rows, "system"), _written(rows, "history")
    rows["instruction"] = rows["prompt"] = pd.Series(asked, index=rows.index, dtype=object)
    if "output" in rows:  # else it is asked for
        rows["completion"] = rows["output"]
    if not any(map(len, system)) and not any(map(len, history)):
        return rows
    rows["messages"] = [
        [{"role": "system", "content": first}] * bool(first)
        + [turn for said, answered in before for turn in _exchange(said, answered)]
        + _exchange(prompt, answer)[: 1 + ("output" in rows)]
        for first, before, prompt, answer in zip(system, history, asked, _written(rows, "output"), strict=True)
    ]
    return rows.drop(columns=["prompt"])


def _exchange(said: str, answered: str) -> list[dict]:
    return [{"role": "user", "content": said}, {"role": "assistant", "content": answered}]


def _sharegpt(rows: pd.DataFrame, path: object) -> pd.DataFrame:
    """Conversations of `from` and `value`, human and gpt, as messages of `role` and `content`, user and assistant."""
    system, chats = _written(rows, "system"), []
    for row, chat in rows["conversations"].items():
        turns = items(chat) or []
        if not turns or not all(isinstance(turn, dict) and {"from", "value"} <= turn.keys() for turn in turns):
            if _is_turns(chat):
                chats.append(turns)
                continue
            raise InputError(
                f"conversations in row {row} of '{path}' are no list of turns; write "
                '[{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]'
            )
        renamed = [
            {"role": ROLES.get(turn["from"], turn["from"]), "content": turn["value"]}
            | {key: value for key, value in turn.items() if key not in ("from", "value")}
            for turn in turns
        ]
        chats.append([{"role": "system", "content": system[row]}] * bool(system[row]) + renamed)
    rows["messages"] = pd.Series(chats, index=rows.index, dtype=object)
    return rows.drop(columns=["conversations"])


def _turns(rows: pd.DataFrame, path: object) -> pd.DataFrame:
    """A prompt and a completion that are lists of turns, as one list of messages."""
    chats = []
    for row, prompt in rows["prompt"].items():
        completion = rows["completion"][row] if "completion" in rows else []
        if not _is_turns(prompt) or ("completion" in rows and not _is_turns(completion)):
            raise InputError(
                f"row {row} of '{path}' has no turns in prompt and completion as the first row has; write lists of "
                '{"role": "...", "content": "..."} there'
            )
        chats.append([*items(prompt), *items(completion)])
    rows["messages"] = pd.Series(chats, index=rows.index, dtype=object)
    return rows.drop(columns=["prompt", "completion"], errors="ignore")


def _squad(rows: pd.DataFrame, path: object) -> pd.DataFrame:
    """Articles with paragraphs with questions, a row a question; the rows are numbered anew.

    Source: the files of Rajpurkar et al. (2016, 2018), https://rajpurkar.github.io/SQuAD-explorer.
    """
    questions, answered = [], False  # a test set has no answers
    for row, article in rows["paragraphs"].items():
        try:
            for paragraph in article:
                for item in paragraph["qas"]:
                    answers = {"answers": item["answers"]} if answered or "answers" in item else {}
                    questions.append({"question": item["question"], "context": paragraph["context"]} | answers)
                    answered = answered or bool(answers)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"article {row} of '{path}' is not as in SQuAD ({type(error).__name__} {error}); each of its "
                "paragraphs needs context and qas, each of those question and answers"
            ) from error
    return pd.DataFrame(questions, dtype=object, index=range(1, len(questions) + 1))


SPANS = ("label", "labels", "entities")  # columns that doccano writes, by its version


def _marks(value) -> list[tuple[int, int, str]]:
    """Spans (first character, character after the last, name) of a cell; ValueError if there are others in it."""
    spans = []
    for span in items(value) or []:
        if isinstance(span, dict):
            span = [span.get("start_offset"), span.get("end_offset"), span.get("label")]
        start, end, name = span
        if not isinstance(name, str) or not name.strip():
            raise ValueError("a span without a name")
        spans.append((int(start), int(end), name))
    return sorted(spans)


def _is_doccano(rows: pd.DataFrame) -> bool:
    for column in SPANS if "text" in rows else ():
        held = [cell for cell in rows.get(column, []) if items(cell)]
        with suppress(ValueError, TypeError):
            if held and _marks(held[0]):
                return True
    return False


def _doccano(rows: pd.DataFrame, path: object) -> pd.DataFrame:
    """Texts with spans of characters, as words with BIO tags; a span that ends inside of a word cuts it there.

    Source: the JSONL export of https://github.com/doccano/doccano.
    """
    column = next(column for column in SPANS if column in rows)
    tokens, tags = [], []
    for row, text, cell in zip(rows.index, rows["text"], rows[column], strict=True):
        try:
            words, marks = _tagged(text, _marks(cell))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{column} in row {row} of '{path}' are {str(cell)[:60]} ({error}); write [[start, end, name], ...], "
                "characters of the text, none in two spans"
            ) from error
        tokens.append(words)
        tags.append(marks)
    rows["tokens"], rows["tags"] = (pd.Series(cells, index=rows.index, dtype=object) for cells in (tokens, tags))
    return rows


def _tagged(text: str, spans: list[tuple[int, int, str]]) -> tuple[list[str], list[str]]:
    """The words of a text and their tags; ValueError for spans that overlap or lie outside of the text."""
    ends = [0, *(end for _, end, _ in spans)]
    for (start, end, name), before in zip(spans, ends, strict=False):
        if not before <= start < end <= len(text):
            raise ValueError(f"the span {start} to {end} of {name} overlaps another or is not in the text")
    words, tags, done = [], [], 0
    for start, end, name in [*spans, (len(text), len(text), "")]:
        outside = _words(text[done:start])
        inside = _words(text[start:end])
        words += [*outside, *inside]
        tags += ["O"] * len(outside) + [f"{'I' if place else 'B'}-{name}" for place in range(len(inside))]
        done = end
    return words, tags


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


# By name: whether rows are of the shape, and what makes columns of them.
SHAPES: dict[str, tuple[Callable[[pd.DataFrame], bool], Callable[[pd.DataFrame, object], pd.DataFrame]]] = {
    "alpaca": (lambda rows: "instruction" in rows and ("output" in rows or "input" in rows), _alpaca),
    "sharegpt": (lambda rows: "conversations" in rows, _sharegpt),
    "turns": (_has_turns, _turns),
    "squad": (lambda rows: "paragraphs" in rows, _squad),
    "doccano": (_is_doccano, _doccano),
}
NAMES = (PLAIN, *SHAPES)
