"""Where an answer that was given as a text stands in its context, and what is wrong with a place that was given."""

import unicodedata
from collections.abc import Sequence

from helpers.text import whole_word_spans

# How other programs count what stands before an answer. Characters from 0, as here, are code points.
UNITS = {
    "UTF-16 units": lambda before: len(before.encode("utf-16-le", "surrogatepass")) // 2,
    "bytes": lambda before: len(before.encode("utf-8", "surrogatepass")),
    "characters from 1": lambda before: len(before) + 1,
    "line ends as one character": lambda before: len(before.replace("\r\n", "\n")),
}


def place(text: str, context: str) -> int:
    """Where a text first stands in a context as words of its own, else where it first stands, else -1.

    10 is no answer inside of 2010.
    """
    return next((start for start, _ in whole_word_spans(text, context)), context.find(text))


def ambiguous(text: str, context: str) -> bool:
    """Whether `place` had to choose: the text stands twice as words of its own, or inside other words alone."""
    return len(whole_word_spans(text, context)) != 1


def misplaced(text: str, context: str, start: int) -> str | None:
    """What is wrong with an answer that shall stand at the character `start` of its context; None if nothing is."""
    if start >= 0 and text.strip() and context[start : start + len(text)] == text:
        return None
    places = _places(text, context) if text.strip() else []
    if places:
        units = [name for name, count in UNITS.items() if any(count(context[:at]) == start for at in places)]
        where = " and ".join(map(str, places[:3])) + (" and elsewhere" if len(places) > 3 else "")
        return (
            f"does not stand at character {start} of its context but at {where}; "
            + (f"answer_start seems to count {' or '.join(units)}, so " if units else "")
            + "count the characters before it, from 0, or give the text alone"
        )
    for form, said in ((_composed, "in another Unicode form"), (str.casefold, "in other capitals")):
        if text.strip() and form(text) in form(context):
            return f"stands in its context {said} only; copy it letter by letter from there"
    return (
        "does not stand in its context; copy it letter by letter from there, or leave it empty for a question without "
        "an answer"
    )


def choice_note(texts: Sequence[Sequence[str]], contexts: Sequence[str]) -> str | None:
    """For answers that were given without a place: a sentence on the rows in which the first of several was taken."""
    pairs = zip(texts, contexts, strict=True)
    count = sum(any(ambiguous(text, context) for text in row) for row, context in pairs)
    if not count:
        return None
    return (
        f"in {count:,} of {len(texts):,} rows an answer stands more than once in its context, or inside another word; "
        "the first place was taken, so give answer_start where it is another"
    )


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _places(text: str, context: str) -> list[int]:
    places, start = [], context.find(text)
    while start >= 0:
        places.append(start)
        start = context.find(text, start + 1)
    return places
