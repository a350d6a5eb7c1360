"""Small pictures for the cards of the first page: one for each kind of chapter, in colours for light and dark alike."""

from collections.abc import Sequence

WIDTH, HEIGHT = 160, 72
BLUE, ORANGE, GREY, GREEN, RED = "#3b82f6", "#ea7317", "#94a3b8", "#10a36f", "#e5484d"


def svg(name: str) -> str:
    """A picture as a file of its own. Raises KeyError for a name that is not in `PICTURES`."""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{PICTURES[name]}</svg>\n'


def _box(x: float, y: float, width: float, height: float, colour: str, fill: float = 0.85) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="{colour}" fill-opacity="{fill}" '
        f'stroke="{colour}"/>'
    )


def _stroke(colour: str, width: float) -> str:
    return f'fill="none" stroke="{colour}" stroke-width="{width}"'


def _line(points: Sequence[tuple[float, float]], colour: str, width: float = 3, dashes: str = "") -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" {_stroke(colour, width)} stroke-linecap="round"{dashed}/>'


def _dot(x: float, y: float, colour: str, radius: float = 4) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>'


def _arc(x: float, u: float, y: float, rise: float, colour: str, width: float) -> str:
    """A bow from one token to another."""
    return f'<path d="M{x} {y} C{x} {y - rise} {u} {y - rise} {u} {y}" {_stroke(colour, width)}/>'


def _rows(widths: Sequence[float], colour: str, x: float = 20, y: float = 12, step: float = 11) -> str:
    """Lines of text, as bars."""
    return "".join(_box(x, y + step * i, width, 5, colour, 0.7) for i, width in enumerate(widths))


def _strip(colours: Sequence[str], y: float, x: float = 14, width: float = 20) -> str:
    """Tokens side by side."""
    return "".join(_box(x + i * (width + 4), y, width, 13, colour) for i, colour in enumerate(colours))


def _axes() -> str:
    return _line([(18, 8), (18, 62), (148, 62)], GREY, 1.5)


PICTURES = {
    "curves": _axes()
    + _line([(26, 40), (60, 24), (100, 15), (142, 10)], BLUE)
    + _line([(26, 56), (60, 48), (100, 36), (142, 24)], GREY)
    + _line([(60, 24), (142, 24)], ORANGE, 2, "4 4"),
    "mask": _strip([GREY, GREY, ORANGE, GREY, GREY, GREY], 44)
    + _arc(24, 72, 42, 26, BLUE, 2)
    + _arc(48, 72, 42, 14, BLUE, 2)
    + _arc(96, 72, 42, 14, BLUE, 2)
    + _arc(120, 72, 42, 26, BLUE, 2),
    "steps": "".join(_box(10 + 29 * i, 46 - 9 * i, 22, 16 + 9 * i, ORANGE if i == 3 else BLUE) for i in range(5)),
    "attention": _strip([GREY] * 6, 50)
    + _arc(24, 120, 48, 46, ORANGE, 4)
    + _arc(72, 120, 48, 26, ORANGE, 2)
    + _arc(96, 120, 48, 14, ORANGE, 1),
    "layers": "".join(_box(40, 8 + 15 * i, 80, 10, colour) for i, colour in enumerate((BLUE, GREY, BLUE, GREY)))
    + _line([(28, 66), (28, 8)], ORANGE, 2)
    + _line([(24, 14), (28, 8), (32, 14)], ORANGE, 2),
    "square": "".join(
        _box(48 + 11 * i, 6 + 11 * j, 8, 8, BLUE if i <= j else GREY, 0.85 if i <= j else 0.2)
        for i in range(6)
        for j in range(6)
    ),
    "bars": _line([(20, 60), (140, 60)], GREY, 1.5)
    + "".join(
        _box(30 + 28 * i, 60 - tall, 18, tall, GREEN if i == 2 else GREY) for i, tall in enumerate((14, 8, 34, 20))
    )
    + _line([(95, 22), (95, 8)], ORANGE, 2)
    + _line([(91, 13), (95, 8), (99, 13)], ORANGE, 2),
    "trellis": "".join(
        _line([(24 + 37 * i, 14 + 22 * a), (61 + 37 * i, 14 + 22 * b)], GREY, 1)
        for i in range(3)
        for a in range(3)
        for b in range(3)
    )
    + _line([(24, 58), (61, 14), (98, 36), (135, 36)], ORANGE)
    + "".join(_dot(24 + 37 * i, 14 + 22 * a, BLUE) for i in range(4) for a in range(3)),
    "label": _rows([70, 60, 66, 40], GREY)
    + _line([(98, 32), (112, 32)], GREY, 2)
    + _box(116, 14, 28, 14, GREEN)
    + _box(116, 36, 12, 14, GREY),
    "bugs": _rows([90, 70, 84, 60, 76], GREY, x=40)
    + "".join(_dot(26, 14.5 + 11 * i, RED if i in (1, 3) else GREY, 4) for i in range(5)),
    "spans": _strip([GREY, BLUE, BLUE, GREY, GREY, ORANGE], 20) + _strip([GREY, GREY, GREEN, GREEN, GREY, GREY], 42),
    "next": _strip([GREY] * 5, 28) + _box(134, 28, 20, 13, ORANGE) + _arc(24, 144, 26, 20, ORANGE, 1.5),
    "translate": _strip([BLUE] * 4, 12, x=34) + _strip([ORANGE] * 5, 48, x=22) + _line([(80, 30), (80, 43)], GREY, 2),
    "summary": _rows([100, 92, 104, 60], GREY, x=28, y=8) + _box(28, 55, 70, 9, ORANGE),
    "answer": _rows([100, 92, 104, 88, 60], GREY, x=28, y=8) + _box(66, 28, 40, 9, GREEN, 1),
    "draws": _axes()
    + "".join(_dot(30 + 28 * i, y, BLUE, 3) for i in range(5) for y in (50 - 8 * i, 42 - 7 * i, 56 - 9 * i))
    + _line([(30, 40), (142, 22)], GREY, 2),
    "mail": _box(44, 12, 72, 48, BLUE, 0.15) + _line([(44, 14), (80, 40), (116, 14)], BLUE) + _dot(116, 14, RED, 8),
    "search": _axes() + "".join(_dot(30 + 22 * i, 48 - (i - 2.4) ** 2 * -5 - 30, BLUE, 4) for i in range(6)),
    "sliders": "".join(
        _line([(26, y), (134, y)], GREY, 2) + _dot(x, y, colour, 6)
        for x, y, colour in ((104, 16, ORANGE), (58, 36, BLUE), (82, 56, BLUE))
    ),
    "scales": _line([(40, 22), (120, 22)], GREY)
    + _line([(80, 14), (80, 62)], GREY)
    + _box(26, 30, 28, 18, BLUE)
    + _box(106, 30, 28, 18, ORANGE),
    "shield": _line([(80, 8), (110, 18), (106, 44), (80, 64), (54, 44), (50, 18), (80, 8)], BLUE)
    + _line([(66, 36), (77, 47), (95, 25)], ORANGE, 2),
    "pieces": _strip([RED, RED, GREY, RED, RED, RED], 14) + _strip([BLUE, BLUE, BLUE], 42, width=44),
    "trainers": _axes()
    + _line([(24, 18), (60, 38), (96, 50), (140, 56)], BLUE, 8)
    + _line([(24, 18), (60, 38), (96, 50), (140, 56)], ORANGE, 2.5),
    "kitchens": _box(26, 22, 36, 30, BLUE)
    + _box(98, 22, 36, 30, ORANGE)
    + _line([(66, 32), (94, 32)], GREY, 2)
    + _line([(94, 42), (66, 42)], GREY, 2),
    "pairs": _box(22, 10, 50, 40, GREY, 0.15)
    + _box(88, 10, 50, 40, BLUE, 0.15)
    + _rows([38, 30, 34], GREY, x=28, y=18)
    + _rows([38, 34, 24], BLUE, x=94, y=18)
    + _line([(104, 60), (110, 66), (122, 54)], GREEN),
    "fewer": "".join(_box(24, 12 + 8.5 * i, 52, 6, BLUE) for i in range(6))
    + "".join(_box(96, 12 + 8.5 * i, 40, 6, ORANGE) for i in (0, 3, 5)),
    "page": _rows([100, 88, 104, 92, 60], GREY, x=28),
}
