"""Drawing of one text as several systems read it: the pieces of each, and which of them tell it nothing."""

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


def _told(pieces: Sequence[str]) -> str:
    unknown = sum(piece == UNKNOWN for piece in pieces)
    count = f"{len(pieces)} piece" + "s" * (len(pieces) > 1)
    return count + (f", {unknown} of them unknown" if unknown else "")
