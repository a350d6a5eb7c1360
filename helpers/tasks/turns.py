"""The turns of a chat: how a row holds them, and what a model can learn from or answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helpers.errors import InputError
from helpers.text import half_character

ROLES = ("system", "user", "assistant", "developer", "tool", "function")  # the last three: where a template has them
_OTHER_NAMES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "observation": "tool"}


def as_turn(turn: Mapping[str, Any], row: str) -> dict:
    """A turn as rows hold it, and templates take it but for the calls: role, content, and what else it has.

    Args:
        turn: with `role` and `content`, a text or a list of parts [{"type": "text", "text": ...}]; and perhaps `weight`
            (0 makes an answer context), `tool_calls`, and the `name` and `tool_call_id` of a tool.
        row: what messages call the row that the turn is of.

    `tool_calls` become one string of JSON, since a column holds one shape and the arguments of each function have their
    own. Raises InputError for a weight that is neither 0 nor 1 and for parts that are no text.
    """
    result = {"role": turn.get("role"), "content": _text(turn, row)}
    if turn.get("weight") is not None:
        if turn["weight"] not in (0, 1):
            raise InputError(f"weight {turn['weight']!r} of a turn in {row} is neither 0 nor 1; write one of them")
        result["weight"] = int(turn["weight"])
    calls = turn.get("tool_calls")
    if calls is not None and len(calls):
        result["tool_calls"] = calls if isinstance(calls, str) else json.dumps(_plain(calls), ensure_ascii=False)
    return result | {key: turn[key] for key in ("name", "tool_call_id") if turn.get(key) is not None}


def is_context(turn: Mapping[str, Any]) -> bool:
    """Whether a turn is read and not learnt: any but an answer, and an answer of weight 0."""
    return turn["role"] != "assistant" or turn.get("weight") == 0


def check_turns(turns: Sequence[Mapping[str, Any]], row: str, learn: bool) -> None:
    """InputError if the turns of a row cannot be learnt from, or answered."""
    if not turns:
        raise InputError(f"messages in {row} hold no turn; delete the row")
    for turn in turns:
        _check_turn(turn, row)
    roles = [turn["role"] for turn in turns]
    if "system" in roles[1:]:
        raise InputError(f"{row} has a system turn after its first turn; keep one, and at the start")
    if (roles[-1] == "assistant") != learn or "user" not in roles:
        wanted = "an assistant's, after a user's" if learn else "a user's"
        raise InputError(f"the last turn in {row} is '{roles[-1]}' and must be {wanted}, as in the first row")
    if learn and all(map(is_context, turns)):
        raise InputError(f"all answers in {row} have weight 0, so that nothing is learnt; delete the row")


def _check_turn(turn: Mapping[str, Any], row: str) -> None:
    role, content = turn.get("role"), turn.get("content")
    if role not in ROLES:
        known = _OTHER_NAMES.get(role)
        remedy = "rename it" if known is None else f"call it '{known}'"
        raise InputError(f"role '{role}' in {row} is not one of {', '.join(ROLES)}; {remedy}")
    what = "completion" if role == "assistant" else "prompt"
    optional = role == "system" or turn.get("tool_calls")
    if not isinstance(content, str) or not (content.strip() or optional):
        raise InputError(f"{what} in {row} is empty or no text; fill it or delete the row")
    if half_character(content):
        raise InputError(f"{what} in {row} holds half a character (a lone surrogate); write whole ones")


def _text(turn: Mapping[str, Any], row: str) -> Any:
    """The content of a turn; the texts of its parts, one after the other."""
    content = _plain(turn.get("content"))
    if content is None and turn.get("tool_calls") is not None:
        return ""
    if not isinstance(content, list):
        return content
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
        if kind != "text" or not isinstance(part.get("text"), str):
            raise InputError(f"a turn in {row} has a part of the type '{kind}', which is no text; leave it out")
    return "".join(part["text"] for part in content)


def _plain(value: Any) -> Any:
    """Lists where a Parquet file gives arrays."""
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(part) for part in value]
    return {key: _plain(part) for key, part in value.items()} if isinstance(value, Mapping) else value
