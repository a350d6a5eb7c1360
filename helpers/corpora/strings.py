"""Strings of a program's interface and their translations: the data of a team that localises its product."""

import json
import re
from collections.abc import Iterator

import pandas as pd

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import SPLITS, Corpus, pair_corpus
from helpers.data.splits import one_completion_each, published_pairs, split
from helpers.errors import InputError
from helpers.text import words

LANGUAGES = {"fr": "French", "de": "German", "zh": "Chinese"}
MIN_WORDS, MAX_WORDS = 4, 20
FRAME = "{}\nFrench:\n"  # an English string, and what tells a decoder to go on in French
INSTRUCTION = "Translate the text of a user interface into French. Answer with the translation alone."  # for a chat
SHARED = "several components"
_FILES = {"fr": "fr.json", "de": "de.json", "zh": "zh-Hans.json"}
_ODD = re.compile(r"\n|\[|<|://|\{[^}]*[^\w}]|%\(")  # lists, links, mark-up and plural rules are no plain sentences


def load(*, scale: str | None = None, path: str | None = None, language: str = "fr") -> Corpus:
    """English strings as `prompt`, their translation as `completion`, the component of the program as `group`.

    Split by component; a string that several components use goes to train. At scale `gpu`, or from
    `path`, OPUS-100 in its own splits.

    Args:
        language: fr, de or zh.
    """
    if language not in LANGUAGES:
        raise InputError(f"the strings are not translated into '{language}'; choose one of {', '.join(LANGUAGES)}")
    if path is not None or scales.current(scale) == "gpu":
        return _opus(path or scales.data("strings", "gpu"), language, local=path is not None)
    rows = pd.DataFrame(_translated(language), columns=["prompt", "completion", "group"])
    several = rows.groupby("prompt")["group"].transform("nunique") > 1
    usable, removed = _usable(rows.assign(group=rows["group"].mask(several, SHARED)))
    frames = split(usable[usable["group"] != SHARED])
    frames["train"] = pd.concat([frames["train"], usable[usable["group"] == SHARED]]).sort_index()
    return pair_corpus(
        frames,
        name=f"strings-{language}",
        source="the translations of the components of Home Assistant 2025.4.4",
        licence="Apache-2.0",
        unit=f"one string of {MIN_WORDS} to {MAX_WORDS} words and its {LANGUAGES[language]} translation",
        split_rule="by component of the program; strings of several components are in train",
        removed=removed,
    )


def _translated(language: str) -> Iterator[tuple[str, str, str]]:
    """English, translation and component of every key that both languages have."""
    for folder in sorted(assets.fetch("strings").iterdir()):
        files = [folder / "translations" / name for name in ("en.json", _FILES[language])]
        if all(file.is_file() for file in files):
            english, other = (dict(_leaves(json.loads(file.read_text(encoding="utf-8")))) for file in files)
            yield from ((english[key], other[key], folder.name) for key in english if key in other)


def _leaves(tree: dict, path: tuple = ()) -> Iterator[tuple[tuple, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        elif isinstance(value, str):
            yield (*path, key), value


def _usable(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Plain sentences of the right length that are translated, each once; and how many were left out, by reason."""
    rows = rows.assign(prompt=rows["prompt"].map(_clean), completion=rows["completion"].map(_clean))
    length = rows["prompt"].map(lambda text: len(words(text)))
    reasons = {
        "shorter or longer": ~length.between(MIN_WORDS, MAX_WORDS),
        "a list, link, mark-up or plural rule": rows["prompt"].str.contains(_ODD),
        "not translated": (rows["completion"] == rows["prompt"]) | (rows["completion"] == ""),
    }
    removed, remaining = {}, pd.Series(True, index=rows.index)
    for reason, mask in reasons.items():
        removed[reason] = int((mask & remaining).sum())
        remaining &= ~mask
    unique, repeated = one_completion_each(rows[remaining])
    return unique.reset_index(drop=True), removed | repeated


def _clean(text: str) -> str:
    """Without blanks at the ends, and with plain blanks for the narrow ones that French typography sets."""
    return re.sub(r"[\u00a0\u202f]", " ", text).strip()


def _opus(name: str, language: str, *, local: bool) -> Corpus:
    """OPUS-100 in the Hub's layout: rows `{"translation": {"en": ..., "fr": ...}}` in its own three splits."""
    data = hub.load(name, scale="gpu", config=None if local else "-".join(sorted(("en", language))))
    rows = {part: pd.DataFrame(data[part]["translation"][:]) for part in SPLITS}
    columns = {"en": "prompt", language: "completion"}
    frames, removed = published_pairs(
        {part: table[list(columns)].rename(columns=columns).assign(group="opus") for part, table in rows.items()}
    )
    return pair_corpus(
        frames,
        name=f"opus-100-{language}",
        source="OPUS-100 (Zhang et al. 2020)",
        licence="not stated for the whole",
        unit="one sentence and its translation",
        split_rule="as published, without rows that stand in a later split",
        removed=removed,
    )
