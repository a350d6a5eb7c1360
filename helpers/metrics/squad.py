"""How answers are compared: exact match and token F1, as the evaluation script of SQuAD 2.0 defines them.

Before two texts are compared they are normalised: lower case, ASCII punctuation removed (not replaced by a blank), the
words a, an and the removed, runs of blanks made one (Rajpurkar et al. 2016, 2018). An answer counts by its best match
among the texts that are right. A question without an answer has no right texts, and only the empty answer scores.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalised(text: str) -> str:
    """The text as it is compared."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(answer: str, right: Sequence[str]) -> float:
    """1.0 if the answer equals one of the right texts after normalisation, else 0.0."""
    return float(normalised(answer) in _targets(right))


def f1(answer: str, right: Sequence[str]) -> float:
    """Harmonic mean of precision and recall over the words of the answer, against the best of the right texts.

    A word counts as often as it stands in both. Where one side is empty the score is 1.0 if both are, else 0.0.
    """
    return max(_f1(normalised(answer).split(), target.split()) for target in _targets(right))


def _targets(right: Sequence[str]) -> list[str]:
    """The right texts normalised, without those that become empty; the empty text if there are none."""
    return [target for target in map(normalised, right) if target] or [""]


def _f1(answer: list[str], target: list[str]) -> float:
    if not answer or not target:
        return float(answer == target)
    common = sum((Counter(answer) & Counter(target)).values())
    return 2 * common / (len(answer) + len(target))
