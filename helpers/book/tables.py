"""Tables of a page: plain headings, text at the left, numbers at the right, no index, nothing that is not a number."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real

import pandas as pd

from helpers.book.typography import escaped, numbers
from helpers.errors import InputError

_EDGE = "linear-gradient(to {side},var(--pst-color-background,#fff) 30%,transparent) {place}/40px 100% no-repeat local"
_SHADE = "linear-gradient(to {side},rgba(120,130,140,.5),transparent) {place}/10px 100% no-repeat"
# A shade at an edge shows that there is more to scroll to; the ground that scrolls with the table covers it at the end.
_GROUND = ",".join(
    layer.format(side=side, place=place)
    for layer in (_EDGE, _SHADE)
    for side, place in (("right", 0), ("left", "100%"))
)
_STYLE = (
    ".book-table{margin:1rem 0}.book-table .title{font-weight:600;margin:0 0 .4rem}"
    f".book-table .scroller{{overflow-x:auto;background:{_GROUND}}}"
    ".book-table table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92em;margin:0}"
    ".book-table th,.book-table td{padding:.3rem .8rem .3rem 0;border:0;border-bottom:1px solid rgba(120,130,140,.35);"
    "vertical-align:top;text-align:left;background:none}"
    ".book-table th{border-bottom-width:2px;white-space:nowrap;vertical-align:bottom}"
    ".book-table .number{text-align:right;white-space:nowrap}"
    ".book-table .whole{white-space:nowrap}"
    "@media (max-width:600px){.book-table th,.book-table th.number{white-space:normal}}"
)
_WHOLE = re.compile(r"\b\d[\d.]*e-\d+\b|\bROUGE-\w\b")  # a browser would break the line after the hyphen


@dataclass(frozen=True)
class PageTable:
    """A table as it stands on a page."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": "a table"}


def show(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    title: str,
    digits: int | Mapping[str, int] = 3,
    sort: str | None = None,
    largest_first: bool = True,
) -> PageTable:
    """The named columns of a frame.

    Args:
        columns: the heading of each column that is shown, in this order; the index is none, so name it as a column
            before (`frame.reset_index()`).
        title: what the table holds, and on how many rows it was measured; it stays where it is while the table is
            scrolled.
        digits: of fractions after the point, for all columns or by column; whole numbers stay whole.
        sort: the column by which rows are sorted, else they keep their order.

    Raises InputError for a column that the frame does not have.
    """
    missing = [name for name in [*columns, *([sort] if sort else [])] if name not in frame.columns]
    if missing:
        raise InputError(f"the table has no column '{missing[0]}'; it has {', '.join(map(str, frame.columns))}")
    if sort:
        frame = frame.sort_values(sort, ascending=not largest_first, kind="stable")
    places = digits if isinstance(digits, Mapping) else dict.fromkeys(columns, digits)
    numeric = {name for name in columns if _is_numeric(frame[name])}
    head = "".join(f"<th scope=col{_kind(name in numeric)}>{escaped(text)}</th>" for name, text in columns.items())
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_kind(name in numeric)}>{cell(row[name], places.get(name, 3))}</td>" for name in columns)
        + "</tr>"
        for _, row in frame.iterrows()
    )
    return PageTable(
        f'<div class="book-table"><style>{_STYLE}</style><div class="title">{escaped(title)}</div>'
        f'<div class="scroller" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def cell(value: object, digits: int = 3) -> str:
    """A value as a reader takes it in: whole numbers with separators, fractions with equal digits, nothing for none."""
    if value is None or value is pd.NA or (isinstance(value, Real) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        return numbers(f"{value:,.{digits}f}")
    return _WHOLE.sub(r'<span class="whole">\g<0></span>', escape(numbers(str(value))))


def _is_numeric(values: pd.Series) -> bool:
    present = [value for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))]
    return bool(present) and all(isinstance(value, Real) and not isinstance(value, bool) for value in present)


def _kind(numeric: bool) -> str:
    return ' class="number"' if numeric else ""
