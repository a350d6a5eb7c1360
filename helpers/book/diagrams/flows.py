"""Drawings of ways: the five steps, the way of the data through the package, a line of time."""

from collections.abc import Sequence

from helpers.book.diagrams.canvas import Canvas, Drawing, drawing, span
from helpers.errors import InputError

FIVE_STEPS = (
    ("pretrained model", "weights that know a language"),
    ("data", "texts and their labels"),
    ("new layer", "from a vector to classes"),
    ("training", "loss, gradient, step"),
    ("score", "on rows that nobody saw"),
)
ROOMS = (
    ("assets", "bytes, pinned by hash"),
    ("data", "readers, splits"),
    ("corpora", "the book's texts"),
    ("tasks", "rows to tokens, loss"),
    ("training", "the loop"),
    ("saving", "folder, card"),
    ("workflow", "the main path"),
)


def chain(steps: Sequence[tuple[str, str]], lit: int | None = None) -> Drawing:
    """Boxes that lead one to the next, each a name and a remark; on a phone one below the other.

    Args:
        lit: the number of the step, from 1, that is spoken of.
    """
    if lit is not None and not 1 <= lit <= len(steps):
        raise InputError(f"lit is {lit}; take a number from 1 to {len(steps)}, or None")

    def layout(canvas: Canvas) -> None:
        kinds = ["new" if number == lit else "body" for number in range(1, len(steps) + 1)]
        if canvas.upright:
            for number, ((name, note), kind) in enumerate(zip(steps, kinds, strict=True)):
                y = 6 + 66 * number
                canvas.box(8, y, canvas.width - 16, 48, kind, f"{number + 1}  {name}", note)
                if number + 1 < len(steps):
                    canvas.wire([(canvas.width / 2, y + 49), (canvas.width / 2, y + 64)])
            return
        width = (canvas.width - 8 - 18 * (len(steps) - 1)) / len(steps)
        for number, ((name, note), kind) in enumerate(zip(steps, kinds, strict=True)):
            x = 4 + number * (width + 18)
            canvas.box(x, 8, width, 40, kind, f"{number + 1}  {name}" if span(name) + 24 < width else name)
            _centred(canvas, x + width / 2, 68, note, width)
            if number + 1 < len(steps):
                canvas.wire([(x + width + 1, 28), (x + width + 17, 28)])

    words = "; ".join(f"{number}. {name}: {note}" for number, (name, note) in enumerate(steps, 1))
    return drawing(f"{words}." + (f" You are at step {lit}." if lit else ""), layout)


def five_steps(lit: int | None = None) -> Drawing:
    """The five steps of supervised fine-tuning."""
    return chain(FIVE_STEPS, lit)


def way_of_the_data() -> Drawing:
    """From pinned bytes to the shell and the book: the rooms of the package in the order of their floors."""
    return chain(ROOMS)


def _centred(canvas: Canvas, x: float, y: float, text: str, width: float) -> None:
    line = ""
    for word in text.split():
        if line and span(f"{line} {word}", 13) > width:
            canvas.text(x, y, line, "soft", "middle")
            line, y = "", y + 17
        line = f"{line} {word}".strip()
    canvas.text(x, y, line, "soft", "middle")


def timeline(events: Sequence[tuple[int, str, str]]) -> Drawing:
    """Years with what happened in each: across a page above and below the line, downwards on a phone.

    Args:
        events: (year, name, remark), in order.
    """

    def layout(canvas: Canvas) -> None:
        if canvas.upright:
            canvas.wire([(56, 8), (56, 10 + 64 * len(events))])
            for number, (year, name, note) in enumerate(events):
                y = 26 + 64 * number
                canvas.text(48, y, str(year), "strong", "end")
                canvas.text(68, y, name, "strong")
                canvas.paragraph(68, y + 18, note, canvas.width - 76)
            return
        width = (canvas.width - 16) / len(events)
        canvas.wire([(8, 110), (canvas.width - 8, 110)])
        for number, (year, name, note) in enumerate(events):
            x, above = 8 + (number + 0.5) * width, number % 2 == 0
            canvas.text(x, 100 if above else 128, str(year), "strong", "middle")
            y = 24 if above else 150
            _centred(canvas, x, y, name, 1.6 * width)
            _centred(canvas, x, y + 18, note, 1.7 * width)

    return drawing("; ".join(f"{year} {name}: {note}" for year, name, note in events) + ".", layout)
