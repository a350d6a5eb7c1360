"""Drawing of a teacher and its student: which layers the student keeps, and what it learns from."""

from collections.abc import Mapping, Sequence

from helpers.book.diagrams.canvas import Canvas, Drawing, drawing
from helpers.errors import InputError

HIGH, STEP = 26, 34  # px of a layer, and from one to the next


def teaching(layers: int, kept: Sequence[int], says: Mapping[str, Sequence[float]]) -> Drawing:
    """A teacher, a student that begins as a few of its layers, and the probabilities between which the loss stands.

    Args:
        layers: of the teacher.
        kept: which of them the student begins with, from 0, in order.
        says: by label, the probability that the teacher gives it, and the student.

    Raises InputError for a kept layer that the teacher does not have.
    """
    if unknown := [place for place in kept if not 0 <= place < layers]:
        raise InputError(f"a teacher of {layers} layers has no layer {unknown[0]}; take numbers from 0 to {layers - 1}")

    def layout(canvas: Canvas) -> None:
        gap = 44 if canvas.upright else 90
        width = (canvas.width - gap - 16) / 2
        sides = (8, 8 + width + gap)
        middle = 34 + 13 * len(says)
        for number, (x, count) in enumerate(zip(sides, (layers, len(kept)), strict=True)):
            canvas.text(x, 20, f"{('teacher', 'student')[number]}, {count} layers", "strong")
            likeliest = max(says, key=lambda label: says[label][number])
            for row, (label, pair) in enumerate(says.items()):
                canvas.probability(x, 34 + 26 * row, width - 12, label, pair[number], right=label == likeliest)
        canvas.wire([(sides[0] + width + 4, middle), (sides[1] - 4, middle)], "back")
        canvas.text(sides[0] + width + gap / 2, middle - 8, "loss", "soft lit", "middle")
        _stacks(canvas, 54 + 26 * len(says), sides, width, layers, kept)

    words = "; ".join(f"{label} {a:.2f} by the teacher and {b:.2f} by the student" for label, (a, b) in says.items())
    names = ", ".join(str(place + 1) for place in kept)
    return drawing(
        f"A student begins as the layers {names} of a teacher of {layers}. Both read the same text, which needs no "
        f"label, and the loss stands between their probabilities: {words}.",
        layout,
    )


def _stacks(canvas: Canvas, top: float, sides: Sequence[float], width: float, layers: int, kept: Sequence[int]) -> None:
    """The layers of both, the first at the bottom, with an arrow from each that is kept."""
    left, right = sides
    for place in range(layers):
        y = top + STEP * (layers - 1 - place)
        canvas.box(left, y, width, HIGH, "body" if place in kept else "body pale", f"layer {place + 1}")
        if place in kept:
            canvas.box(right, y, width, HIGH, "body", f"layer {place + 1}")
            canvas.wire([(left + width + 3, y + HIGH / 2), (right - 3, y + HIGH / 2)])
    canvas.text(left, top + STEP * layers + 14, "one text, no label", "soft")
    canvas.text(right, top + STEP * layers + 14, "the same text", "soft")
