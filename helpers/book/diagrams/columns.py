"""Drawings of tokens with something below each: its number, or what a model sees in its place."""

from collections.abc import Sequence

from helpers.book.diagrams.canvas import SMALL, TOKEN, Canvas, Drawing, drawing, span
from helpers.errors import InputError

WAYS = {"": "token", "masked": "token new", "random": "token bad", "kept": "token good"}


def numbered(tokens: Sequence[str], ids: Sequence[int]) -> Drawing:
    """Tokens, and below each its place in the vocabulary."""
    if len(tokens) != len(ids):
        raise InputError(f"{len(tokens)} tokens and {len(ids)} ids; give one id a token")
    below = [str(i) for i in ids]

    def layout(canvas: Canvas) -> None:
        for x, y, width, i in _places(canvas, 8, 8, [(tokens[i], below[i]) for i in range(len(tokens))], TOKEN + 34):
            canvas.box(x, y, width, TOKEN, "token", tokens[i])
            canvas.text(x + width / 2, y + TOKEN + 16, below[i], "soft", "middle")

    pairs = ", ".join(f"{token} {i}" for token, i in zip(tokens, ids, strict=True))
    return drawing(f"Tokens with their ids: {pairs}.", layout)


def hidden(tokens: Sequence[str], seen: Sequence[str], ways: Sequence[str]) -> Drawing:
    """A text, below it what a masked language model sees, and what was done to each token that is asked for.

    Args:
        tokens, seen: T of each.
        ways: for each token one of masked, random and kept, or nothing where it is not asked for.

    Raises InputError for numbers that differ, and for another way.
    """
    if not len(tokens) == len(seen) == len(ways):
        raise InputError(f"{len(tokens)} tokens, {len(seen)} seen and {len(ways)} ways; give one of each a token")
    unknown = sorted(set(ways) - set(WAYS))
    if unknown:
        raise InputError(f"'{unknown[0]}' is no way to hide a token; take {', '.join(filter(None, WAYS))} or nothing")

    def layout(canvas: Canvas) -> None:
        canvas.text(8, 20, "above the text, below what the model sees", "soft")
        columns = list(zip(tokens, seen, ways, strict=True))
        for x, y, width, i in _places(canvas, 8, 32, columns, 2 * TOKEN + 46):
            canvas.box(x, y, width, TOKEN, WAYS[ways[i]] if ways[i] else "token faint", tokens[i])
            canvas.box(x, y + TOKEN + 6, width, TOKEN, WAYS[ways[i]] if ways[i] else "token faint", seen[i])
            if ways[i]:
                canvas.text(x + width / 2, y + 2 * TOKEN + 22, ways[i], "soft", "middle")

    done = ", ".join(f"“{token}” {way}" for token, way in zip(tokens, ways, strict=True) if way)
    return drawing(f"Of the {len(tokens)} tokens of “{' '.join(tokens)}” these are asked for: {done}.", layout)


def _places(canvas: Canvas, x: float, y: float, columns: Sequence[Sequence[str]], step: float):
    """Place and width of each column, as wide as its widest text, in as many lines as they need: (x, y, width, i)."""
    left = x
    for i, texts in enumerate(columns):
        width = max(26, *(span(text, SMALL, mono=True) + 14 for text in texts))
        if x + width > canvas.width and x > left:
            x, y = left, y + step
        yield x, y, width, i
        x += width + 6
