"""Copies are found although words differ, splits are complete and cut no group, and one in time cuts no thread."""

import random

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


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_equal_texts_are_found_whatever_their_case_and_punctuation():
    rows = frame(text=["Good film!", "good  FILM", "bad film", "!!!", "???"], label=["a", "a", "b", "a", "a"])
    kept, removed = splits.deduplicated(rows)
    assert kept["text"].tolist() == ["Good film!", "bad film", "!!!", "???"]
    assert removed == {"duplicate": 1, "same text, other label": 0}


def test_texts_with_contradictory_labels_are_all_left_out():
    kept, removed = splits.deduplicated(frame(text=["x y", "x y", "x y", "z"], label=["a", "b", "a", "b"]))
    assert kept["text"].tolist() == ["z"]
    assert removed == {"duplicate": 0, "same text, other label": 3}


def test_groups_that_share_a_telling_text_are_joined_through_each_other():
    texts = ["one long telling text", "one long telling text", "another long telling text", "another long telling text"]
    texts += ["short text", "short text"]
    joined = splits.linked_groups(frame(text=texts, group=["a", "b", "b", "c", "d", "e"]))
    assert joined.tolist() == ["a", "a", "a", "a", "d", "e"]


def test_a_split_is_complete_stratified_and_keeps_groups_together():
    rows = frame(
        text=[f"t{i}" for i in range(800)], label=["a", "b", "b", "b"] * 200, group=[str(i // 4) for i in range(800)]
    )
    for columns in (["text", "label"], ["text", "label", "group"]):
        parts = splits.split(rows[columns])
        assert sorted(pd.concat(parts.values())["text"]) == sorted(rows["text"])
        assert [len(part) for part in parts.values()] == pytest.approx([600, 100, 100], abs=4)
        for part in parts.values():
            assert (part["label"] == "a").mean() == pytest.approx(0.25, abs=0.03)
        if "group" in columns:
            groups = [set(part["group"]) for part in parts.values()]
            assert sum(map(len, groups)) == len(set.union(*groups))


def test_groups_are_split_whole_and_each_part_gets_some():
    for sizes in ([3] * 100, [1, 1, 1], [50, 1, 1], [1, 1, 50], [1, 50, 1, 1]):
        rows = frame(group=[str(i) for i, size in enumerate(sizes) for _ in range(size)]).assign(text="t")
        for seed in range(5):
            parts = splits.split_groups(rows, seed=seed)
            groups = [set(part["group"]) for part in parts.values()]
            assert all(groups) and sum(map(len, groups)) == len(sizes)
            assert sum(map(len, parts.values())) == len(rows)
            if len(sizes) == 100:
                assert [len(part) for part in parts.values()] == pytest.approx([225, 37.5, 37.5], abs=3)


def test_a_label_with_two_rows_cannot_be_split():
    rows = frame(text=["a", "b", "c", "d", "e"], label=["x", "x", "x", "y", "y"])
    with pytest.raises(InputError, match=r"label 'y' has too few rows after removing duplicates \(2\); .*needs three"):
        splits.split(rows)


def test_a_label_in_one_group_cannot_be_split():
    rows = frame(text=[f"t{i}" for i in range(40)], label=["x", "y"] * 20, group=["g", "h"] * 20)
    with pytest.raises(InputError, match=r"only the group '[gh]' is left to split"):
        splits.split(rows)
    rows["group"] = ["g", "h", "i", "h"] * 10
    with pytest.raises(InputError, match=r"label '[xy]' stands in too few groups to appear in"):
        splits.split(rows)


def test_three_rows_a_label_are_enough():
    parts = splits.split(frame(text=list("abcdef"), label=["x", "y"] * 3))
    assert [len(part) for part in parts.values()] == [2, 2, 2]


def test_a_rare_label_does_not_change_the_shares_of_the_others():
    frame = pd.DataFrame({"text": [str(i) for i in range(1000)], "label": ["a", "b"] * 498 + ["a"] + ["c"] * 3})
    parts = splits.split(frame)
    assert {name: set(part["label"]) for name, part in parts.items()} == {name: {"a", "b", "c"} for name in parts}
    for name, size in zip(parts, (750, 125, 125), strict=True):
        assert abs(len(parts[name]) - size) <= 3


def test_few_groups_leave_the_largest_to_training():
    for seed in range(6):
        frame = pd.DataFrame({"group": ["a"] * 98 + ["b", "c"]})
        sizes = {name: len(part) for name, part in splits.split_groups(frame, seed=seed).items()}
        assert sum(sizes.values()) == 100 and min(sizes.values()) == 1
    with pytest.raises(InputError, match="stand in 2 groups; a split into three needs at least three"):
        splits.split_groups(frame[frame["group"] != "c"])


def test_marks_of_letters_tell_texts_apart():
    assert splits.normalised(pd.Series(["कि", "की", "Great!!", "great"])).tolist() == ["कि", "की", "great", "great"]


def test_of_equal_prompts_the_commonest_completion_is_kept():
    rows = pd.DataFrame({"prompt": ["Go on!", "go on", "Go on", "Stop"], "completion": ["a", "b", "b", "c"]})
    kept, removed = splits.one_completion_each(rows)
    assert kept[["prompt", "completion"]].values.tolist() == [["go on", "b"], ["Stop", "c"]]
    assert removed == {"prompt seen before": 2}


def test_rows_without_labels_are_split_by_group():
    rows = pd.DataFrame({"prompt": [f"p{i}" for i in range(200)], "group": [f"g{i // 5}" for i in range(200)]})
    parts = splits.split(rows)
    assert {name: len(part) for name, part in parts.items()} == {"train": 150, "validation": 25, "test": 25}
    assert sum(part["group"].nunique() for part in parts.values()) == 40
    with pytest.raises(InputError, match=r"the data have too few rows .*needs three: add rows$"):
        splits.split(rows.head(2))


SPELLED = ["café", "Ångström", "한국어", "\uff46ull\u3000width", "\ufb01ne", "İstanbul", "2²", "नमस्ते", "Ḍ̇ẹ", "①"]


def test_one_text_in_any_encoding_of_unicode_counts_once():
    draw = random.Random(0)
    texts = [" ".join(draw.choices(SPELLED, k=draw.randrange(1, 5))) for _ in range(300)]
    texts += [chr(code) for code in range(0x80, 0x30000) if not 0xD800 <= code < 0xE000 and chr(code).isprintable()]
    keys = [splits.normalised(pd.Series(texts).str.normalize(form)) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert all(keys[0].equals(other) for other in keys[1:])
    rows = pd.DataFrame({"text": [f"the café {i} is good" for i in range(20)], "label": ["a", "b"] * 10})
    both = pd.concat([rows.assign(text=rows["text"].str.normalize(form)) for form in ("NFC", "NFD")])
    assert splits.deduplicated(both)[1]["duplicate"] == 20


def test_an_index_that_names_rows_twice_changes_nothing():
    rows = pd.DataFrame({"text": [" ".join(text()) for _ in range(40)], "label": ["a", "b", "b", "a"] * 10})
    rows = pd.concat([rows, rows.iloc[:3]], ignore_index=True)  # some copies
    rows = rows.assign(prompt=rows["text"], completion="yes", group=rows["label"], date="2020")
    again = rows.set_axis(np.arange(len(rows)) // 2)
    plain = ["text", "label"]
    for function in (
        lambda frame: splits.deduplicated(frame)[0],
        lambda frame: splits.one_completion_each(frame)[0],
        lambda frame: splits.without_near_duplicates(frame)[0],
        lambda frame: pd.concat(splits.split(frame[plain]).values()),
        lambda frame: pd.concat(splits.split(frame[plain].assign(group=frame["text"])).values()),
        lambda frame: pd.concat(splits.split_groups(frame.assign(group=frame["text"])).values()),
        lambda frame: pd.concat(splits.published_pairs(dict.fromkeys(splits.SPLITS, frame))[0].values()),
        lambda frame: frame.assign(group=splits.linked_groups(frame)),
    ):
        expected, found = function(rows), function(again)
        assert expected.to_numpy().tolist() == found.to_numpy().tolist()
        assert (found.index == expected.index // 2).all()  # and rows keep their names


def test_no_rows_give_no_rows_or_one_sentence():
    none = pd.DataFrame({name: pd.Series(dtype=object) for name in ("text", "label", "group", "prompt", "completion")})
    assert len(splits.near_duplicates(none["text"])) == len(splits.joined([])) == len(splits.linked_groups(none)) == 0
    for function in (splits.deduplicated, splits.one_completion_each, splits.without_near_duplicates):
        assert len(function(none)[0]) == 0
    for function in (splits.split, splits.split_groups, splits.ordered_split):
        with pytest.raises(InputError, match=r"give at least three|needs at least three"):
            function(none.assign(date=[]))


@pytest.mark.parametrize("text", ["Plain words, twice.", "naïve ﬁancée 你好。", "a-b_c\t\n d", "👍 42%", "!?", ""])
def test_a_text_without_plus_and_hash_is_cut_alike_by_the_faster_pattern(text):
    assert splits._WITHOUT_SIGNS.sub(" ", text) == splits._BETWEEN_WORDS.sub(" ", text)
    assert splits._between_words(text) is splits._WITHOUT_SIGNS
    assert splits._between_words(f"{text} C++") is splits._between_words(f"C# {text}") is splits._BETWEEN_WORDS
