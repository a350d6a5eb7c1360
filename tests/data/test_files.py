"""Corpora leak nothing, and a reader's own files are read or refused in one sentence."""

import json
import re

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from helpers import corpora
from helpers.corpora import brown
from helpers.data import files, hub, splits
from helpers.errors import AssetError, InputError


@pytest.fixture(scope="module")
def reviews():
    return corpora.load("reviews")


def test_the_reviews_are_as_counted(reviews):
    assert sum(reviews.card.rows.values()) + sum(reviews.card.removed.values()) == 12_808
    assert reviews.labels == ("rotten", "fresh")
    for split, count in reviews.card.rows.items():
        assert len(reviews.data[split]) == count
        assert sum(reviews.card.labels[split].values()) == count
    shares = [counts["fresh"] / sum(counts.values()) for counts in reviews.card.labels.values()]
    assert max(shares) - min(shares) < 0.02


def test_no_film_and_no_text_of_the_reviews_stands_in_two_splits(reviews):
    films = [set(part["group"]) for part in reviews.data.values()]
    texts = [set(splits.normalised(pd.Series(part["text"][:]))) for part in reviews.data.values()]
    for sets in (films, texts):
        assert sum(map(len, sets)) == len(set.union(*sets))
    assert sum(map(len, texts)) == sum(reviews.card.rows.values())


def test_a_film_under_two_titles_is_one_film(reviews):
    titles = {title for part in reviews.data.values() for title in part["group"]}
    assert len({"el_crimen_del_padre_amaro", "the_crime_of_padre_amaro"} & titles) == 1


def test_the_split_is_the_same_every_time(reviews):
    assert corpora.load("reviews").card.sha256 == reviews.card.sha256


def test_the_card_tells_what_it_must(reviews):
    told = json.loads(reviews.card.to_json())
    assert {"name", "source", "licence", "rows", "labels", "words", "removed", "split_rule", "sha256"} <= set(told)
    assert "by film" in reviews.card.table().loc["split rule"].item()


def test_an_unknown_corpus_is_named_with_those_there_are():
    with pytest.raises(InputError, match=r"there is no corpus 'revues'; choose one of .*, dialogue, "):
        corpora.load("revues")


def test_the_gpu_scale_reads_the_hub_s_layout(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    for split, start in (("train", 0), ("test", 100)):
        rows = {"text": [f"film {i} was seen" for i in range(start, start + 60)], "label": [i % 2 for i in range(60)]}
        Dataset.from_dict(rows, features=features).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n"
        "      class_label:\n        names:\n          '0': neg\n          '1': pos\n---\n",
        encoding="utf-8",
    )
    found = corpora.load("reviews", path=str(tmp_path))
    assert found.labels == ("neg", "pos")
    assert found.card.rows["test"] == 60
    assert found.card.rows["train"] + found.card.rows["validation"] == 60
    assert isinstance(found.data, DatasetDict)


def test_the_gpu_scale_without_network_is_one_sentence():
    with pytest.raises(AssetError, match=r"data set 'stanfordnlp/imdb' could not be loaded at scale 'gpu' .*SFT_SCALE"):
        hub.load("stanfordnlp/imdb", scale="gpu")


# Splits


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


# A reader's files


def write(path, content: str | bytes):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


GOOD = [{"text": f"text number {i}, with a comma", "label": ["no", "yes"][i % 2]} for i in range(24)]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_corpus(tmp_path, suffix):
    rows, path = pd.DataFrame(GOOD), tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        rows.to_parquet(path)
    elif suffix == ".jsonl":
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_csv(path, sep="\t" if suffix in (".tsv", ".tab") else ",", index=False)
    found = files.corpus(path)
    assert found.card.rows == {"train": 18, "validation": 3, "test": 3}
    assert found.labels == ("no", "yes")
    assert set(found.data["train"]["text"]) <= {row["text"] for row in GOOD}


def test_line_ends_quoted_newlines_and_a_byte_order_mark_are_read(tmp_path):
    lines = ["text,label", *(f'"line one of {i}\nline ""two""",{"ab"[i % 2]}' for i in range(9))]
    path = write(tmp_path / "mine.csv", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    rows = files.labelled(path, "text", "label")
    assert rows["text"].iloc[0] == 'line one of 0\nline "two"'
    assert len(rows) == 9


def test_labels_stay_as_they_are_written(tmp_path):
    path = write(tmp_path / "mine.csv", "text,label\na,007\nb,NA\nc,1.0\n")
    assert files.labelled(path, "text", "label")["label"].tolist() == ["007", "NA", "1.0"]


CASES = {
    "a missing file": ("none.csv", None, r"there is no file '.*none.csv'; check the path"),
    "another kind of file": ("mine.xlsx", "x", r"ends in '.xlsx'; give a file that ends in .csv"),
    "an empty file": ("mine.csv", "", r"holds no rows; give a file with at least one"),
    "a header alone": ("mine.csv", "text,label\n", r"holds no rows"),
    "an empty JSONL": ("mine.jsonl", "\n\n", r"holds no rows"),
    "a missing column": ("mine.csv", "body,label\na,b\n", r"has no column 'text'; it has body, label"),
    "an empty text": ("mine.csv", "text,label\na,b\n  ,c\n", r"text in row 2 of '.*' is empty; fill it or delete"),
    "a null text": ("mine.jsonl", '{"text": "a", "label": 1}\n{"text": null, "label": 2}\n', r"text in row 2 of"),
    "an empty label": ("mine.csv", "text,label\na,\n", r"label in row 1 of '.*' is empty"),
    "one class": ("mine.csv", "text,label\na,x\nb,x\n", r"holds only the label 'x'; classification needs at least two"),
    "not UTF-8": ("mine.csv", "text,label\nGr\xfc\xdfe,a\n".encode("latin-1"), r"is not UTF-8 \(byte 13: .*save it as"),
    "not UTF-8 JSONL": ("mine.jsonl", b'{"text": "\xff"}\n', r"is not UTF-8"),
    "broken JSON": ("mine.jsonl", '{"text": "a", "label": 1}\n{"text": \n', r"line 2 of '.*' is not JSON .*repair the"),
    "JSON that is no object": ("mine.jsonl", "[1, 2]\n", r"line 1 of '.*' is not a JSON object"),
    "a list for a label": (
        "mine.jsonl",
        '{"text": "a", "label": ["x", "y"]}\n',
        r"label in row 1 of .* is a list or an obj",
    ),
    "a ragged CSV": ("mine.csv", "text,label\na,b\na,b,c,d\n", r"is not a good .csv file .*repair it"),
    "a broken Parquet": ("mine.parquet", "PAR1nonsense", r"is not a good .parquet file"),
}


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_csv_file_with_other_marks_between_columns_is_read(tmp_path, mark):
    path = tmp_path / "mine.csv"
    write(path, f"text{mark}label\n" + f'"a, b; c\n d"{mark}x\r\n')
    assert files.labelled(path, "text", "label").to_dict("records") == [{"text": "a, b; c\n d", "label": "x"}]


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path, case):
    name, content, sentence = CASES[case]
    path = tmp_path / name
    if content is not None:
        write(path, content)
    with pytest.raises(InputError, match=sentence) as error:
        files.corpus(path)
    assert "\n" not in str(error.value)


def written(tmp_path, **texts: str) -> dict:
    return {name: write(tmp_path / f"{name}.csv", "text,label\n" + rows) for name, rows in texts.items()}


def test_files_for_all_splits_are_taken_as_given(tmp_path):
    given = written(tmp_path, train="a,x\nb,y\n", validation="c,x\n", test="d,y\ne,y\n")
    found = files.corpus(given["train"], validation=given["validation"], test=given["test"])
    assert found.card.rows == {"train": 2, "validation": 1, "test": 2}
    assert found.card.split_rule == "as given"


def test_one_file_of_two_is_refused(tmp_path):
    given = written(tmp_path, train="a,x\nb,y\n", test="d,y\n")
    with pytest.raises(InputError, match="a test file is given but no validation file; give both"):
        files.corpus(given["train"], test=given["test"])


def test_a_label_that_training_lacks_is_named(tmp_path):
    given = written(tmp_path, train="a,x\nb,y\n", validation="c,x\n", test="d,y\ne,urgent\n")
    with pytest.raises(InputError, match=r"label 'urgent' in row 2 of '.*test.csv' is not one of x, y, which training"):
        files.corpus(given["train"], validation=given["validation"], test=given["test"])


def test_a_text_in_two_splits_is_named(tmp_path):
    given = written(tmp_path, train="A text!,x\nb,y\n", validation="c,x\n", test="d,y\na text,x\n")
    with pytest.raises(InputError, match=r"texts of '.*test.csv' stand in '.*train.csv' too \(1 of .*first in row 2"):
        files.corpus(given["train"], validation=given["validation"], test=given["test"])


def test_brown_as_plain_text_has_no_tags_and_normal_spacing():
    texts = brown.brown("news")
    assert len(texts) == 44
    assert texts[0].startswith("The Fulton County Grand Jury said Friday an investigation of Atlanta's recent")
    whole = " ".join(texts)
    assert not re.search(r"\s[.,;:?!]|``|''|\w/[a-z]{2,3}\b", whole)
    assert 70_000 < len(whole.split()) < 110_000


def test_an_unknown_genre_of_brown_is_named():
    with pytest.raises(InputError, match="Brown has no genre 'poetry'; choose from adventure, belles_lettres"):
        brown.brown("poetry")


def test_fields_without_a_column_and_open_quotes_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nGood film, really,pos\nBad film, really,neg\n", encoding="utf-8")
    with pytest.raises(InputError, match="more fields than the 2 columns of the header"):
        files.read(tmp_path / "a.csv")
    (tmp_path / "b.tsv").write_text('text\tlabel\n"Bad start\tneg\nGood\tpos\nNice" end\tneg\n', encoding="utf-8")
    with pytest.raises(InputError, match="text in row 1 runs over a tab or line end"):
        files.read(tmp_path / "b.tsv")
    # Two marks that belong to two texts, and close as if they were one field.
    (tmp_path / "c.tsv").write_text('text\tlabel\n"Bad start\tneg\nGood\tpos\nNice end"\tneg\n', encoding="utf-8")
    with pytest.raises(InputError, match="text in row 1 runs over a tab or line end"):
        files.read(tmp_path / "c.tsv")


def test_a_field_that_swallows_lines_without_tabs_is_refused_unless_its_quotes_are_good(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\n"Bad start\nGood\nNice" end\n')
    with pytest.raises(InputError, match="text in row 1 runs over"):
        files.read(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab"])
def test_a_header_without_rows_is_one_sentence(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", "text\tlabel\n" if suffix != ".csv" else "text,label\n")
    with pytest.raises(InputError, match="holds no rows; give a file with at least one"):
        files.read(path)


def test_empty_texts_are_counted(tmp_path):
    rows = pd.DataFrame({"text": ["a", " ", "b", "", ""], "label": list("xyxyx")})
    path = write(tmp_path / "a.csv", rows.to_csv(index=False))
    with pytest.raises(InputError, match=r"text in row 2 of .* is empty, and in 2 more rows; fill them or delete"):
        files.labelled(path, "text", "label")


def test_a_shuffled_frame_is_read_in_the_order_of_its_rows(tmp_path):
    pd.DataFrame(GOOD).sample(frac=1, random_state=0).to_parquet(tmp_path / "a.parquet")
    assert files.read(tmp_path / "a.parquet").index.tolist() == list(range(24))


def test_rows_are_drawn_at_random_under_a_seed(tmp_path):
    corpus = files.corpus(write(tmp_path / "a.csv", pd.DataFrame(GOOD).to_csv(index=False)))
    one, again, other = (corpus.drawn(9, seed).data["train"]["text"][:] for seed in (1, 1, 2))
    assert one == again != other and one != corpus.data["train"]["text"][:9]
    with pytest.raises(InputError, match=r"all 1 rows that are drawn for training have the label '\w+'; draw more"):
        corpus.drawn(1, 0)


def test_tabs_or_line_ends_in_good_quotes_belong_to_the_field(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b'text\tlabel\r\n"1\t2, ""three"""\tpos\r\n"one\r\ntwo"\tneg\r\n' + b"x" * 200_000 + b"\tneg\r\n")
    rows = files.read(path)
    assert rows["text"].str[:12].tolist() == ['1\t2, "three"', "one\r\ntwo", "x" * 12] and rows.shape == (3, 2)


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
