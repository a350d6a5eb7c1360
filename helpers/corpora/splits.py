"""Splits that leak nothing: duplicates go first, and rows that belong together stay on one side."""

import re

import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from helpers.corpora.base import SPLITS
from helpers.errors import InputError


def normalised(text: pd.Series) -> pd.Series:
    """The texts in lower case with every run of other characters than letters and digits as one blank.

    Two texts that agree after this count as duplicates. A text without letters or digits is compared as it stands.
    """
    words = text.map(lambda row: re.sub(r"[\W_]+", " ", row.casefold()).strip())
    return words.where(words != "", text)


def deduplicated(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows without repeated texts, and how many were left out by reason.

    Of equal texts with one label the first is kept. Equal texts with different labels are all left out: nobody can
    tell which label is right.
    """
    key = normalised(frame["text"])
    contradictory = frame.groupby(key)["label"].transform("nunique") > 1
    repeated = key.duplicated() & ~contradictory
    removed = {"duplicate": int(repeated.sum()), "same text, other label": int(contradictory.sum())}
    return frame[~repeated & ~contradictory], removed


def one_completion_each(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Pairs without repeated prompts, and how many rows were left out.

    Of equal prompts the first row with the most frequent completion is kept, so that no prompt stands in two splits
    whatever they are cut by.
    """
    key = normalised(frame["prompt"])
    votes = frame.groupby([key, frame["completion"]])["prompt"].transform("size")
    order = votes.sort_values(ascending=False, kind="stable").index
    kept = order[~key[order].duplicated()]
    return frame.loc[kept.sort_values()], {"prompt seen before": len(frame) - len(kept)}


def linked_groups(frame: pd.DataFrame, min_words: int = 4) -> pd.Series:
    """Group names after joining groups that share a text of at least `min_words` words.

    One film under two titles is one film; a shorter text that two groups share may be chance.
    """
    key = normalised(frame["text"])
    telling = key.str.split().str.len() >= min_words
    groups, names = pd.factorize(frame["group"])
    texts = pd.factorize(key)[0]
    size = len(names) + texts.max() + 1
    edges = coo_matrix((telling.astype(int), (groups, len(names) + texts)), shape=(size, size))
    edges.eliminate_zeros()
    component = connected_components(edges, directed=False)[1][: len(names)]
    first = pd.Series(names).groupby(component).transform("first").to_numpy()
    return pd.Series(first[groups], index=frame.index)


def split(
    frame: pd.DataFrame, *, validation: float = 0.125, test: float = 0.125, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Cut rows into train, validation and test, each label, where rows have one, in about the same share everywhere.

    Rows of one `group`, where the frame has that column, stay together.

    Args:
        validation, test: shares of all rows, as one part in a whole number (0.125 is one in eight).

    Raises InputError if a label has too few rows, or too few groups, to stand in all three.
    """
    labels = _labels(frame)
    smallest = labels.value_counts()
    if smallest.min() < 3:
        what, of_each = (
            (f"label '{smallest.idxmin()}' has", " of each label") if "label" in frame else ("the data have", "")
        )
        raise InputError(
            f"{what} too few rows after removing duplicates ({smallest.min()}); a split into train, validation and "
            f"test needs three{of_each}: add rows" + (" or drop the label" if of_each else "")
        )
    rest, held_out = _cut(frame, test, seed)
    train, chosen = _cut(rest, validation / (1 - test), seed)
    parts = dict(zip(SPLITS, (train, chosen, held_out), strict=True))
    for name, part in parts.items():
        missing = set(labels) - set(_labels(part))
        if missing:
            raise InputError(
                f"label '{min(missing)}' stands in too few groups to appear in {name}; "
                "add rows, drop the label, or split without the group column"
            )
    return parts


def split_groups(
    frame: pd.DataFrame, *, validation: float = 0.125, test: float = 0.125, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Cut rows into train, validation and test so that rows of one `group` stay together; fast for many groups.

    Labels are left to chance, which among a thousand groups and more is even enough. At least three groups are needed.
    """
    sizes = frame["group"].value_counts(sort=False).sort_index()
    sizes = sizes.sample(frac=1, random_state=seed)
    middle = (sizes.cumsum() - sizes / 2) / sizes.sum()  # where the middle row of each group lies, from 0 to 1
    part = pd.cut(middle, [0, test, test + validation, 1], labels=["test", "validation", "train"])
    for place, name in ((0, "test"), (len(part) // 2, "validation"), (-1, "train")):  # where groups are few and large
        if name not in set(part):
            part.iloc[place] = name
    chosen = frame["group"].map(part)
    return {name: frame[chosen == name] for name in SPLITS}


def _cut(frame: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two parts of the rows, the second with about the given share."""
    labels = _labels(frame)
    parts = min(round(1 / share), labels.value_counts().min())
    folds = StratifiedKFold
    if "group" in frame:
        parts, folds = min(parts, frame["group"].nunique()), StratifiedGroupKFold
        if parts < 2:
            raise InputError(f"only the group '{frame['group'].iloc[0]}' is left to split; split without groups")
    cut = folds(n_splits=max(2, parts), shuffle=True, random_state=seed)
    kept, taken = next(cut.split(frame, labels, frame.get("group")))
    return frame.iloc[sorted(kept)], frame.iloc[sorted(taken)]


def _labels(frame: pd.DataFrame) -> pd.Series:
    """The labels, which are all the same where rows have none."""
    return frame["label"] if "label" in frame else pd.Series("", index=frame.index)
