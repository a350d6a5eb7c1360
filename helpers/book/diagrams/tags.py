"""Drawings of tags in a row: what depends on what, a trellis with its scores, and tags below their words."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from helpers.book.diagrams.canvas import SMALL, Canvas, Drawing, drawing, span
from helpers.book.diagrams.strips import check_tags
from helpers.errors import InputError

CHAINS = {
    "alone": ("each tag alone", "nothing joins the tags"),
    "memm": ("MEMM", "arrows: a softmax at each step"),
    "crf": ("CRF", "no direction: one softmax over all sequences"),
}


def chains(*kinds: str) -> Drawing:
    """What depends on what in some of `CHAINS`: each tag on the whole sentence, and on its neighbours or not."""
    for kind in kinds:
        if kind not in CHAINS:
            raise InputError(f"there is no chain '{kind}'; take some of {', '.join(CHAINS)}")

    def layout(canvas: Canvas) -> None:
        for number, kind in enumerate(kinds):
            _chain(canvas, 8, 20 + 170 * number, kind)

    said = "; ".join(f"{name}: {note}" for name, note in (CHAINS[kind] for kind in kinds))
    return drawing(f"Four tags above a sentence; every tag hangs on the whole sentence. {said}.", layout)


def _chain(canvas: Canvas, x: float, y: float, kind: str) -> None:
    name, note = CHAINS[kind]
    canvas.text(x, y, name, "strong")
    if canvas.upright:
        canvas.paragraph(x, y + 18, note, canvas.width - 2 * x)
    else:
        canvas.text(x + 1.15 * span(name) + 20, y, note, "soft")
    step = (min(canvas.width, 560) - 2 * x) / 4
    top, bottom = y + 34, y + 100
    for t in range(4):
        left = x + t * step + (step - 44) / 2
        canvas.box(left, top, 44, 32, "new" if kind != "alone" else "vector", "y" + "₁₂₃₄"[t])
        canvas.wire([(left + 22, bottom), (left + 22, top + 34)], tip=kind != "crf")
        if t and kind != "alone":
            canvas.wire([(left - step + 46, top + 16), (left - 2, top + 16)], "lit", tip=kind == "memm")
    canvas.box(x, bottom, 4 * step, 30, "body", "the whole sentence x, read by the network")


def tagged(words: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Drawing:
    """Words with their tags below, once for each of some taggings in BIO; the first is right, what differs is marked.

    A step that BIO forbids, I after anything but B or I of its kind, says so.

    Args:
        words: T of them.
        rows: by title, T tags such as B-NAME, I-NAME and O.

    Raises InputError for another number of tags than words.
    """
    check_tags(words, rows)
    right = next(iter(rows.values()))
    room = [max(1.1 * span(word), *(span(tags[t], SMALL, mono=True) + 12 for tags in rows.values())) + 8
            for t, word in enumerate(words)]  # fmt: skip

    def layout(canvas: Canvas) -> None:
        y = 0.0
        for title, tags in rows.items():
            canvas.text(8, y + 18, title, "soft strong")
            x, y = 8.0, y + 28
            for t, (word, tag) in enumerate(zip(words, tags, strict=True)):
                if x + room[t] > canvas.width - 4 and x > 8:
                    x, y = 8.0, y + 78
                kind = "bad" if tag != right[t] else "good" if tag != "O" else "open"
                canvas.text(x + room[t] / 2 - 4, y + 14, word, anchor="middle")
                canvas.box(x, y + 22, room[t] - 8, 26, f"token {kind}", tag)
                if not _allowed(tags[t - 1] if t else "O", tag):
                    canvas.text(x + room[t] / 2 - 4, y + 64, "illegal", "soft lit", "middle")
                x += room[t]
            y += 80

    return drawing(
        "; ".join(f"{title}: " + " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))
                  for title, tags in rows.items()) + ".",
        layout,
    )  # fmt: skip


def _allowed(before: str, tag: str) -> bool:
    return not tag.startswith("I-") or before in (tag, "B" + tag[1:])


def subwords(words: Sequence[str], tags: Sequence[str], tokens: Sequence[str], owners: Sequence[int | None]) -> Drawing:
    """Words with their tags, and below each the subwords that it becomes; the first of them, which carries it, is lit.

    Args:
        words, tags: W of each.
        tokens: T of them, special ones included.
        owners: the number of each token's word, None for a special token.

    Raises InputError for another number of tags than words.
    """
    check_tags(words, {"tags": tags})
    pairs = groupby(zip(tokens, owners, strict=True), key=itemgetter(1))
    blocks = [(owner, [token for token, _ in each]) for owner, each in pairs]

    def layout(canvas: Canvas) -> None:
        x, y = 8.0, 4.0
        for owner, parts in blocks:
            widths = [max(26, span(part, SMALL, mono=True) + 14) + 6 for part in parts]
            above = [] if owner is None else [1.1 * span(words[owner]), span(tags[owner], SMALL, mono=True) + 12]
            room = max(sum(widths), *above, 0) + 10
            if x + room > canvas.width and x > 8:
                x, y = 8.0, y + 124
            if owner is not None:
                canvas.text(x, y + 14, words[owner])
                canvas.box(x, y + 22, above[1], 24, f"token {'open' if tags[owner] == 'O' else 'good'}", tags[owner])
                canvas.wire([(x + 13, y + 47), (x + 13, y + 69)], "lit")
            kinds = ["token faint"] * len(parts) if owner is None else ["token new", *["token faint"] * len(parts[1:])]
            canvas.tokens(x, y + 72, parts, kinds)
            x += room

    own = [(owner, " ".join(parts)) for owner, parts in blocks if owner is not None]
    said = "; ".join(f"{words[owner]} with {tags[owner]} becomes {parts}" for owner, parts in own)
    return drawing(f"{said}. The first subword of each word carries its tag.", layout)


def trellis(
    words: Sequence[str],
    tags: Sequence[str],
    emissions: np.ndarray,
    transitions: np.ndarray,
    path: Sequence[int] = (),
    kept: np.ndarray | None = None,
) -> Drawing:
    """The scores of a CRF on the nodes and edges of a trellis, with a path lit.

    Args:
        words: T of them.
        tags: K of them.
        emissions: score of each tag at each word, shape (T, K).
        transitions: score from tag to tag, shape (K, K).
        path: the number of a tag for each word, such as the best path.
        kept: what a recursion keeps at each node, shape (T, K), written below it.
    """

    def layout(canvas: Canvas) -> None:
        left, top, deep = 8 + max(span(tag, SMALL, mono=True) for tag in tags) + 12, 56, 88
        across = (canvas.width - left - 60) / max(1, len(words) - 1)
        place = {(t, k): (left + 26 + across * t, top + deep * k) for t in range(len(words)) for k in range(len(tags))}
        edges = [
            (place[t - 1, a], place[t, b], transitions[a, b], "lit" if list(path[t - 1 : t + 1]) == [a, b] else "")
            for t in range(1, len(words))
            for a, b in np.ndindex(len(tags), len(tags))
        ]
        for (x, y), (u, v), _, lit in edges:
            canvas.wire([(x + 25, y), (u - 26, v)], lit or "faint")
        for start, end, score, lit in edges:
            _score(canvas, start, end, f"{score:+.1f}", lit)
        for (t, k), (x, y) in place.items():
            canvas.box(
                x - 24, y - 15, 48, 30, "new" if list(path[t : t + 1]) == [k] else "vector", f"{emissions[t, k]:+.1f}"
            )
            if kept is not None:
                canvas.text(x, y + 32, f"{kept[t, k]:.2f}", "soft strong", "middle")
        for k, tag in enumerate(tags):
            canvas.text(8, top + deep * k + 5, tag, "mono")
        for t, word in enumerate(words):
            canvas.text(place[t, 0][0], 22, word, "strong", "middle")

    named = f", with the path {' '.join(tags[k] for k in path)} lit" if len(path) else ""
    return drawing(f"A trellis over “{' '.join(words)}” with the tags {', '.join(tags)}{named}.", layout)


def _score(canvas: Canvas, start: tuple[float, float], end: tuple[float, float], score: str, kind: str) -> None:
    """The score of an edge, on the edge itself, with a ground behind it that no edge crosses."""
    share = 0.3  # near its beginning, where the scores of edges that cross stand apart
    x, y = start[0] + 25 + share * (end[0] - start[0] - 51), start[1] + share * (end[1] - start[1])
    width = span(score, SMALL) + 6
    canvas.parts.append(
        f'<rect style="fill:var(--pst-color-background,var(--paper))" x="{x - width / 2:g}" y="{y - 8:g}" '
        f'width="{width:g}" height="16"/>'
    )
    canvas.text(x, y + 4.5, score, f"soft {kind}", "middle")
