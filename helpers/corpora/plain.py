"""Plain English text without labels, to pretrain on: the samples of the Brown corpus, tags and spacing removed."""

import re
from pathlib import Path

from helpers import assets
from helpers.errors import InputError

# The corpus sets punctuation apart with blanks, and writes quotation marks as `` and ''.
_REPAIRS = ((r"``|''", '"'), (r"\s+([.,;:?!)])", r"\1"), (r"\(\s+", "("), (r"([.?!;])(?:\1)+", r"\1"))


def brown(*genres: str) -> list[str]:
    """The samples of some genres, or of all 15, each about 2,000 words of American English of 1961.

    Raises InputError for a genre that the corpus does not have; AssetError if it cannot be fetched.
    """
    folder = assets.fetch("brown")
    lines = (folder / "cats.txt").read_text(encoding="utf-8").splitlines()
    genre = dict(line.split() for line in lines if line.strip())
    unknown = [name for name in genres if name not in genre.values()]
    if unknown:
        raise InputError(f"Brown has no genre '{unknown[0]}'; choose from {', '.join(sorted(set(genre.values())))}")
    return [_plain(folder / name) for name in sorted(genre) if not genres or genre[name] in genres]


def _plain(path: Path) -> str:
    """`The/at Jury/nn said/vbd ./.` as `The Jury said.`"""
    text = " ".join(token.rsplit("/", 1)[0] for token in path.read_text(encoding="utf-8").split())
    for pattern, repaired in _REPAIRS:
        text = re.sub(pattern, repaired, text)
    return text
