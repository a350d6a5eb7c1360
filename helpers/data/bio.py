"""Tags that mark spans of words: the BIO scheme, and others that become it."""

import re
from collections.abc import Sequence

_INSIDE = "IELM"  # the marks of a word that continues a span


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The spans that BIO tags mark, as (kind, first word, word after the last), by the rule of conlleval."""
    result, kind, start = set(), None, 0
    for position, tag in enumerate([*tags, "O"]):
        if kind is not None and tag != f"I-{kind}":
            result.add((kind, start, position))
            kind = None
        if kind is None and tag != "O":
            kind, start = tag[2:], position
    return result


def bio(tags: Sequence[str]) -> list[str]:
    """Tags of IOB1, IOBES or BILOU as BIO; a row with any other kind of tag is returned as it is."""
    if not all(tag == "O" or re.fullmatch(r"[BIESULM]-.+", tag) for tag in tags):
        return list(tags)
    result, inside = [], None
    for tag in tags:
        prefix, kind = (tag[0], tag[2:]) if tag != "O" else ("O", None)
        continues = prefix in _INSIDE and kind == inside
        result.append("O" if kind is None else f"{'I' if continues else 'B'}-{kind}")
        inside = kind
    return result
