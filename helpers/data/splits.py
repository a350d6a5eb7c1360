"""Splits that leak nothing: duplicates go first, and rows that belong together stay on one side."""

import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import regex
from scipy.sparse import coo_matrix, triu
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from helpers.data.corpus import SPLITS
from helpers.errors import InputError

# An emoji is no punctuation, and + and # at the end of a word are part of a name: C, C++ and C# are three texts.
_IN_NAMES = r"(?<=\p{L}[+#]{0,2})[+#](?=[+#]?(?![\p{L}\p{N}+#]))"
_OTHER = r"[^\p{L}\p{M}\p{N}\p{Emoji_Presentation}]"
_BETWEEN_WORDS = regex.compile(rf"(?:(?!{_IN_NAMES}){_OTHER})+")
_WITHOUT_SIGNS = regex.compile(rf"{_OTHER}+")  # the same, twice as fast, where a text has neither + nor #


def normalised(text: pd.Series) -> pd.Series:
    """The texts in lower case with every run of other characters than letters, digits and emoji as one blank.

    Two texts that agree after this count as duplicates. The same characters in another encoding agree: accents that are
    composed or not, full-width letters, ligatures (Unicode's form NFKC). Signs + and # at the end of a word count. A
    text without any of these is compared with its blanks and signs.
    """
    composed = text.map(partial(unicodedata.normalize, "NFKC"))
    words = composed.map(lambda row: _between_words(row).sub(" ", row.casefold()).strip())
    return words.where(words != "", composed)


def _between_words(text: str) -> regex.Pattern:
    return _BETWEEN_WORDS if "+" in text or "#" in text else _WITHOUT_SIGNS


def deduplicated(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows without repeated texts, and how many were left out by reason.

    Of equal texts with one label the first is kept. Equal texts with different labels are all left out: nobody
    knows which label is right.
    """
    key = normalised(frame["text"])
    contradictory = frame.groupby(key)["label"].transform("nunique") > 1
    repeated = key.duplicated() & ~contradictory
    removed = {"duplicate": int(repeated.sum()), "same text, other label": int(contradictory.sum())}
    return frame[~repeated & ~contradictory], removed


def deduplicated_sentences(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows without repeated `tokens`, and how many were left out; letters and digits decide, not their case."""
    repeated = normalised(frame["tokens"].str.join(" ")).duplicated()
    return frame[~repeated], {"duplicate": int(repeated.sum())}


def one_completion_each(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Pairs without repeated prompts, and how many rows were left out.

    Of equal prompts the first row with the most frequent completion is kept, so that no prompt stands in two splits,
    however the rows are split.
    """
    key = normalised(frame["prompt"])
    votes = frame.groupby([key, frame["completion"]])["prompt"].transform("size").to_numpy()
    order = np.argsort(-votes, kind="stable")
    rows = np.sort(order[~key.iloc[order].duplicated()])
    return frame.iloc[rows], {"prompt seen before": len(frame) - len(rows)}


def published_pairs(frames: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Pairs in splits that others made, each prompt once and in one split, and how many rows were left out.

    A prompt of several splits stays in the test set, else in validation.
    """
    splits, removed, later = {}, {}, set()
    for name in reversed(SPLITS):
        frame, repeated = one_completion_each(frames[name])
        key = normalised(frame["prompt"])
        leaks = key.isin(later)
        later |= set(key)
        splits[name] = frame[~leaks]
        removed |= {f"prompt seen before in {name}": repeated["prompt seen before"]}
        removed |= {f"{name} row that stands in a later split": int(leaks.sum())}
    return {name: splits[name] for name in SPLITS}, removed


def linked_groups(frame: pd.DataFrame, min_words: int = 4) -> pd.Series:
    """Group names after joining groups that share a text of at least `min_words` words.

    One film under two titles is one film; a shorter text that two groups share may be chance.
    """
    key = normalised(frame["text"])
    telling = key.str.split().str.len() >= min_words
    groups, names = pd.factorize(frame["group"])
    texts = pd.factorize(key)[0]
    size = len(names) + texts.max(initial=-1) + 1
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
    if len(frame) == 0:
        raise InputError("there are no rows to split; give at least three")
    if smallest.min() < 3:
        what, of_each = (
            (f"label '{smallest.idxmin()}' has", " of each label") if "label" in frame else ("the data have", "")
        )
        raise InputError(
            f"{what} too few rows after removing duplicates ({smallest.min()}); a split into train, validation and "
            f"test needs three{of_each}: add rows" + (" or drop the label" if of_each else "")
        )
    rest, held_out = _split_off(frame.reset_index(drop=True), test, seed)  # by position: an index may name rows twice
    train, chosen = _split_off(rest, validation / (1 - test), seed)
    parts = {name: frame.iloc[part.index] for name, part in zip(SPLITS, (train, chosen, held_out), strict=True)}
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

    Labels are not stratified: with a thousand groups or more their shares are about equal anyway.

    Raises InputError if there are fewer than three groups.
    """
    sizes = frame["group"].value_counts(sort=False).sort_index()
    sizes = sizes.sample(frac=1, random_state=seed)
    middle = (sizes.cumsum() - sizes / 2) / sizes.sum()  # where the middle row of each group lies, from 0 to 1
    part = pd.cut(middle, [0, test, test + validation, 1], labels=["test", "validation", "train"])
    if len(part) < 3:
        raise InputError(f"the rows stand in {len(part)} groups; a split into three needs at least three")
    for name in SPLITS:  # where groups are few and large
        if name not in set(part):
            donor = part[part == part.value_counts().idxmax()]
            part[sizes[donor.index].idxmin()] = name
    chosen = frame["group"].map(part)
    return {name: frame[chosen == name] for name in SPLITS}


def joined(keys: Sequence[Iterable[Hashable]]) -> np.ndarray:
    """The number of each row's component, shape (N,): rows that share a key are joined, also through other rows."""
    rows = [row for row, row_keys in enumerate(keys) for _ in row_keys]
    names = pd.factorize(np.array([key for row_keys in keys for key in row_keys], dtype=object))[0]
    size = len(keys) + len(names)
    edges = coo_matrix((np.ones(len(rows), dtype=int), (rows, len(keys) + names)), shape=(size, size))
    return connected_components(edges, directed=False)[1][: len(keys)]


def near_duplicates(texts: pd.Series, *, words: int = 5, share: float = 0.5, common: int = 500) -> np.ndarray:
    """The number of each text's cluster, shape (N,): texts of a cluster differ in a few words only.

    Two texts are joined if, of all runs of `words` words in either, at least `share` stand in both (the Jaccard index
    of their shingles; Broder 1997). Runs that more than `common` texts hold, such as the footer of a mailing list, do
    not count.
    """
    texts_of, runs = _shingles(normalised(texts), words)
    held = np.bincount(runs)
    rare = held[runs] <= common
    size = np.bincount(texts_of[rare], minlength=len(texts))
    shared = rare & (held[runs] > 1)
    ones, shape = np.ones(shared.sum(), dtype=np.int32), (len(texts), len(held))
    matrix = coo_matrix((ones, (texts_of[shared], runs[shared])), shape=shape).tocsr()
    both = triu(matrix @ matrix.T, k=1).tocoo()  # how many runs each pair of texts shares
    either = size[both.row] + size[both.col] - both.data
    alike = both.data >= share * either
    edges = coo_matrix((alike, (both.row, both.col)), shape=(len(texts), len(texts)))
    edges.eliminate_zeros()
    return connected_components(edges, directed=False)[1]


def _shingles(texts: pd.Series, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Every different run of `words` words of each text: the text's position and the run's number, one pair per run."""
    lists = texts.str.split()
    text = np.repeat(np.arange(len(lists)), lists.str.len())
    ids = pd.factorize(np.array([token for tokens in lists for token in tokens], dtype=object))[0].astype(np.uint64)
    runs = max(0, len(ids) - words + 1)
    mixed = np.zeros(runs, dtype=np.uint64)
    for offset in range(words):  # a polynomial in a large odd number, modulo 2^64
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + ids[offset : offset + runs] + np.uint64(1)
    inside = text[:runs] == text[words - 1 :]
    pairs = pd.DataFrame({"text": text[:runs][inside], "run": pd.factorize(mixed[inside])[0]}).drop_duplicates()
    return pairs["text"].to_numpy(), pairs["run"].to_numpy()


def without_near_duplicates(frame: pd.DataFrame, **settings) -> tuple[pd.DataFrame, dict[str, int]]:
    """The first row of each cluster of `near_duplicates`, and how many rows were left out by reason.

    A cluster with different labels is left out as a whole.
    """
    cluster = near_duplicates(frame["text"], **settings)
    contradictory = frame.groupby(cluster)["label"].transform("nunique") > 1
    repeated = pd.Series(cluster, index=frame.index).duplicated() & ~contradictory
    removed = {"near-duplicate": int(repeated.sum()), "near-duplicate, other label": int(contradictory.sum())}
    return frame[~repeated & ~contradictory], removed


def ordered_split(
    frame: pd.DataFrame, *, validation: float = 0.125, test: float = 0.25
) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Cut rows by their `date`: train before validation, validation before test, as in use.

    A `group` belongs where its first row falls. A later row of it that stands on the other side of a cut is left out:
    on either side it would leak. The second value counts those rows.

    Args:
        frame: columns label, group and date (texts that sort by time).
        validation, test: shares of all rows, before late rows are left out.

    Raises InputError if there are no rows, or if a label is missing on one side.
    """
    if len(frame) == 0:
        raise InputError("there are no rows to split; give at least three")
    rows = frame.sort_values("date", kind="stable")
    dates = rows["date"].to_numpy()
    cuts = [dates[min(len(rows) - 1, round(len(rows) * share))] for share in (1 - validation - test, 1 - test)]
    side = np.searchsorted(cuts, dates, side="right")  # 0, 1 or 2
    first = rows.groupby("group")["date"].transform("first").to_numpy()
    late = side != np.searchsorted(cuts, first, side="right")
    parts = {name: rows[(side == number) & ~late] for number, name in enumerate(SPLITS)}
    for name, part in parts.items():
        missing = set(frame["label"]) - set(part["label"])
        if missing:
            raise InputError(f"label '{min(missing)}' does not occur in the time of {name}; change the shares")
    return parts, {"later row of an earlier group": int(late.sum())}


def _split_off(frame: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two parts of the rows, the second with about the given share."""
    labels = _labels(frame)
    parts, counts = round(1 / share), labels.value_counts()
    if "group" in frame:
        parts = min(parts, counts.min(), frame["group"].nunique())
        if parts < 2:
            raise InputError(f"only the group '{frame['group'].iloc[0]}' is left to split; split without groups")
        splitter = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
        rest, selected = next(splitter.split(frame, labels, frame["group"]))
        return frame.iloc[sorted(rest)], frame.iloc[sorted(selected)]
    rare = labels.isin(counts[counts < parts].index).to_numpy()  # fewer rows than folds: one row of each is taken
    selected = frame[rare].groupby(labels[rare]).sample(1, random_state=seed).index
    if not rare.all():
        common = np.flatnonzero(~rare)
        splitter = StratifiedKFold(n_splits=parts, shuffle=True, random_state=seed)
        _, fold = next(splitter.split(frame[~rare], labels[~rare]))
        selected = selected.append(frame.index[common[fold]])
    chosen = frame.index.isin(selected)
    return frame[~chosen], frame[chosen]


def _labels(frame: pd.DataFrame) -> pd.Series:
    """The labels, which are all the same where rows have none."""
    return frame["label"] if "label" in frame else pd.Series("", index=frame.index)
