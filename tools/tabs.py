"""Two cells of a page as two tabs: the same step in plain transformers and by this book's package.

A notebook has no tabs, and tabs in Markdown would hold code that never runs. So the two are ordinary cells, one after
the other, tagged `tab-plain` and `tab-helpers`; on the built page they become tabs, all of which turn together.
"""

import re

TABS = {"tab-plain": "plain", "tab-helpers": "helpers"}
_CELL = re.compile(r'<div class="cell [^"]*\btag_(tab-[a-z]+)\b[^"]*">')
_SPACE = re.compile(r"\s*")
_DIV = re.compile(r"<div\b|</div>")


class TabError(Exception):
    """Tabs that cannot be made, in one sentence."""


def tabbed(text: str) -> str:
    """A page whose neighbouring cells with the tags of `TABS` are tabs; TabError for one without its neighbour."""
    made, place, number = [], 0, 0
    while found := _CELL.search(text, place):
        made.append(text[place : found.start()])
        number += 1
        place = found.start()
        made.append('<div class="sd-tab-set docutils">')
        for position, (tag, title) in enumerate(TABS.items()):
            opening = _CELL.match(text, place)
            if not opening or opening[1] != tag:
                raise TabError(f"set {number} of tabs lacks a cell with the tag {tag} at its place; put it there")
            end = _end(text, place)
            made.append(_tab(number, position, tag, title, text[place:end]))
            place = end if position else _SPACE.match(text, end).end()
        made.append("</div>")
    return "".join(made) + text[place:]


def _tab(number: int, position: int, tag: str, title: str, cell: str) -> str:
    name, first = f"tabs-{number}", "" if position else " checked"
    return (
        f'<input id="{name}-{position}" name="{name}" type="radio"{first}>'
        f'<label class="sd-tab-label" data-sync-group="package" data-sync-id="{tag}" for="{name}-{position}">{title}'
        f'</label><div class="sd-tab-content docutils">{cell}</div>'
    )


def _end(text: str, start: int) -> int:
    """Where the element that begins at `start` ends."""
    depth = 0
    for found in _DIV.finditer(text, start):
        depth += 1 if found[0] != "</div>" else -1
        if not depth:
            return found.end()
    raise TabError("a cell of tabs does not end; the page is broken")
