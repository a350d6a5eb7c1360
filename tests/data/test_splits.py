"""Copies are found although words differ, and a split in time cuts no thread."""

import numpy as np
import pandas as pd
import pytest

from helpers.data import splits
from helpers.errors import InputError

RANDOM = np.random.default_rng(0)


def text(words: int = 60) -> list[str]:
    return [f"w{i}" for i in RANDOM.integers(10_000, size=words)]


def test_copies_with_a_few_words_changed_are_one_cluster_and_others_are_not():
    first, other = text(), text()
    copy = [*first[:20], "changed", *first[21:], "and", "more"]
    found = splits.near_duplicates(pd.Series([" ".join(words) for words in (first, other, copy, text())]))
    assert found[0] == found[2]
    assert len(set(found)) == 3


def test_the_share_of_equal_runs_decides():
    first = text(54)  # 50 runs of five words
    half = [*first[:27], *text(27)]  # 23 runs are equal, of 77 in either
    pair = pd.Series([" ".join(first), " ".join(half)])
    assert len(set(splits.near_duplicates(pair, share=23 / 77 - 0.001))) == 1
    assert len(set(splits.near_duplicates(pair, share=23 / 77 + 0.001))) == 2


def test_a_footer_that_many_texts_share_joins_none_of_them():
    footer = text(40)
    texts = pd.Series([" ".join([*text(12), *footer]) for _ in range(20)])
    assert len(set(splits.near_duplicates(texts, common=10))) == 20
    assert len(set(splits.near_duplicates(texts, common=30))) == 1


def test_texts_shorter_than_a_run_are_never_near_duplicates():
    assert len(set(splits.near_duplicates(pd.Series(["a b", "a b", "c", ""])))) == 4


def test_the_first_of_a_cluster_stays_and_a_cluster_with_two_labels_goes():
    first, second = text(), text()
    rows = pd.DataFrame(
        {
            "text": [" ".join(words) for words in (first, [*first, "x"], second, [*second, "y"], text())],
            "label": ["a", "a", "a", "b", "b"],
        }
    )
    kept, removed = splits.without_near_duplicates(rows)
    assert kept.index.tolist() == [0, 4]
    assert removed == {"near-duplicate": 1, "near-duplicate, other label": 2}


def test_rows_that_share_a_key_are_joined_through_each_other():
    found = splits.joined([["a"], ["b"], ["a", "c"], ["c", "d"], [], ["e"]])
    assert found[0] == found[2] == found[3]
    assert len(set(found)) == 4


def timed(rows: int = 200) -> pd.DataFrame:
    days = RANDOM.permutation(rows)
    dates = [f"2002-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in days]
    return pd.DataFrame(
        {"label": ["ham", "spam"] * (rows // 2), "group": RANDOM.integers(80, size=rows), "date": dates}
    )


def test_a_split_in_time_is_ordered_and_complete_and_no_group_is_on_two_sides():
    rows = timed()
    parts, late = splits.ordered_split(rows, validation=0.2, test=0.3)
    dates = [part["date"] for part in parts.values()]
    assert dates[0].max() < dates[1].min() <= dates[1].max() < dates[2].min()
    groups = [set(part["group"]) for part in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert sum(map(len, parts.values())) + late["later row of an earlier group"] == 200
    first = rows.sort_values("date").drop_duplicates("group")
    assert set(first.index) <= set(pd.concat(parts.values()).index)
    alone, none = splits.ordered_split(rows.assign(group=range(200)), validation=0.2, test=0.3)
    assert [len(part) for part in alone.values()] == [100, 40, 60]
    assert none == {"later row of an earlier group": 0}


def test_a_label_that_is_missing_at_a_time_is_named():
    rows = timed().sort_values("date").assign(label=["spam"] * 160 + ["ham"] * 40, group=range(200))
    with pytest.raises(InputError, match="label 'ham' does not occur in the time of train"):
        splits.ordered_split(rows)
