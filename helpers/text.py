"""Words and sentences of a text, by rules that need no model and no word list."""

import os
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import regex

from helpers.errors import InputError

_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3400-\u4dbf\u4e00-\u9fff]+")
_CLOSING, _OPENING = "\"'\u201d\u2019)\\]", "\"'\u201c\u2018(\\[`"  # quotation marks and brackets
_END = re.compile(rf"[.!?\u2026][{_CLOSING}]*\s+(?=[{_OPENING}]*[A-Z0-9])|[\u3002\uff01\uff1f]")
_SHORT = re.compile(r"\b(?:e\.g|i\.e|etc|cf|vs|al|Eq|Fig|Mr|Mrs|Ms|Dr|St|No|[A-Z])\.$")

_BLANKLESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_LETTER = regex.compile(r"\p{L}")
_HALF = re.compile(r"[\ud800-\udfff]")


def half_character(text: str) -> bool:
    """Whether a text holds a lone surrogate: half of a character, as JSON can spell, which no tokenizer takes."""
    return _HALF.search(text) is not None


def check_whole(texts: Iterable[str]) -> None:
    """InputError, naming the first, if a text holds half a character."""
    for number, text in enumerate(texts, start=1):
        if half_character(text):
            raise InputError(f"text {number} holds half a character (a lone surrogate); send whole ones")


def check_name(path: str | Path) -> None:
    """InputError for a path whose name is no UTF-8, which files that tell of it cannot hold."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise InputError(f"the name '{shown}' is not in UTF-8; rename it, and give its new name") from error


def words(text: str) -> list[str]:
    """The words between blanks; in Chinese, which has no blanks, each character."""
    return _WORD.findall(text)


def counted_units(texts: Iterable[str]) -> dict:
    """What a vectoriser of scikit-learn is to count in texts, as its arguments.

    These are words and pairs of them, or, where most letters are of scripts without blanks between words, such as
    Chinese or Thai, runs of one to three characters: there the pattern of words takes a whole clause for one.
    """
    letters = _LETTER.findall("".join(text[:200] for text in islice(texts, 1000)))  # enough to tell
    if sum(_BLANKLESS.match(letter) is not None for letter in letters) > len(letters) / 2:
        return {"analyzer": "char", "ngram_range": (1, 3)}
    return {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}


def sentences(text: str) -> list[str]:
    """The sentences of a text: cut after a full stop, `!`, `?` or their Chinese forms, not after an abbreviation."""
    result = []
    for piece in filter(None, map(str.strip, _END.sub(r"\g<0>\0", text).split("\0"))):
        if result and _SHORT.search(result[-1]):
            result[-1] += f" {piece}"
        else:
            result.append(piece)
    return result


def whole_word_spans(text: str, context: str) -> list[tuple[int, int]]:
    """The intervals at which the text stands unchanged, with no letter or digit next to it."""
    spans, start = [], context.find(text) if text.strip() else -1
    while start >= 0:
        end = start + len(text)
        before, after = context[max(0, start - 1) : start + 1], context[end - 1 : end + 1]
        if not (len(before) == 2 and before.isalnum()) and not (len(after) == 2 and after.isalnum()):
            spans.append((start, end))
        start = context.find(text, end)
    return spans


# Arguments of a tokenizer: what looks like a special token in a text, such as "[SEP]", is text.
AS_TEXT = {"split_special_tokens": True}


def special_token_pattern(tokenizer) -> re.Pattern:
    """What matches the special tokens of a tokenizer where a text spells them, longer ones first."""
    known = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    names = sorted(filter(None, known | set(tokenizer.all_special_tokens)), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) or "(?!)")


def special_tokens_written(tokenizer, texts: Iterable[str]) -> int:
    """How many texts spell a special token of a tokenizer; to every task it is text there."""
    pattern = special_token_pattern(tokenizer)
    return sum(pattern.search(text) is not None for text in texts)


# The words of a text are its segments between the boundaries of Unicode's Annex 29, but for two habits of corpora with
# tags: a word with hyphens is one word, and so is a word of single letters with full stops.
_SEGMENT = regex.compile(
    r"\p{RI}{2}[\p{M}\u200d]*"  # a flag; where a run of them has its boundaries takes long to tell
    r"|(?<!\w)(?:\p{L}\p{M}*\.){2,}(?!\w)"
    r"|\w\S*?\b(?:[-\u2010\u2011]\b\w\S*?\b)*"
    r"|\S\S*?(?:\b|(?=\s))",
    regex.WORD,
)


def word_spans(text: str) -> list[tuple[int, int]]:
    """The words and signs of a text, as the intervals of characters in which they stand: `Paris,` is two.

    Together they hold every character but blanks, and no character that a reader sees is cut.
    """
    return [match.span() for match in _SEGMENT.finditer(text)]
