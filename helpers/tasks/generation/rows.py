"""The tokens of a row: those of its whole text, cut where an answer begins or ends, and shortened if they must be."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from transformers import PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.tasks.generation.chat import Part
from helpers.text import AS_TEXT, check_whole, special_token_pattern

# Before a text that goes on, in this order: what does not grow together with it shows which tokens are the text's own.
_ANCHORS = ("\n", "a", ".", "0", "")


@dataclass(frozen=True)
class Segment:
    """A run of tokens of one kind, as `Part` describes them."""

    ids: list[int]
    answer: bool = False
    counts: bool = False
    may_be_cut: bool = False


@dataclass(frozen=True)
class Row:
    """The parts of a row, the number of tokens cut, and its prompt as it is asked if a long answer cut it further."""

    parts: Sequence[Segment]
    cut: int = 0
    asked: list[int] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """All its tokens."""
        return [token for part in self.parts for token in part.ids]

    @property
    def sizes(self) -> tuple[int, int]:
        """The tokens before its last answer, and those of that answer; 0 if it ends with a prompt."""
        kinds = [(answer, sum(len(part.ids) for part in group)) for answer, group in groupby(self.parts, _is_answer)]
        answer = kinds[-1][1] if kinds[-1][0] else 0
        return sum(size for _, size in kinds) - answer, answer


@dataclass(frozen=True)
class _Chunk:
    text: str
    anchors: tuple[str, ...]
    as_text: bool  # without special tokens


def segments(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[Part]], *, apart: bool = False
) -> list[list[Segment]]:
    """The tokens of each row, in segments.

    What stands between two answers has the tokens of its whole text, and so has an answer with its end. Each goes on
    from what stands before it: a tokenizer that writes a blank before a text writes none before its second half. Parts
    that spell special tokens are read by themselves, and so is every part if `apart`.
    """
    pattern, chunks, kinds = special_token_pattern(tokenizer), [], []
    for parts in rows:
        before, row = None, []
        for answer, group in groupby(parts, _is_answer):
            group = list(group)
            split = apart or any(part.content and pattern.search(part.text) for part in group)
            for some in [[part] for part in group] if split else [group]:
                alone = split and some[0].content
                chunks.append(_Chunk("".join(part.text for part in some), _anchors(before, alone, pattern), alone))
                row.append(Segment([], answer, some[0].counts, alone and not answer))
                before = next((part for part in reversed(some) if part.text), before)
        kinds.append(row)
    ids = iter(_tokens(tokenizer, chunks))
    return [[replace(kind, ids=next(ids)) for kind in row] for row in kinds]


def _anchors(before: Part | None, as_text: bool, pattern) -> tuple[str, ...]:
    """What a text may be read behind: the end of the frame before it, from its last special token on, if it can be."""
    if before is None:
        return ("",)
    if as_text or before.content:
        return _ANCHORS
    starts = [match.start() for match in pattern.finditer(before.text)]
    return (before.text[starts[-1] if starts else 0 :], *_ANCHORS)


def _tokens(tokenizer: PreTrainedTokenizerBase, chunks: Sequence[_Chunk]) -> list[list[int]]:
    """The tokens of each chunk behind the first of its anchors whose own tokens stay as they are."""
    done = [None if chunk.text else [] for chunk in chunks]
    for attempt in range(len(_ANCHORS) + 1):
        for as_text in (False, True):
            left = [i for i, chunk in enumerate(chunks) if done[i] is None and chunk.as_text == as_text]
            anchors = [chunks[i].anchors[min(attempt, len(chunks[i].anchors) - 1)] for i in left]
            known = sorted(set(anchors))
            heads = dict(zip(known, _plain(tokenizer, known, as_text), strict=True))
            texts = [anchor + chunks[i].text for i, anchor in zip(left, anchors, strict=True)]
            for i, anchor, ids in zip(left, anchors, _plain(tokenizer, texts, as_text), strict=True):
                head = heads[anchor]
                if ids[: len(head)] == head:
                    done[i] = ids[len(head) :]
    return done


def _plain(tokenizer: PreTrainedTokenizerBase, texts: list[str], as_text: bool) -> list[list[int]]:
    settings = {"add_special_tokens": False, "verbose": False} | (AS_TEXT if as_text else {})
    return tokenizer(texts, **settings)["input_ids"] if texts else []


def plain_ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """The tokens of each text; what looks like a special token in it is text."""
    check_whole(texts)
    return _plain(tokenizer, texts, True)


@dataclass(frozen=True)
class Room:
    """How many tokens a row may have.

    Attributes:
        window: tokens that the model reads.
        max_length: tokens to which prompts may be cut; None refuses a row that does not fit.
        max_new_tokens: of the answer, for which each prompt that may be cut leaves room, whatever its answer is.
    """

    window: int
    max_length: int | None
    max_new_tokens: int

    @property
    def limit(self) -> int:
        """The tokens of a row, at most."""
        return min(self.window, self.max_length or self.window)

    def of_prompt(self, answer: int) -> int:
        """The tokens before an answer of so many tokens; 0 stands for an answer that is to be written."""
        if answer and self.max_length is None:
            return self.limit - answer
        return self.limit - max(answer, self.max_new_tokens)

    def taken(self, parts: Sequence[Segment]) -> Row | None:
        """The row as it is if it has room, else None."""
        row = Row(parts)
        return row if row.sizes[0] <= self.of_prompt(row.sizes[1]) else None

    def cut(self, parts: Sequence[Segment], number: int) -> Row:
        """The row with its longest contents cut at their ends until it has room.

        Raises InputError, with the number of the row, if nothing may be cut or that is not enough.
        """
        before, answer = Row(parts).sizes
        cut = self._within(parts, self.of_prompt(answer), number)
        lost = before - Row(cut).sizes[0]
        if not lost or answer <= self.max_new_tokens:
            return Row(cut, lost)
        asked = Row(self._within(parts, self.of_prompt(0), number))
        return Row(cut, lost, asked.ids[: asked.sizes[0]])

    def _within(self, parts: Sequence[Segment], room: int, number: int) -> list[Segment]:
        """The parts, cut until at most `room` tokens stand before the last answer."""
        before, answer = Row(parts).sizes
        parts, left = list(parts), before - room
        fixed = before - sum(len(part.ids) - 1 for part in parts if part.may_be_cut and part.ids)
        if left > 0 and (self.max_length is None or fixed > room):
            raise InputError(self._sentence(number, before, answer, fixed))
        while left > 0:
            longest = max(range(len(parts)), key=lambda i: len(parts[i].ids) * parts[i].may_be_cut)
            count = min(left, len(parts[longest].ids) - 1)
            parts[longest] = replace(parts[longest], ids=parts[longest].ids[:-count])
            left -= count
        return parts

    def _sentence(self, number: int, before: int, answer: int, fixed: int) -> str:
        """Why a row does not fit; `fixed` tokens before its answer cannot be cut."""
        limit = f"max_length is {self.limit:,}" if self.limit < self.window else f"the model reads {self.limit:,}"
        longer = "train with a larger max_length (--max-length)" if self.limit < self.window else "shorten it"
        if answer and fixed + answer > self.limit:
            return (
                f"completion in row {number} needs {answer:,} tokens with its end, the frame of its prompt {fixed:,}, "
                f"and {limit}; {longer} or leave the row out"
            )
        beside = f"its answer {answer:,}" if answer else f"max_new_tokens (--max-new-tokens) is {self.max_new_tokens:,}"
        if self.max_length is None:
            return (
                f"prompt in row {number} needs {before:,} tokens with its frame, {beside}, and {limit}; shorten it, or "
                "train with max_length (--max-length) to have prompts cut"
            )
        return (
            f"the frame of the prompt in row {number} needs {fixed:,} tokens, max_new_tokens (--max-new-tokens) is "
            f"{self.max_new_tokens:,}, and {limit}; {longer} or lower max_new_tokens"
        )


def _is_answer(part: Part | Segment) -> bool:
    return part.answer
