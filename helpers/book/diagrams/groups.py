"""Drawing of the groups of a data set: rows by label, and in each those whose mark goes with it or against it."""

from collections.abc import Mapping, Sequence

from helpers.book.diagrams.canvas import SMALL, Canvas, Drawing, drawing, span
from helpers.errors import InputError

LEAST = 34  # px that a small group gets, so that its number has room


def groups(counts: Mapping[str, Sequence[int]], what: str) -> Drawing:
    """The rows of each label as a bar in three parts: the mark goes with the label, against it, or is not there.

    Args:
        counts: by label, the rows of the three parts, each at least 1.
        what: the name of the mark, such as "outlet".

    Raises InputError for a label with other than three parts, or with an empty one.
    """
    for label, parts in counts.items():
        if len(parts) != 3 or min(parts) < 1:
            raise InputError(f"label '{label}' has the parts {list(parts)}; give three numbers of at least 1")
    kinds, notes = ("body", "new", "open"), (f"{what} goes with the label", f"{what} against it", f"no {what}")
    left = 26 + max(span(label) for label in counts)

    def layout(canvas: Canvas) -> None:
        room = canvas.width - left - 4 - 3 * 6
        longest = max(sum(parts) for parts in counts.values())
        for number, (label, parts) in enumerate(counts.items()):
            x, y = left, 8 + 56 * number
            canvas.text(6, y + 25, label, "strong")
            widths = _widths(parts, room * sum(parts) / longest)
            for width, part, kind in zip(widths, parts, kinds, strict=True):
                canvas.box(x, y, width, 40, kind, f"{part:,}")
                x += width + 6
        x, y = left, 12 + 56 * len(counts)
        for kind, note in zip(kinds, notes, strict=True):
            if canvas.upright and x > left:
                x, y = left, y + 26
            canvas.box(x, y, 16, 16, kind)
            canvas.text(x + 24, y + 13, note, "soft")
            x += 48 + span(note, SMALL)

    words = "; ".join(f"{label}: {a:,} with, {b:,} against, {c:,} without" for label, (a, b, c) in counts.items())
    return drawing(f"Rows whose {what} goes with their label, against it, or is not there. {words}.", layout)


def _widths(parts: Sequence[int], room: float) -> list[float]:
    """Widths in proportion, but for small parts, which get `LEAST` at the cost of the others."""
    shares = [room * part / sum(parts) for part in parts]
    short = sum(LEAST - share for share in shares if share < LEAST)
    large = sum(share for share in shares if share >= LEAST)
    return [LEAST if share < LEAST else share - short * share / large for share in shares]
