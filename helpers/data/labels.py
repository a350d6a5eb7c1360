"""Names of classes, tags and labels as people write them: near-equal spellings, several in a cell, too few rows."""

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd
import regex

from helpers.data.splits import normalised
from helpers.errors import InputError

SEPARATORS = (";", "|", ",")
MOST = 10  # names in a sentence
_WHOLE = re.compile(r"(-?\d+)\.0+")  # 1.0 and 1.00, which a program made of 1
_HIDDEN = regex.compile(r"\p{Cf}+")  # characters without width


def tell_contradictory(rows: pd.DataFrame, path: object) -> None:
    """Warn, with an example, of rows that have the text of another row and another label.

    Args:
        rows: all of a file, numbered as there, with columns `text` and `label` (strings).
    """
    key = normalised(rows["text"])
    found = rows[rows.groupby(key)["label"].transform("nunique") > 1]
    if found.empty:
        return
    first = found.iloc[0]
    other = found[(key[found.index] == key[found.index[0]]) & (found["label"] != first["label"])].iloc[0]
    warnings.warn(
        f"{len(found):,} rows of '{path}' have the text of another row and another label, and are left out: row "
        f"{first.name} is '{first['label']}', row {other.name} is '{other['label']}' ('{first['text'][:40]}')",
        stacklevel=2,
    )


def near_equal(counts: Mapping[str, int]) -> list[list[str]]:
    """Labels that differ in case, blanks, hidden characters or Unicode form alone, or as 1 and 1.0 do; most rows first.

    Args:
        counts: rows by label.
    """
    alike: dict[str, list[str]] = {}
    for label in sorted(counts, key=counts.get, reverse=True):
        key = " ".join(_HIDDEN.sub("", unicodedata.normalize("NFKC", label)).casefold().split())
        alike.setdefault(_WHOLE.fullmatch(key)[1] if _WHOLE.fullmatch(key) else key, []).append(label)
    return [group for group in alike.values() if len(group) > 1]


def check_spelling(labels: Iterable[str], path: object, what: str = "label") -> None:
    """InputError, naming two of them and their counts, if labels are near-equal."""
    counts = Counter(labels)
    groups = near_equal(counts)
    if groups:
        first, second = groups[0][:2]
        more = f", and so do {len(groups) - 1} more {what}s" if len(groups) > 1 else ""
        raise InputError(
            f"{what} {first!r} ({counts[first]:,} times) and {what} {second!r} ({counts[second]:,} times) of '{path}' "
            f"differ in spelling alone{more}; write them alike, or give one another name if they are two"
        )


def check_single(labels: Iterable[str], path: object) -> None:
    """InputError if a label seems to be several: its parts, between the signs of `SEPARATORS`, stand elsewhere too."""
    counts = Counter(labels)
    for mark in SEPARATORS:
        parts = {label: [part.strip() for part in label.split(mark)] for label in counts}
        held = Counter(part for own in parts.values() for part in set(own))
        joint = [
            label
            for label, own in parts.items()
            if len(own) > 1 and all(own) and min(map(held.get, own)) > 1 and not "".join(own).isdecimal()  # as 1,5 is
        ]
        if joint:
            raise InputError(
                f"label '{joint[0]}' of '{path}' ({counts[joint[0]]:,} rows) is made of labels of other rows; "
                f"if a row may have several, take --task multilabel with --separator '{mark}', and if this is one "
                f"class, write it without '{mark}'"
            )


def check_known(
    own: Mapping[int, Iterable[str]], known: Iterable[str], path: object, what: str = "label", unit: str = "row"
) -> None:
    """InputError, naming the row, if a label of it is not known.

    Args:
        own: the labels of each row, by its number in the file.
        what, unit: what a label, and what a row is called.
    """
    names = list(known)
    held = set(names)
    for row, labels in own.items():
        for label in labels:
            if label not in held:
                raise InputError(
                    f"{what} '{label}' in {unit} {row} of '{path}' is not one of {', '.join(names)}, which training "
                    f"has; fix the {unit} or add training {unit}s with this {what}"
                )


def without_rare(rows: pd.DataFrame, path: object, least: int | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows whose label has at least so many of them, and how many were left out.

    Raises InputError, naming all of them, if `least` is None and labels have fewer rows than a split into three needs.
    """
    counts = rows["label"].value_counts()
    rare = counts[counts < (least or 3)]
    if least is None and (not len(rare) or len(counts) == 1):
        return rows, {}
    if least is None:
        shown = ", ".join(f"'{label}' ({count})" for label, count in rare.iloc[:MOST].items())
        shown += f" and {len(rare) - MOST:,} more" if len(rare) > MOST else ""
        what, have = ("labels", "have") if len(rare) > 1 else ("label", "has")
        raise InputError(
            f"{what} {shown} of '{path}' {have} too few "
            "rows after removing duplicates for a split into train, validation and test, which needs three; add rows, "
            "or leave such labels out with --min-rows 3"
        )
    kept = rows[~rows["label"].isin(rare.index)]
    return kept, {f"label with fewer than {least} rows": len(rows) - len(kept)}
