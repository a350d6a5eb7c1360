"""The language of the drawings: a few shapes that mean the same on every page, in the page's colours.

A token is a small slate box, a vector a small blue bar, pretrained weights a wide blue bar, new weights an orange box
with a thick outline. Frozen is dashed, masked is pale, what is spoken of is lit in orange.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import count
from unicodedata import east_asian_width

from helpers.errors import InputError

WIDE, NARROW = 760, 360  # px: the column of a page, and a phone
TEXT, SMALL = 15, 13  # px
LINE = 20  # px from one line of text to the next
TOKEN = 30  # height of a token in px

_STYLE = """\
.drawing{--ink:#1f2937;--soft:#52606f;--line:#8593a3;--paper:#fff;--token:#e2e8f0;--body:#dbeafe;--bodyline:#1d4ed8;
--new:#ffedd5;--newline:#c2410c;--good:#047857;--goodfill:#d1fae5;--other:#cbd5e1;--bad:#b91c1c;--badfill:#fee2e2;
--plum:#86198f;--plumfill:#fae8ff;margin:.5rem 0;color:var(--ink)}
html[data-theme=dark] .drawing,html[theme=dark] .drawing,body[data-jp-theme-light=false] .drawing{--ink:#e5e7eb;
--soft:#aab4c0;--line:#748296;--paper:#14181e;--token:#334155;--body:#1e3a5f;--bodyline:#93c5fd;--new:#4a2a12;
--newline:#fdba74;--good:#6ee7b7;--goodfill:#064e3b;--other:#475569;--bad:#fca5a5;--badfill:#5b1a1a;--plum:#f0abfc;
--plumfill:#4a1250}
.drawing svg{display:block;width:100%;height:auto;font:15px system-ui,sans-serif}
.drawing svg.narrow{display:none}
@container drawing (max-width:560px){.drawing svg.wide{display:none}.drawing svg.narrow{display:block;max-width:420px}}
.drawing{container:drawing/inline-size}
.drawing text{fill:var(--ink)}.drawing .soft{fill:var(--soft);font-size:13px}
.drawing .mono{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}.drawing .strong{font-weight:600}
.drawing .token{fill:var(--token)}.drawing .vector,.drawing .body{fill:var(--body);stroke:var(--bodyline)}
.drawing .new{fill:var(--new);stroke:var(--newline);stroke-width:2}.drawing .good{fill:var(--goodfill);
stroke:var(--good)}.drawing .bad{fill:var(--badfill);stroke:var(--bad)}.drawing .plum{fill:var(--plumfill);
stroke:var(--plum)}.drawing .open{fill:none;stroke:var(--line)}
.drawing .bar{fill:var(--other)}.drawing .bar.right{fill:var(--good)}
.drawing .wire{stroke:var(--line);fill:none;stroke-width:1.5}.drawing .lit{stroke:var(--newline);stroke-width:2.5}
.drawing text.lit{fill:var(--newline);stroke:none;font-weight:600}.drawing .back{stroke-dasharray:5 4}
.drawing .frozen{stroke-dasharray:5 4}.drawing .pale{opacity:.3}.drawing .faint{opacity:.5}
"""
_MARKS = count()  # ids of arrow heads are unique on a page


@dataclass
class Canvas:
    """A drawing that grows: shapes are put at places in px, (0, 0) is at the top left.

    Args:
        width: of the drawing in px; a layout asks it whether there is room to go on to the right.
    """

    width: float
    parts: list[str] = field(default_factory=list)
    height: float = 0
    mark: str = field(default_factory=lambda: f"tip{next(_MARKS)}")

    @property
    def upright(self) -> bool:
        """Whether the drawing is for a phone."""
        return self.width < 600

    def text(
        self, x: float, y: float, text: str, kind: str = "", anchor: str = "start", width: float | None = None
    ) -> None:
        """A line of text; `y` is its baseline, `kind` some of soft, mono, strong and lit.

        With `width` its letters are set so far apart that it is as wide, whatever the reader's font.
        """
        place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"' + (f' textLength="{width:g}"' if width else "")
        self.parts.append(f'<text {place} class="{kind}">{escape(text)}</text>')
        self._reach(y + 6)

    def paragraph(self, x: float, y: float, text: str, width: float, kind: str = "soft") -> float:
        """Text in lines of at most `width` px; returns the baseline after the last."""
        line = ""
        for word in text.split():
            if line and span(f"{line} {word}", SMALL if "soft" in kind else TEXT) > width:
                self.text(x, y, line, kind)
                line, y = "", y + LINE - 2
            line = f"{line} {word}".strip()
        self.text(x, y, line, kind)
        return y + LINE - 2

    def box(self, x: float, y: float, width: float, height: float, kind: str, text: str = "", note: str = "") -> None:
        """A box of a kind (token, vector, body, new, good, bad, plum, open), with a text and a smaller note in it."""
        self.parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'rx="{min(8, height / 4):g}"/>'
        )
        middle, centre = y + height / 2 + 5, x + width / 2
        pale = " pale" if "pale" in kind.split() else ""
        if text:
            lettering = "mono" if "token" in kind.split() else ""
            self.text(centre, middle - (8 if note else 0), text, lettering + pale, "middle")
        if note:
            self.text(centre, middle + (10 if text else 0), note, "soft" + pale, "middle")
        self._reach(y + height + 2)

    def wire(self, points: Sequence[tuple[float, float]], kind: str = "", *, tip: bool = True) -> None:
        """A line through points, with an arrow head at its end."""
        path = " ".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(points))
        head = f' marker-end="url(#{self.mark}{"l" if "lit" in kind.split() else ""})"' if tip else ""
        self.parts.append(f'<path class="wire {kind}" d="{path}"{head}/>')
        self._reach(max(y for _, y in points) + 4)

    def curve(self, start: tuple[float, float], end: tuple[float, float], bow: float, kind: str = "") -> None:
        """An arrow from one point to another whose middle is pulled `bow` px downwards."""
        (x, y), (u, v) = start, end
        head = f' marker-end="url(#{self.mark}{"l" if "lit" in kind.split() else ""})"'
        turn = max(y, v) + bow if bow > 0 else min(y, v) + bow
        self.parts.append(
            f'<path class="wire {kind}" d="M{x:g} {y:g} C{x:g} {turn:g} {u:g} {turn:g} {u:g} {v:g}"{head}/>'
        )
        self._reach(max(y, v, turn if bow > 0 else 0) + 4)

    def tokens(self, x: float, y: float, tokens: Sequence[str], kinds: Sequence[str] | None = None) -> list[tuple]:
        """Tokens side by side, in as many lines as they need; returns (x, y, width) of each."""
        places, left = [], x
        for token, kind in zip(tokens, kinds or ["token"] * len(tokens), strict=True):
            width = max(26, span(token, SMALL, mono=True) + 14)
            if x + width > self.width and x > left:
                x, y = left, y + TOKEN + 8
            self.box(x, y, width, TOKEN, kind if "token" in kind.split() else f"token {kind}", token)
            places.append((x, y, width))
            x += width + 6
        return places

    def probability(self, x: float, y: float, width: float, name: str, share: float, *, right: bool) -> None:
        """A bar of probability with its name and number beside it."""
        room = width - span(f"{name} 0.00") - 12
        self.parts.append(
            f'<rect class="bar{" right" if right else ""}" x="{x:g}" y="{y:g}" width="{max(2, room * share):g}" '
            'height="22" rx="3"/>'
        )
        self.text(x + max(2, room * share) + 10, y + 16, f"{name} {share:.2f}")

    def _reach(self, y: float) -> None:
        self.height = max(self.height, y)

    def svg(self, kind: str) -> str:
        """The drawing as one element; `kind` is its class, wide or narrow."""
        heads = "".join(
            f'<marker id="{self.mark}{suffix}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse" markerUnits="userSpaceOnUse"><path d="M0 0L8 4L0 8z" fill="var(--{colour})"/>'
            "</marker>"
            for suffix, colour in (("", "line"), ("l", "newline"))
        )
        return (
            f'<svg class="{kind}" aria-hidden="true" viewBox="0 0 {self.width:g} {self.height + 4:g}">'
            f"<defs>{heads}</defs>{''.join(self.parts)}</svg>"
        )


@dataclass(frozen=True)
class Drawing:
    """A finished drawing: a description for those who cannot see it, and a form for each width."""

    description: str
    wide: str
    narrow: str

    def _repr_html_(self) -> str:
        return (
            f'<div class="drawing" role="img" aria-label="{escape(self.description)}"><style>{_STYLE}</style>'
            f"{self.wide}{self.narrow}</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": self.description}


def drawing(description: str, layout: Callable[[Canvas], None]) -> Drawing:
    """What a layout puts on a canvas, once for the column of a page and once for a phone.

    Raises InputError without a description, since some readers have nothing else.
    """
    if not description.strip():
        raise InputError("a drawing has no description; say in words what it shows")
    forms = []
    for kind, width in (("wide", WIDE), ("narrow", NARROW)):
        canvas = Canvas(width)
        layout(canvas)
        forms.append(canvas.svg(kind))
    return Drawing(description, *forms)


def span(text: str, size: float = TEXT, *, mono: bool = False) -> float:
    """About how many px a text is wide: drawings are made without a browser to ask."""
    full = sum(east_asian_width(letter) in "WF" for letter in text)  # such as Chinese characters, which are square
    if mono:
        return size * (0.61 * (len(text) - full) + full)
    narrow = sum(letter in "iljtfr.,:;'|!()[] " for letter in text)
    capital = sum(letter.isupper() or letter in "mwMW@%" for letter in text)
    return size * (0.56 * len(text) + 0.44 * full - 0.24 * narrow + 0.14 * capital)
