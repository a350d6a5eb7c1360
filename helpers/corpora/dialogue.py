"""Short conversations: each turn with the answer to it, in English or Chinese."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd
import yaml

from helpers import assets, scales
from helpers.corpora.base import Corpus, pairs
from helpers.corpora.splits import one_completion_each, split
from helpers.errors import InputError

LANGUAGES = {"en": "english", "zh": "chinese"}


def load(*, scale: str | None = None, path: str | None = None, language: str = "en") -> Corpus:
    """A turn as `prompt`, the answer as `completion`, the conversation as `group`; the same at every scale.

    Args:
        path: a folder with the folders `english` and `chinese` of YAML files.
        language: en or zh.
    """
    scales.current(scale)  # an unknown scale is an error here too
    if language not in LANGUAGES:
        raise InputError(f"there are no dialogues in '{language}'; choose one of {', '.join(LANGUAGES)}")
    kept, removed = one_completion_each(
        pd.DataFrame(
            _turns(Path(path) if path else assets.fetch("dialogue"), language),
            columns=["prompt", "completion", "group"],
        )
    )
    return pairs(
        split(kept),
        name=f"dialogue-{language}",
        source="chatterbot-corpus 1.3.3",
        licence="BSD-3-Clause",
        unit="one turn and the answer to it",
        split_rule="by conversation, in which a turn stands first",
        removed=removed,
    )


def _turns(root: Path, language: str) -> Iterator[tuple[str, str, str]]:
    for file in sorted((root / LANGUAGES[language]).glob("*.yml")):
        for number, turns in enumerate(yaml.safe_load(file.read_text(encoding="utf-8"))["conversations"]):
            texts = [str(turn).strip() for turn in turns]
            yield from ((*both, f"{file.stem} {number}") for both in pairwise(texts) if all(both))
