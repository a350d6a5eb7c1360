"""The way of a row: text, tokens, vectors, layers, the vector of [CLS], pooler and new layer, softmax and loss."""

import math
from collections.abc import Mapping, Sequence

from helpers.book.diagrams.canvas import SMALL, TOKEN, Canvas, Drawing, drawing, span
from helpers.errors import InputError

STAGES = {
    "text": "text",
    "tokens": "tokens",
    "vectors": "vectors in",
    "layers": "layers",
    "head": "pooler, new layer",
    "softmax": "softmax",
    "loss": "loss",
    "gradient": "gradient",
}  # by step the name that it has where names are all that is drawn
STEPS = tuple(STAGES)
MARGIN, GUTTER = 8, 20  # px; in the gutter at the right the gradient goes back


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
        weights: of the body with its token table and pooler, in millions.
    """
    lit = _known(lit)

    def layout(canvas: Canvas) -> None:
        mark = {step: "lit" if step in lit else "" for step in STEPS}
        _caption(canvas, MARGIN, 20, "a text", mark["text"])
        canvas.paragraph(MARGIN, 42, text, canvas.width - 2 * MARGIN, f"strong {mark['text']}")
        places = _tokens(canvas, MARGIN, 84, tokens, mark)
        y = max(place[1] for place in places) + 92
        y = _layers(canvas, MARGIN, y, layers, weights, mark)
        _end(canvas, MARGIN, y, places, probabilities, right, width, mark)

    described = ", ".join(f"{name} {share:.2f}" for name, share in probabilities.items())
    return drawing(
        f"The text “{text}” becomes {len(tokens)} tokens, a vector in for each, passes {layers} pretrained layers; the "
        f"vector out for [CLS] goes through the pooler and a new layer to the probabilities {described}, the loss is "
        f"minus the logarithm of that of {right}, and the gradient goes back to all weights."
        + (f" Lit: {', '.join(lit)}." if lit else ""),
        layout,
    )


def stages(lit: str | Sequence[str] = ()) -> Drawing:
    """The same way as the names of its `STEPS` alone, for a page that has shown the whole."""
    lit = _known(lit)

    def layout(canvas: Canvas) -> None:
        x, y = MARGIN, 6
        for step, name in STAGES.items():
            wide = span(name, SMALL) + 18
            if step != STEPS[0]:
                if x + 22 + wide > canvas.width - MARGIN:
                    x, y = MARGIN, y + 38
                canvas.wire([(x + 3, y + 13), (x + 19, y + 13)])
                x += 22
            canvas.box(x, y, wide, 26, "new lit" if step in lit else "open", note=name)
            x += wide

    names = ", ".join(STAGES.values())
    said = ", ".join(STAGES[step] for step in lit)
    return drawing(f"The way of a text: {names}." + (f" Lit: {said}." if lit else ""), layout)


def _known(lit: str | Sequence[str]) -> list[str]:
    lit = [lit] if isinstance(lit, str) else list(lit)
    for step in lit:
        if step not in STEPS:
            raise InputError(f"lit is '{step}'; take some of {', '.join(STEPS)}")
    return lit


def _caption(canvas: Canvas, x: float, y: float, text: str, mark: str) -> None:
    canvas.text(x, y, text, f"soft {mark}")


def _tokens(canvas: Canvas, x: float, y: float, tokens: Sequence[str], mark: Mapping[str, str]) -> list[tuple]:
    _caption(
        canvas, x, y - 8, f"its T = {len(tokens)} tokens, and the vector of each", mark["tokens"] or mark["vectors"]
    )
    places, left = [], x
    for token in tokens:
        width = max(26, span(token, SMALL, mono=True) + 14)
        if x + width > canvas.width - MARGIN - GUTTER and x > left:
            x, y = left, y + TOKEN + 34
        canvas.box(x, y, width, TOKEN, f"token {'wire ' + mark['tokens'] if mark['tokens'] else ''}", token)
        canvas.wire([(x + width / 2, y + TOKEN + 1), (x + width / 2, y + TOKEN + 12)], mark["vectors"])
        kind = f"vector {mark['vectors']}"
        canvas.box(x + width / 2 - 13, y + TOKEN + 13, 26, 12, kind)
        places.append((x, y, width))
        x += width + 6
    return places


def _layers(canvas: Canvas, x: float, y: float, layers: int, weights: float, mark: Mapping[str, str]) -> float:
    wide = canvas.width - 2 * x - GUTTER
    words = f"{layers} layers, token table and pooler: {weights:.1f} M pretrained weights"
    y = canvas.paragraph(x, y - 8, words, wide, f"soft {mark['layers']}") - 10
    for number in (0, 1, 2):
        words = f"… {layers} layers in all …" if number == 1 else "attention + feed-forward"
        canvas.box(x, y + 30 * number, wide, 24, f"body {mark['layers']}", words)
    return y + 90


def _head(canvas, x, y, start, classes, width, mark) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """From the vector of [CLS] over pooler and new layer to the softmax.

    Returns where its bars begin, and where the gradient reaches the two layers.
    """
    head = f"{width} · {classes} + {classes} = {width * classes + classes:,}"
    if canvas.upright:
        canvas.wire([(start, y - 4), (start, y + 20)], mark["head"])
        canvas.text(start + 12, y + 12, "the vector out for [CLS]", "soft")
        canvas.box(x, y + 22, 170, 28, f"body {mark['head']}", "pooler")
        canvas.wire([(x + 85, y + 52), (x + 85, y + 66)], mark["head"])
        canvas.box(x, y + 68, 170, 48, f"new {mark['head']}", "new layer", head)
        canvas.wire([(x + 85, y + 118), (x + 85, y + 146)], mark["softmax"])
        canvas.text(x + 97, y + 136, "softmax", f"soft {mark['softmax']}")
        return (x, y + 150), [(x + 172, y + 36), (x + 172, y + 92)]
    middle = y + 34
    canvas.wire([(start, y - 4), (start, middle), (154, middle)], mark["head"])
    canvas.text(start + 8, middle + 18, "vector out", "soft")
    canvas.text(start + 8, middle + 36, "for [CLS]", "soft")
    canvas.box(158, middle - 24, 92, 48, f"body {mark['head']}", "pooler", "pretrained")
    canvas.wire([(252, middle), (274, middle)], mark["head"])
    canvas.box(278, middle - 24, 156, 48, f"new {mark['head']}", "new layer", head)
    canvas.wire([(436, middle), (498, middle)], mark["softmax"])
    canvas.text(440, middle - 8, "softmax", f"soft {mark['softmax']}")
    return (506, middle - 34 * classes / 2 + 4), [(204, middle + 26), (356, middle + 26)]


def _end(canvas, x, y, places, probabilities, right, width, mark) -> None:
    """From the vector of [CLS] to the loss, rightwards or on a phone downwards, and the gradient's way back."""
    bars, heads = _head(canvas, x, y, places[0][0] + places[0][2] / 2, len(probabilities), width, mark)
    deep = 34 * len(probabilities)
    room = canvas.width - bars[0] - MARGIN - GUTTER
    for number, (name, share) in enumerate(probabilities.items()):
        canvas.probability(bars[0], bars[1] + 32 * number, room, name, share, right=name == right)
    words, left, below = _loss(probabilities[right]), bars[0] + 4, bars[1] + deep + 6
    long = span(words, SMALL)
    canvas.text(left, below + 16, words, f"soft {mark['loss']}", width=long)
    line, edge, kind = below + 12, canvas.width - 12, f"back {mark['gradient']}"
    goals = [*_rows(canvas, places, mark), *((edge - 14, y - 78 + 30 * number) for number in (0, 1, 2))]
    if canvas.upright:
        goals += heads
    else:  # the bars stand between these and the gutter
        canvas.wire([(left - 6, line), (heads[0][0], line)], kind, tip=False)
        for goal in heads:
            canvas.wire([(goal[0], line), goal], kind)
    canvas.wire([(left + long + 6, line), (edge, line), (edge, goals[0][1])], kind, tip=False)
    for goal in goals:
        canvas.wire([(edge, goal[1]), goal], kind)
    canvas.text(left, below + 36, "the gradient goes back to all weights", f"soft {mark['gradient']}")


def _rows(canvas, places, mark) -> list[tuple[float, float]]:
    """A bracket along each row of vectors; returns where the gradient reaches it, the upper row first."""
    ends = []
    for y in sorted({place[1] for place in places}):
        row = [left + width / 2 for left, top, width in places if top == y]  # the middles of its vectors
        first, last, low = row[0] - 13, row[-1] + 13, y + TOKEN + 30
        canvas.wire([(first, low - 3), (first, low), (last, low), (last, low - 3)], mark["gradient"], tip=False)
        ends.append((last + 2, low))
    return ends


def _loss(p: float) -> str:
    """The loss of a probability, which is written with as many digits as the loss needs to follow from it."""
    loss, digits = f"{0 - math.log(p):.2f}", 2
    while round(p, digits) == 0 or f"{0 - math.log(round(p, digits)):.2f}" != loss:
        digits += 1
    return f"loss = \N{MINUS SIGN}log {p:.{digits}f} = {loss}"
