"""Misspelled words, as senders of spam write them: a filter does not know them, and people can read them."""

from collections.abc import Sequence

import numpy as np

LOOK_ALIKES = str.maketrans("aeiostlAEIOSTL", "@310$7|@310$7|")


def misspelled(texts: Sequence[str], rate: float, *, seed: int = 0) -> list[str]:
    """The texts with about a share `rate` of their words of four or more letters changed, each in one place.

    A change is one of five, drawn evenly: two neighbours swap, a letter is left out or doubled, a letter gives way to
    one that looks like it, or a dot comes between two letters. The first letter stays. The same seed gives the same
    texts, and a word that changes at one rate changes at every higher rate.
    """
    return [_text(text, rate, np.random.default_rng([seed, number])) for number, text in enumerate(texts)]


def _text(text: str, rate: float, random: np.random.Generator) -> str:
    words = text.split(" ")
    draws, positions, kinds = random.random((3, len(words)))
    for i, word in enumerate(words):
        if draws[i] < rate and len(word) >= 4 and word.isalpha():
            words[i] = _word(word, 1 + int(positions[i] * (len(word) - 2)), int(kinds[i] * 5))
    return " ".join(words)


def _word(word: str, position: int, kind: int) -> str:
    """Change a word at a place from 1 to its last letter but one."""
    before, letter, after = word[:position], word[position], word[position + 1 :]
    changed = (after[0] + letter + after[1:], after, letter * 2 + after, None, letter + "." + after)[kind]
    if changed is None:  # the first letter from here on that another one looks like, else a star
        alike = letter.translate(LOOK_ALIKES)
        changed = (alike if alike != letter else "*") + after
    return before + changed
