"""The template of a chat: what it writes around the turns, as text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.tasks.turns import is_context
from helpers.text import special_token_pattern

_SOMETIMES = ("developer", "tool", "function")  # roles that not every template has
_REFUSALS = (TemplateError, TypeError, ValueError, KeyError, AttributeError)  # of a template that is given odd turns


@dataclass(frozen=True)
class Part:
    """A piece of the text of a row.

    Attributes:
        content: of a turn, and not of the template's frame: a special token that it spells is text.
        answer: of a turn of the assistant, the end of the turn included.
        counts: adds to the loss.
    """

    text: str
    content: bool = False
    answer: bool = False
    counts: bool = False


class ChatTemplate:
    """What a template writes around the turns; cached for each order of roles."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str):
        if template == "chat" and not tokenizer.chat_template:
            raise InputError(
                f"the tokenizer of '{tokenizer.name_or_path}' has no chat template; use template plain, or a model "
                "that was tuned on chats"
            )
        self.tokenizer, self.template = tokenizer, template
        self.special = special_token_pattern(tokenizer)
        self.known: dict[tuple, list[str]] = {}

    def start(self) -> list[int]:
        """The tokens before a row: the tokenizer's own where no template writes them."""
        some = [] if self.template == "chat" else self.tokenizer("a")["input_ids"]
        return some[:1] if some and some[0] == self.tokenizer.bos_token_id else []

    def ends(self) -> list[int]:
        """The tokens that end an answer: the tokenizer's, and all that training counts as the end of a turn."""
        closings = {self._closing(frame) for frame in self._after_answers()}
        ids = self.tokenizer(sorted(closings), add_special_tokens=False)["input_ids"]
        return sorted({row[-1] for row in ids} | {self.tokenizer.eos_token_id} - {None})

    def parts(self, turns: Sequence[Mapping], number: int) -> list[Part]:
        """The text of a row in pieces; after an answer the row ends with the end of its turn.

        What stands before that answer is always what the template writes when it asks for one; only the end of the turn
        comes with the answer. Raises InputError, with the number of the row, for turns that a template does not write.
        """
        learn = turns[-1]["role"] == "assistant"
        if self.template == "plain":
            frames, bodies = [""] * (len(turns) + 1), [turn["content"] for turn in turns]
        else:
            frames, bodies = self._written(turns, learn, number)
        parts, lead = [Part(frames[0])], self.lead()
        for place, (turn, body, frame) in enumerate(zip(turns, bodies, frames[1:], strict=True)):
            if turn["role"] != "assistant":
                parts += [Part(body, content=True), Part(frame)]
                continue
            if place < len(turns) - 1:  # blanks that the template does not write when it asks are the answer's
                parts[-1] = Part(parts[-1].text.removesuffix(lead))
            counts, closing = not is_context(turn), self._closing(frame)
            parts.append(Part(lead + body, content=True, answer=True, counts=counts))
            parts += [Part(closing, answer=True, counts=counts), Part(frame.removeprefix(closing))]
        return parts[:-1] if learn else parts

    def _written(self, turns: Sequence[Mapping], learn: bool, number: int) -> tuple[list[str], list[str]]:
        """The frames, one more than turns, and the content of each turn as the template writes it."""
        before = turns[:-1] if learn else turns
        frames = self._frames(tuple(turn["role"] for turn in before), True, number)
        bodies = _bodies(self._rendered(before, True, number), frames, before)
        if bodies is None:
            raise InputError(
                f"the chat template of '{self.tokenizer.name_or_path}' changes or leaves out a part of the turns in "
                f"row {number}; write them as it does, without that part"
            )
        if not learn:
            return frames, bodies
        whole = self._frames(tuple(turn["role"] for turn in turns), False, number)
        answer = (_bodies(self._rendered(turns, False, number), whole, turns) or [None])[-1]
        if answer is None and turns[-1].get("tool_calls"):
            raise InputError(
                f"the chat template of '{self.tokenizer.name_or_path}' does not write the tool_calls in row {number}; "
                "leave them out, or take a model whose template does"
            )
        return [*frames, whole[-1]], [*bodies, turns[-1]["content"] if answer is None else answer]

    def _after_answers(self) -> list[str]:
        """What stands after an answer: nothing more, or a turn of each role that the template has."""
        if self.template == "plain":
            return [""]
        frames = [self._frames(("user", "assistant"), False, 1)[-1]]
        for role in ("user", *_SOMETIMES):
            try:
                frames.append(self._frames(("user", "assistant", role, "assistant"), False, 1)[2])
            except InputError:
                continue
        return frames

    def lead(self) -> str:
        """Blanks that stand before an answer in a chat, and that the template does not write when it asks for one."""
        if self.template == "plain":
            return ""
        asked, told = self._frames(("user",), True, 1)[1], self._frames(("user", "assistant"), False, 1)[1]
        lead = told.removeprefix(asked)
        return lead if told.startswith(asked) and not lead.strip() else ""

    def _closing(self, frame: str) -> str:
        """The text of a frame up to its first special token; a frame without any gets the end token."""
        found = self.special.search(frame)
        if found:
            return frame[: found.end()]
        if self.tokenizer.eos_token is None:
            raise InputError(
                f"the tokenizer of '{self.tokenizer.name_or_path}' has no end token, so a model could not learn to "
                "stop; give it one (tokenizer.eos_token)"
            )
        return self.tokenizer.eos_token

    def _frames(self, roles: tuple[str, ...], ask: bool, number: int) -> list[str]:
        """The template's text before, between and after turns of these roles, which stand as one private character."""
        if (roles, ask) not in self.known:
            frames = self._marked(roles, ask, number)
            for role in set(roles) & set(_SOMETIMES):
                if self._same_as(tuple("user" if each == role else each for each in roles), ask, frames):
                    raise self._no_role(role, number)
            self.known[roles, ask] = frames
        return self.known[roles, ask]

    def _same_as(self, roles: tuple[str, ...], ask: bool, frames: list[str]) -> bool:
        """Whether turns of other roles are framed alike."""
        try:
            return self._marked(roles, ask, 1) == frames
        except InputError:
            return False

    def _marked(self, roles: tuple[str, ...], ask: bool, number: int) -> list[str]:
        marks = [chr(0xE000 + i) for i in range(len(roles))]
        turns = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        whole = rest = self._rendered(turns, ask, number)
        texts = []
        for role, mark in zip(roles, marks, strict=True):
            if mark not in whole:
                raise self._no_role(role, number)
            before, _, rest = rest.partition(mark)
            texts.append(before)
        if any(mark in text for text in (*texts, rest) for mark in marks):
            raise InputError(f"the chat template does not write the turns {', '.join(roles)} once each and in order")
        return [*texts, rest]

    def _no_role(self, role: str, number: int) -> InputError:
        return InputError(
            f"the chat template of '{self.tokenizer.name_or_path}' has no turns of the role '{role}', as in row "
            f"{number}; leave them out, or take a model whose template has them"
        )

    def _rendered(self, turns: Sequence[Mapping], ask: bool, number: int) -> str:
        """The text that the template makes of turns, with the beginning of an answer if it is to ask for one."""
        given = [_for_template(turn) for turn in turns]
        try:
            return self.tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=ask)
        except _REFUSALS as error:
            roles = ", ".join(turn["role"] for turn in turns)
            raise InputError(
                f"the chat template refuses the turns {roles} of row {number} ({error}); reorder them, or leave out "
                "the roles that it has not"
            ) from error


def _for_template(turn: Mapping) -> dict:
    """A turn as templates expect it: with its calls as objects, and without its weight."""
    result = {key: value for key, value in turn.items() if value is not None and key != "weight"}
    if "tool_calls" in result:
        result["tool_calls"] = json.loads(result["tool_calls"])
        for function in map(_function, result["tool_calls"]):
            if isinstance(function.get("arguments"), str):
                function["arguments"] = json.loads(function["arguments"])
    return result


def _function(call: dict) -> dict:
    return call.get("function", call)


def _bodies(text: str, frames: Sequence[str], turns: Sequence[Mapping]) -> list[str] | None:
    """What stands between the frames of a text, turn by turn; None if that is not the turns with or without blanks."""
    at, bodies = len(frames[0]), []
    for turn, frame in zip(turns, frames[1:], strict=True):
        if turn.get("tool_calls"):
            end = text.find(frame, at) if len(bodies) < len(turns) - 1 else len(text) - len(frame)
            forms = [text[at:end]] if end > at else []
            forms = [form for form in forms if all(name in form for name in _names(turn))]
        else:
            content = turn["content"]
            forms = [content, content.rstrip(), content.lstrip(), content.strip()]  # some templates trim
        body = next((form for form in forms if text.startswith(form + frame, at)), None)
        if body is None:
            return None
        bodies.append(body)
        at += len(body) + len(frame)
    return bodies if text.startswith(frames[0]) and at == len(text) else None


def _names(turn: Mapping) -> list[str]:
    """The functions that a turn calls."""
    return [str(_function(call)["name"]) for call in json.loads(turn["tool_calls"])]
