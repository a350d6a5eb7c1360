"""A plot on a page: vector, numbered, with the answer as its title, in light and dark, for a page and for a phone."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import fill

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from helpers.book.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW
from helpers.book.typography import escaped
from helpers.errors import InputError

NARROW = 3.7  # inches: with letters of 12 points, what a phone shows without shrinking them
# Of each colour of the palette: its name, and a shade with a contrast of at least 3 to a light and to a dark page.
_SHADES = {
    BLACK: ("black", "#1f2937", "#e5e7eb"),
    ORANGE: ("orange", "#b86e00", "#f0b429"),
    SKY: ("sky", "#2389c4", "#8fd0f5"),
    GREEN: ("green", "#00805d", "#34d399"),
    YELLOW: ("yellow", "#8a7d00", "#f0e442"),
    BLUE: ("blue", "#0064a0", "#5aa9e6"),
    RED: ("red", "#c24a00", "#ff9461"),
    PURPLE: ("purple", "#a84f87", "#e8a5cb"),
    GREY: ("grey", "#6b6b6b", "#a8a8a8"),
}
_LIGHT, _DARK = ("".join(f"--f-{name}:{pair[i]};" for name, *pair in _SHADES.values()) for i in (0, 1))
_STYLE = (
    f".book-figure{{{_LIGHT}container:figure/inline-size;margin:1.2rem 0}}"
    "html[data-theme=dark] .book-figure,html[theme=dark] .book-figure,"
    f"body[data-jp-theme-light=false] .book-figure{{{_DARK}}}"
    ".book-figure svg{display:block;width:100%;height:auto}.book-figure svg text{fill:var(--f-black)}"
    ".book-figure svg.narrow{display:none}"
    "@container figure (max-width:480px){.book-figure svg.wide{display:none}.book-figure svg.narrow{display:block}}"
    ".book-figure .answer{font-weight:600;margin:0 0 .4rem}.book-figure figcaption{font-size:.9em;margin-top:.3rem}"
    ".book-figure .number{font-weight:600}"
)
_LINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'  # matplotlib refers to markers by it
_COLOUR = re.compile("|".join(_SHADES), re.IGNORECASE)
_FONT = re.compile(r"font: ((?:[\w.]+ )*?)([\d.]+px) [^;\"]+")
_ID = re.compile(r' id="([^"]+)"')


@dataclass(frozen=True)
class PageFigure:
    """A numbered figure of a page; its number is set when the book is built, and a link to `#fig-NAME` shows it."""

    name: str
    answer: str
    caption: str
    alt: str
    wide: str
    narrow: str

    def _repr_html_(self) -> str:
        caption = f'<figcaption><span class="number">Figure</span>. {escaped(self.caption)}</figcaption>'
        return (
            f'<figure class="book-figure" id="fig-{self.name}"><style>{_STYLE}</style>'
            f'<p class="answer">{escaped(self.answer)}</p>'
            f'<div role="img" aria-label="{escape(self.alt)}">{self.wide}{self.narrow}</div>{caption}</figure>'
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": f"{self.answer} {self.alt}"}


def show(figure: Figure, answer: str, caption: str, *, name: str, alt: str, holds: bool = True) -> PageFigure:
    """Put a plot on the page.

    Args:
        figure: of one of the functions of `helpers.book.figures`; the title of a single panel, and a question in
            the title of any, give way to the answer.
        answer: what the plot shows, in a sentence.
        caption: what was measured, and on how many rows.
        name: by which the text refers to it.
        alt: what those who cannot see it should know.
        holds: whether the answer is true in this run.

    Raises AssertionError if the answer does not hold, InputError if a text is missing or the name is no plain word.
    """
    if not holds:
        raise AssertionError(f"this answer of a figure does not hold in this run: {answer}")
    for what, text in {"answer": answer, "caption": caption, "alt": alt}.items():
        if not text.strip():
            raise InputError(f"the figure '{name}' has no {what}; write one")
    if not re.fullmatch("[a-z][a-z0-9-]*", name):
        raise InputError(f"the figure's name is '{name}'; take small letters, digits and hyphens")
    for axes in figure.axes:
        axes.set_facecolor("none")
        if len(figure.axes) == 1 or axes.get_title(loc="left").endswith("?"):
            axes.set_title("", loc="left")
    wide = vector(figure, "wide", name)
    _narrowed(figure)
    narrow = vector(figure, "narrow", name)
    plt.close(figure)
    return PageFigure(name, answer, caption, alt, wide, narrow)


def _narrowed(figure: Figure) -> None:
    """Make a plot as narrow as a phone: long labels wrap and end with the axis, ticks that would touch lose theirs."""
    figure.set_size_inches(NARROW, figure.get_size_inches()[1])
    for axes in figure.axes:
        axes.set_xlabel(fill(axes.get_xlabel(), 30), loc="right", ma="right")
    figure.canvas.draw()
    for axes in figure.axes:
        _thinned([label for label in axes.get_xticklabels() if _is_on(label, axes)])


def _is_on(label: Text, axes: Axes) -> bool:
    """Whether a tick's label is written at the axis."""
    place = label.get_window_extent()
    middle = place.x0 + place.width / 2
    return label.get_visible() and bool(label.get_text()) and axes.bbox.x0 - 1 <= middle <= axes.bbox.x1 + 1


def _thinned(labels: Sequence[Text]) -> None:
    """Hide labels that would touch, from the right one to the left: the last says where the axis ends."""
    begin = math.inf
    for label in sorted(labels, key=lambda label: -label.get_window_extent().x0):
        place = label.get_window_extent()
        label.set_visible(place.x1 < begin - 2)
        begin = place.x0 if label.get_visible() else begin


def vector(figure: Figure, kind: str, name: str) -> str:
    """A plot as one SVG element of a class, in the colours of the page.

    Ids begin with the name and the class, so that two figures on a page share none.
    """
    buffer = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "book", "savefig.facecolor": "none"}):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _COLOUR.sub(lambda found: f"var(--f-{_SHADES[found[0].lower()][0]})", svg)
    svg = _FONT.sub(r"font: \1\2 system-ui, sans-serif", svg)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
    svg = _ID.sub(lambda found: f' id="{name}-{kind}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-{kind}-", svg)
    size = re.search(r'viewBox="[^"]+"', svg)[0]
    return re.sub(r"<svg[^>]*>", f'<svg class="{kind}" aria-hidden="true" {size} {_LINK}>', svg, count=1).strip()
