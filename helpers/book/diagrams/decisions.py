"""Drawing of a decision: questions from top to bottom, and what to do at the first that is answered with yes."""

from collections.abc import Sequence

from helpers.book.diagrams.canvas import Canvas, Drawing, drawing
from helpers.book.diagrams.strips import ROOM
from helpers.errors import InputError

STEP, HIGH = 78, 52  # px from one question to the next, and of a box


def decision(questions: Sequence[tuple[str, str, str]], last: tuple[str, str]) -> Drawing:
    """Questions, each with an answer at its side, and what is left if all are answered with no.

    Args:
        questions: (question, what to do on yes, a remark on what was measured), in the order in which they are asked.
        last: what to do, and a remark, where no question was answered with yes.

    Raises InputError if there are no questions.
    """
    if not questions:
        raise InputError("there are no questions; give at least one")

    def layout(canvas: Canvas) -> None:
        if canvas.upright:
            _upright(canvas, questions, last)
            return
        half = canvas.width * 0.44
        for number, (question, answer, note) in enumerate(questions):
            y = 6 + STEP * number
            canvas.box(4, y, half, HIGH, "open", question)
            _answer(canvas, half + 66, y, answer, note)
            canvas.wire([(half + 5, y + HIGH / 2), (half + 64, y + HIGH / 2)])
            canvas.text(half + 34, y + HIGH / 2 - 6, "yes", "soft", "middle")
            canvas.wire([(half / 2, y + HIGH + 1), (half / 2, y + STEP - 1)])
            canvas.text(half / 2 + 8, y + HIGH + 18, "no", "soft")
        _answer(canvas, 4, 6 + STEP * len(questions), *last, width=canvas.width - 8)

    words = " ".join(f"{question} If so: {answer} ({note})." for question, answer, note in questions)
    return drawing(f"{words} Else: {last[0]} ({last[1]}).", layout)


def _upright(canvas: Canvas, questions: Sequence[tuple[str, str, str]], last: tuple[str, str]) -> None:
    y = 6.0
    for question, answer, note in questions:
        end = canvas.paragraph(8, y + 16, question, canvas.width - 16, "")
        canvas.text(30, end + 12, "yes", "soft", "end")
        canvas.wire([(34, end + 7), (52, end + 7)])
        y = _answer(canvas, 56, end - 6, answer, note) + 14
        canvas.text(30, y - 14, "no", "soft", "end")
        canvas.wire([(14, y - 9), (14, y + 1)])
    _answer(canvas, 8, y, *last)


def _answer(canvas: Canvas, x: float, y: float, answer: str, note: str, width: float | None = None) -> float:
    """What to do, lit, and below it what was measured; returns where it ends."""
    wide = (width or canvas.width - x - 4) - 20
    top = len(canvas.parts)
    canvas.text(x + 10, y + 20, answer, "strong")
    end = canvas.paragraph(x + 10, y + 38, note, wide / ROOM)
    height = max(HIGH, end - y - 8)
    canvas.box(x, y, wide + 20, height, "body")
    canvas.parts.insert(top, canvas.parts.pop())  # below its text
    return y + height
