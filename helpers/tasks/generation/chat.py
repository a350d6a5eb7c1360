"""The turns of a chat: their roles, their order, and their template, as tokens."""

from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.text import check_whole


@dataclass
class Segment:
    """A run of tokens of one kind."""

    ids: list[int]
    counts: bool = False  # adds to the loss
    may_be_cut: bool = False


def shorten(segments: list[Segment], window: int, max_length: int | None, max_new_tokens: int, number: int) -> int:
    """Cut prompts at their ends until a row fits; returns how many tokens went.

    Args:
        window: tokens that the model reads.
        max_length: tokens to which prompts may be cut; None refuses a row that does not fit.
        max_new_tokens: of the answer, for which a row that ends with a prompt leaves room.
        number: of the row, for messages.
    """
    limit = min(window, max_length or window)
    room = limit if segments[-1].counts else limit - max_new_tokens
    excess = sum(len(segment.ids) for segment in segments) - room
    if excess > 0 and max_length is None:
        raise InputError(
            f"prompt in row {number} needs {room + excess:,} tokens with its frame and the model has {room:,} for "
            "it; shorten it, or set max_length to have prompts cut"
        )
    left = excess
    while left > 0:
        longest = max(segments, key=lambda segment: len(segment.ids) * segment.may_be_cut)
        count = min(left, len(longest.ids) - 1) if longest.may_be_cut else 0
        if count <= 0:
            raise InputError(
                f"row {number} does not fit into {limit:,} tokens without cutting its completion; raise max_length "
                "or leave the row out"
            )
        longest.ids = longest.ids[:-count]
        left -= count
    return max(0, excess)


class ChatTemplate:
    """The tokens that a template writes around the turns; cached for each order of roles."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str):
        if template == "chat" and not tokenizer.chat_template:
            raise InputError(
                f"the tokenizer of '{tokenizer.name_or_path}' has no chat template; use template plain, or a model "
                "that was tuned on chats"
            )
        self.tokenizer, self.template = tokenizer, template
        self.special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.known: dict[tuple, list[list[int]]] = {}

    def ends(self) -> list[int]:
        """The tokens that end an answer: the template's and the tokenizer's."""
        closing = self._end_of_turn(self._lookup(("user", "assistant"), 1)[-1])
        return sorted({closing[-1], self.tokenizer.eos_token_id} - {None})

    def around(self, roles: list[str], contents: list[list[int]], number: int) -> list[Segment]:
        """The contents with their frames; after the last assistant turn the row ends with its end token."""
        frames = self._lookup(tuple(roles), number)
        parts = [Segment(frames[0])]
        for role, ids, frame in zip(roles, contents, frames[1:], strict=True):
            if role != "assistant":
                parts += [Segment(ids, may_be_cut=True), Segment(frame)]
                continue
            closing = self._end_of_turn(frame)
            rest = frame[len(closing) :] if frame[: len(closing)] == closing else frame  # the end may be added
            parts += [Segment(ids, counts=True), Segment(closing, counts=True), Segment(rest)]
        return parts[:-1] if roles[-1] == "assistant" else parts

    def _end_of_turn(self, frame: list[int]) -> list[int]:
        """The tokens of a frame up to its first special one; a frame without any gets the end token."""
        for position, token in enumerate(frame):
            if token in self.special:
                return frame[: position + 1]
        if self.tokenizer.eos_token_id is None:
            raise InputError(
                f"the tokenizer of '{self.tokenizer.name_or_path}' has no end token, so a model could not learn to "
                "stop; give it one (tokenizer.eos_token)"
            )
        return [self.tokenizer.eos_token_id]

    def _lookup(self, roles: tuple[str, ...], number: int) -> list[list[int]]:
        if roles not in self.known:
            make = self._plain if self.template == "plain" else self._chat
            self.known[roles] = make(roles, number)
        return self.known[roles]

    def _plain(self, roles: tuple[str, ...], _number: int) -> list[list[int]]:
        some = self.tokenizer("a")["input_ids"]
        start = some[:1] if some[0] == self.tokenizer.bos_token_id else []
        return [start, *([] for _ in roles)]

    def _chat(self, roles: tuple[str, ...], number: int) -> list[list[int]]:
        """What stands before the answer is always what `generate` will see; only the closing comes with the answer."""
        if roles[-1] == "assistant":
            texts = [*self._rendered(roles[:-1], True, number), self._rendered(roles, False, number)[-1]]
        else:
            texts = self._rendered(roles, True, number)
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"]

    def _rendered(self, roles: tuple[str, ...], ask: bool, number: int) -> list[str]:
        """The template's text before, between and after the turns, whose contents are one private character each."""
        marks = [chr(0xE000 + i) for i in range(len(roles))]
        turns = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        try:
            rest = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask)
        except TemplateError as error:
            raise InputError(
                f"the chat template refuses the turns {', '.join(roles)} of row {number} ({error}); reorder them"
            ) from error
        texts = []
        for mark in marks:
            before, _, rest = rest.partition(mark)
            texts.append(before)
        if any(mark in text for text in (*texts, rest) for mark in marks):
            raise InputError(f"the chat template does not write the turns {', '.join(roles)} once each and in order")
        return [*texts, rest]


def plain_ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """The tokens of each text; what looks like a special token in it is text."""
    check_whole(texts)
    if not texts:
        return []
    return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]


ROLES = ("system", "user", "assistant")


def check_turns(turns: list[dict], row: str, learn: bool) -> None:
    """InputError if the turns of a row cannot be learnt from, or answered."""
    if not turns:
        raise InputError(f"messages in {row} hold no turn; delete the row")
    roles = [turn.get("role") for turn in turns]
    for role, turn in zip(roles, turns, strict=True):
        if role not in ROLES:
            raise InputError(f"role '{role}' in {row} is not one of {', '.join(ROLES)}; rename it")
        content = turn.get("content")
        if not isinstance(content, str) or (not content.strip() and role != "system"):
            what = "completion" if role == "assistant" else "prompt"
            raise InputError(f"{what} in {row} is empty or no text; fill it or delete the row")
    if "system" in roles[1:]:
        raise InputError(f"{row} has a system turn after its first turn; keep one, and at the start")
    if (roles[-1] == "assistant") != learn or "user" not in roles:
        wanted = "an assistant's, after a user's" if learn else "a user's"
        raise InputError(f"the last turn in {row} is '{roles[-1]}' and must be {wanted}, as in the first row")
