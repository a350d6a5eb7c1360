"""How numbers stand in a sentence of the page: a real minus, no sign before zero, and a space before a percent sign."""

import re
from html import escape

_APART = re.compile(r"(```.*?```|`[^`]*`|\$[^$]*\$|<[^>]*>)", re.DOTALL)  # code, formulas and tags stay as they are
_ZERO = re.compile(r"(?<![\w.)\]-])-(?=0(?:\.0+)?(?![\d.]*\d))")
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")
_PERCENT = re.compile(r"(?<=\d)%(?!\w)")
_NUMBERS = re.compile(r"[-+\d.,\s\[\]%()±]*\d[-+\d.,\s\[\]%()±]*")


def typeset(sentence: str) -> str:
    """A sentence with its numbers as they are printed; code, formulas and tags in it stay as they are."""
    parts = _APART.split(sentence)
    return "".join(part if i % 2 else _set(part) for i, part in enumerate(parts))


def escaped(sentence: str) -> str:
    """A typeset sentence for HTML."""
    return escape(typeset(sentence))


def numbers(text: str) -> str:
    """The text of a cell: typeset where it is made of numbers alone, since other texts are quoted."""
    return _set(text) if _NUMBERS.fullmatch(text) else text


def _set(text: str) -> str:
    return _PERCENT.sub("\u00a0%", _MINUS.sub("\u2212", _ZERO.sub("", text)))
