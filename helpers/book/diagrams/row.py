"""The way of a row: text, tokens, vectors, layers, the vector of [CLS], the new layer, softmax and loss."""

import math
from collections.abc import Mapping, Sequence

from helpers.book.diagrams.canvas import SMALL, TOKEN, Canvas, Drawing, drawing, span
from helpers.errors import InputError

STEPS = ("text", "tokens", "vectors", "layers", "head", "softmax", "loss", "gradient")


def way_of_a_row(
    text: str,
    tokens: Sequence[str],
    probabilities: Mapping[str, float],
    right: str,
    *,
    layers: int,
    width: int,
    weights: float,
    lit: str | Sequence[str] = (),
) -> Drawing:
    """How a classifier reads one text, whole or with some of `STEPS` lit.

    Args:
        probabilities: of each class, by name.
        right: the class that is right.
        layers, width: of the pretrained body.
        weights: of the body, in millions.
    """
    lit = [lit] if isinstance(lit, str) else list(lit)
    for step in lit:
        if step not in STEPS:
            raise InputError(f"lit is '{step}'; take some of {', '.join(STEPS)}")

    def layout(canvas: Canvas) -> None:
        mark = {step: "lit" if step in lit else "" for step in STEPS}
        margin = 8
        _caption(canvas, margin, 20, "a text", mark["text"])
        canvas.paragraph(margin, 42, text, canvas.width - 2 * margin, f"strong {mark['text']}")
        places = _tokens(canvas, margin, 84, tokens, mark)
        y = max(place[1] for place in places) + 92
        y = _layers(canvas, margin, y, layers, weights, mark)
        _end(canvas, margin, y, places[0], probabilities, right, width, mark)

    described = ", ".join(f"{name} {share:.2f}" for name, share in probabilities.items())
    return drawing(
        f"The text “{text}” becomes {len(tokens)} tokens, a vector each, passes {layers} pretrained layers; the vector "
        f"of [CLS] goes through a new layer to the probabilities {described}, and the loss is minus the logarithm of "
        f"that of {right}." + (f" Lit: {', '.join(lit)}." if lit else ""),
        layout,
    )


def _caption(canvas: Canvas, x: float, y: float, text: str, mark: str) -> None:
    canvas.text(x, y, text, f"soft {mark}")


def _tokens(canvas: Canvas, x: float, y: float, tokens: Sequence[str], mark: Mapping[str, str]) -> list[tuple]:
    _caption(
        canvas, x, y - 8, f"its T = {len(tokens)} tokens, and a vector for each", mark["tokens"] or mark["vectors"]
    )
    places, left = [], x
    for token in tokens:
        width = max(26, span(token, SMALL, mono=True) + 14)
        if x + width > canvas.width - 4 and x > left:
            x, y = left, y + TOKEN + 34
        canvas.box(x, y, width, TOKEN, f"token {'wire ' + mark['tokens'] if mark['tokens'] else ''}", token)
        canvas.wire([(x + width / 2, y + TOKEN + 1), (x + width / 2, y + TOKEN + 12)], mark["vectors"])
        kind = f"vector {mark['vectors']}"
        canvas.box(x + width / 2 - 13, y + TOKEN + 13, 26, 12, kind)
        places.append((x, y, width))
        x += width + 6
    return places


def _layers(canvas: Canvas, x: float, y: float, layers: int, weights: float, mark: Mapping[str, str]) -> float:
    wide = canvas.width - 2 * x
    _caption(canvas, x, y - 8, f"{layers} pretrained layers, {weights:.1f} M weights", mark["layers"])
    for number in (0, 1, 2):
        words = f"… {layers} of them …" if number == 1 else "attention + feed-forward"
        canvas.box(x, y + 30 * number, wide, 24, f"body {mark['layers']}", words)
    return y + 90


def _end(canvas, x, y, first, probabilities, right, width, mark) -> None:
    """From the vector of [CLS] to the loss: to the right on a page, downwards on a phone."""
    classes, start = len(probabilities), first[0] + first[2] / 2
    head = f"{width} · {classes} + {classes} = {width * classes + classes:,}"
    deep = 34 * classes
    if canvas.upright:
        canvas.wire([(start, y - 4), (start, y + 20)], mark["head"])
        canvas.text(start + 12, y + 12, "the vector of [CLS]", "soft")
        canvas.box(x, y + 22, 170, 48, f"new {mark['head']}", "new layer", head)
        canvas.wire([(x + 85, y + 72), (x + 85, y + 100)], mark["softmax"])
        bars = (x, y + 104)
    else:
        middle = y + 34
        canvas.wire([(start, y - 4), (start, middle), (180, middle)], mark["head"])
        canvas.text(start + 8, middle + 18, "vector of [CLS]", "soft")
        canvas.box(184, middle - 24, 176, 48, f"new {mark['head']}", "new layer", head)
        canvas.wire([(362, middle), (430, middle)], mark["softmax"])
        canvas.text(368, middle - 8, "softmax", f"soft {mark['softmax']}")
        bars = (438, middle - deep / 2 + 4)
    for number, (name, share) in enumerate(probabilities.items()):
        canvas.probability(bars[0], bars[1] + 32 * number, canvas.width - bars[0] - 8, name, share, right=name == right)
    loss, below = -math.log(probabilities[right]), bars[1] + deep + 6
    canvas.text(bars[0] + 4, below + 16, f"loss -log {probabilities[right]:.2f} = {loss:.2f}", f"soft {mark['loss']}")
    target = (272, y + 60)  # the new layer's lower edge
    if canvas.upright:
        canvas.text(bars[0] + 4, below + 38, "↑ and the gradient goes back", f"soft {mark['gradient']}")
    else:
        canvas.wire([(bars[0] - 2, below + 12), (target[0], below + 12), target], f"back {mark['gradient']}")
        canvas.text(target[0] + 8, below + 28, "the gradient goes back", f"soft {mark['gradient']}")
