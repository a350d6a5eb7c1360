"""The same text about another person: pronouns, gendered nouns and first names exchanged.

The lists are short and the rules are blunt: they are for asking whether a classifier's verdict depends on such words,
not for rewriting texts.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

# Exchanged both ways. "her" stands for both him and his, which the word after it decides.
PAIRS = (
    ("he", "she"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl"), ("boys", "girls"),
    ("actor", "actress"), ("actors", "actresses"), ("father", "mother"), ("son", "daughter"), ("brother", "sister"),
    ("brothers", "sisters"), ("husband", "wife"), ("hero", "heroine"), ("mr", "ms"),
    ("male", "female"), ("gentleman", "lady"), ("gentlemen", "ladies"), ("dad", "mom"),
)  # fmt: skip
# First names in pairs of a man's and a woman's; the next pair gives the control a name of the same gender.
NAMES = (
    ("John", "Mary"), ("James", "Jennifer"), ("Robert", "Linda"), ("Michael", "Susan"), ("David", "Sarah"),
    ("Steven", "Karen"), ("Steve", "Nancy"), ("Brian", "Lisa"), ("Peter", "Sandra"), ("Kevin", "Ashley"),
    ("Mike", "Kate"), ("Jim", "Anna"), ("Eddie", "Goldie"), ("Matthew", "Helen"), ("Ethan", "Emma"),
    ("Richard", "Laura"), ("Chris", "Martha"), ("Thomas", "Amy"), ("Bill", "Lucy"), ("Martin", "Julia"),
    ("Charles", "Carmen"), ("Ben", "Rachel"), ("Oliver", "Olivia"), ("Tom", "Diane"), ("Tim", "Jane"),
    ("Gary", "Carol"), ("Paul", "Ruth"), ("Mark", "Janet"), ("Adam", "Eve"), ("Justin", "Britney"),
    ("Dave", "Donna"), ("Greg", "Gwen"), ("Jeremy", "Julie"), ("Alan", "Alice"), ("Dan", "Dana"),
)  # fmt: skip
_HIS = re.compile(
    r"\bher\b(?=\s+(?!(?:to|and|in|at|for|with|as|on|up|that|who|from|out|off|away)\b)[a-z])", re.IGNORECASE
)


def other_gender(text: str) -> str:
    """The text with pronouns, gendered nouns and first names of the other gender."""
    text = _HIS.sub(lambda found: "\0" + _in_case("his", found.group()), text)  # \0: do not exchange it again
    words = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])} | {"him": "her", "his": "her", "hers": "his"}
    words |= {"her": "him"}
    names = {a: b for pair in NAMES for a, b in (pair, pair[::-1])}
    return _exchanged(text, words, names).replace("\0", "")


def other_name(text: str) -> str:
    """The text with each first name replaced by another of the same gender, and nothing else: the control."""
    after = dict(zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True))
    return _exchanged(
        text, {}, {a: b for pair, following in after.items() for a, b in zip(pair, following, strict=True)}
    )


def changed(texts: Sequence[str], change: Callable[[str], str]) -> tuple[list[int], list[str]]:
    """The places of the texts that `change` changes, and what it makes of these."""
    new = [change(text) for text in texts]
    places = [i for i, (old, text) in enumerate(zip(texts, new, strict=True)) if old != text]
    return places, [new[i] for i in places]


def _exchanged(text: str, words: dict[str, str], names: dict[str, str]) -> str:
    def other(found: re.Match) -> str:
        word = found.group()
        return names[word] if word in names else _in_case(words.get(word.lower(), word), word)

    return re.sub(r"(?<!\0)\b[A-Za-z]+\b", other, text)


def _in_case(word: str, like: str) -> str:
    """The word in capitals where the other is, and with one at its beginning where that has one."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[0].isupper() else word


def turned(chances: np.ndarray) -> np.ndarray:
    """Whether the verdict of two labels differs between the first two versions of each text; chances (..., N, 3)."""
    return (chances[..., 0] >= 0.5) != (chances[..., 1] >= 0.5)
