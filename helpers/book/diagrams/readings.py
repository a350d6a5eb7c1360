"""Drawings of texts in pieces: one text as several systems read it, and two texts with what they share."""

from collections.abc import Mapping, Sequence

from helpers.book.diagrams.canvas import TOKEN, Canvas, Drawing, drawing
from helpers.errors import InputError

UNKNOWN = "[UNK]"


def readings(text: str, ways: Mapping[str, Sequence[str]]) -> Drawing:
    """A text in the pieces of some systems, one below the other; unknown pieces are marked and counted.

    Args:
        ways: by system, its pieces of the text; what it cannot tell apart is `[UNK]`.

    Raises InputError for a system without pieces.
    """
    for name, pieces in ways.items():
        if not pieces:
            raise InputError(f"'{name}' has no pieces of the text; give at least one")
    told = {name: _told(pieces) for name, pieces in ways.items()}

    def layout(canvas: Canvas) -> None:
        y = canvas.paragraph(8, 20, text, canvas.width - 16, "strong")
        for name, pieces in ways.items():
            y = canvas.paragraph(8, y + 12, f"{name}: {told[name]}", canvas.width - 16)
            kinds = ["bad" if piece == UNKNOWN else "token" for piece in pieces]
            places = canvas.tokens(8, y - 6, pieces, kinds)
            y = places[-1][1] + TOKEN + 12

    words = "; ".join(f"{name}, {told[name]}" for name in ways)
    return drawing(f"The text “{text}” in the pieces of {len(ways)} systems: {words}.", layout)


def subsequence(texts: Mapping[str, Sequence[str]], common: Sequence[str]) -> Drawing:
    """Texts as words, one below the other, and lit in each the words of a common subsequence.

    Args:
        texts: by name, the words of each.
        common: the words that all hold in this order, with others between them or not.

    Raises InputError for a text that does not hold them in this order.
    """
    places = {name: _places(name, words, common) for name, words in texts.items()}

    def layout(canvas: Canvas) -> None:
        y = 0.0
        for name, words in texts.items():
            canvas.text(8, y + 20, name, "soft")
            kinds = ["good" if place in places[name] else "token" for place in range(len(words))]
            y = canvas.tokens(8, y + 28, words, kinds)[-1][1] + TOKEN + 4

    told = "; ".join(f"{name}: {' '.join(words)}" for name, words in texts.items())
    return drawing(f"Texts that share, in this order, the words “{' '.join(common)}”. {told}.", layout)


def _places(name: str, words: Sequence[str], common: Sequence[str]) -> set[int]:
    """Where the words of a subsequence stand, the earliest places that will do."""
    found, start = set(), 0
    for word in common:
        if word not in words[start:]:
            raise InputError(f"'{name}' does not hold '{word}' in this order; leave it out of the common words")
        start = words.index(word, start) + 1
        found.add(start - 1)
    return found


def _told(pieces: Sequence[str]) -> str:
    unknown = sum(piece == UNKNOWN for piece in pieces)
    count = f"{len(pieces)} piece" + "s" * (len(pieces) > 1)
    return count + (f", {unknown} of them unknown" if unknown else "")
