"""Sentences with a tag for each word: from anyone's CoNLL or JSONL files to a `Corpus`."""

import re
from collections import Counter
from functools import partial
from pathlib import Path

import pandas as pd
from datasets import Dataset

from helpers.data import conll, files, formats, shapes
from helpers.data.bio import bio
from helpers.data.conll import DOCUMENT
from helpers.data.corpus import SPLITS, Corpus, tag_corpus, tag_rows
from helpers.data.formats import Number
from helpers.data.labels import check_known, check_spelling
from helpers.data.splits import deduplicated_sentences, normalised, split
from helpers.errors import InputError

SHAPES = ("doccano",)


def corpus(
    data: str | Path,
    *,
    tokens: str = "tokens",
    tags: str = "tags",
    group: str | None = None,
    format: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Corpus:
    """Tagged sentences from files, split if no files are given for validation and test.

    Where a CoNLL file marks its documents with -DOCSTART-, or `group` names a field, a document's sentences stay in one
    split.

    Args:
        data: the training rows, or all rows if they are to be split.
        tokens, tags: fields of a JSONL or Parquet file; CoNLL files have the word in their first column and the tag
            in their last. Of a CoNLL-U file `tags` names the column: upos unless it says xpos, deprel or another.
        format: how rows are held, as `files.read` takes it, or conll or conllu; None finds out.
        validation, test: files of the same kind, both or neither.

    Raises InputError for a file that cannot be read, words and tags that differ in number, fewer than two tags, a tag
    that training lacks, and a sentence or group that stands in two splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        tag_names(rows, data)
        unique, removed = deduplicated_sentences(rows)
        _check_enough(unique, data)
        rule = "by document" if "group" in unique else "by sentence"
        return split(unique.assign(label=""), seed=seed), removed, f"at random {rule}, seed {seed}"

    frames, about = files.in_splits(
        data,
        validation,
        test,
        read=partial(read, tokens=tokens, tags=tags, group=group, format=format),
        cut=cut,
        check=_check_splits,
    )
    names = tag_names(pd.concat(frames.values()) if validation is None else frames["train"], data)
    return tag_corpus(frames, names, unit="one sentence", **about)


def tag_names(rows: pd.DataFrame, path: str | Path) -> list[str]:
    """The tags of all rows, `O` first, then by kind; InputError if there is only one."""
    names = sorted({tag for row in rows["tags"] for tag in row}, key=lambda tag: (tag != "O", tag[2:], tag))
    if len(names) < 2:
        raise InputError(f"'{path}' holds only the tag '{names[0]}'; tagging needs at least two")
    return names


def _check_enough(rows: pd.DataFrame, path: str | Path) -> None:
    """InputError if a split into three is not possible."""
    if len(rows) < 3:
        raise InputError(
            f"'{path}' holds {len(rows)} different sentences and a split into train, validation and test needs three; "
            "put a blank line after each sentence, or a row for each"
        )
    if "group" in rows and rows["group"].nunique() < 3:
        raise InputError(
            f"the sentences of '{path}' stand in {rows['group'].nunique()} documents and a split by document needs "
            "three; name no group, take the marks of documents out, or give --validation and --test"
        )


def read(
    path: str | Path,
    tokens: str = "tokens",
    tags: str = "tags",
    group: str | None = None,
    format: str | None = None,
) -> pd.DataFrame:
    """The sentences of a file: columns `tokens` and `tags`, lists of strings, and `group` where documents are marked.

    Sentences are numbered as in the file, in `row` as well. Tags of the schemes IOB1, IOBES and BILOU become BIO; tags
    that mark no spans stay as they are.

    Raises InputError for words without a tag, tags that are ids without names, near-equal tags, and tags like B_LOC.
    """
    path = Path(path)
    if _conll_format(path, format):
        if group is not None:
            raise InputError(f"'{path}' has no field '{group}'; leave the group out, and mark documents by {DOCUMENT}")
        rows = conll.read(path, format, tags)
    else:
        table = files.read(path, format, SHAPES)
        rows = _fields(table, tokens, tags, path)
        rows.attrs["format"] = table.attrs["format"]
        if group is not None:
            rows["group"] = files.texts(table, group, path)
    counts = Counter(tag for row in rows["tags"] for tag in row)
    check_spelling(counts.elements(), path, "tag")
    others = [tag for tag in counts if tag != "O"]
    if others and all(re.match(r"[BIESULM]_", tag) for tag in others):
        raise InputError(f"tag '{others[0]}' of '{path}' marks no span; write {others[0].replace('_', '-', 1)}")
    rows["tags"] = [bio(row) for row in rows["tags"]]
    return rows.assign(row=rows.index)


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The sentences of a file whose tags the task knows, as it takes them."""
    rows = read(path, **columns)
    check_known(rows["tags"], task.tags, path, "tag", "sentence")
    return tag_rows(rows, task.tags)


def unlabelled(rows: pd.DataFrame, path: str | Path, tokens: str = "tokens", format: str | None = None) -> Dataset:
    """The words of a table, or the texts, as `helpers.data.streams` reads it piece by piece from `path`."""
    table = rows if _conll_format(Path(path), format) else shapes.as_columns(rows, path, SHAPES, format)
    cells = files.column(table, tokens, path)
    written = cells.map(lambda cell: isinstance(cell, str) and cell.strip() != "")
    words, texts = _lists(table[~written], tokens, path).to_dict(), cells[written].to_dict()
    columns = {"tokens": words, "text": texts}  # by row; a row has one of the two
    return Dataset.from_dict({name: [column.get(row) for row in table.index] for name, column in columns.items()})


def _conll_format(path: Path, format: str | None) -> bool:
    return format in conll.FORMATS or (format is None and formats.suffix(path) in conll.SUFFIXES)


def _check_splits(frames: files.Frames, paths: files.Paths) -> None:
    names = tag_names(frames["train"], paths["train"])
    for name in SPLITS[1:]:
        check_known(frames[name]["tags"], names, paths[name], "tag", "sentence")
    check_apart(frames, paths)


def _fields(rows: pd.DataFrame, tokens: str, tags: str, path: Path) -> pd.DataFrame:
    frame = pd.DataFrame({"tokens": _lists(rows, tokens, path), "tags": _lists(rows, tags, path)})
    for row, own, marks in zip(frame.index, frame["tokens"], frame["tags"], strict=True):
        if len(own) != len(marks):
            raise InputError(
                f"row {row} of '{path}' has {len(own)} words and {len(marks)} tags; give each word one tag"
            )
    return frame


def _lists(rows: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """One column as lists of strings; InputError if it is missing, or a value is none, or empty, or holds an id."""
    cells = files.column(rows, name, path)
    for row, cell in cells.items():
        items = shapes.items(cell)
        if items and all(isinstance(item, (int, Number)) for item in items):
            raise InputError(
                f"{name} in row {row} of '{path}' are numbers, {str(list(map(str, items)))[:40]}, and nothing says "
                "what they stand for; write names, or put the dataset_info.json that names them beside the file"
            )
        if not items or not all(isinstance(item, str) and item.strip() for item in items):
            raise InputError(
                f"{name} in row {row} of '{path}' is {str(cell)[:40]!r}; write a list of strings with at least one, "
                "none of them empty"
            )
    return cells.map(lambda cell: [str(item) for item in shapes.items(cell)])


def check_apart(frames: dict[str, pd.DataFrame], paths: dict[str, str | Path]) -> None:
    """InputError if a group, or a sentence of ten words or more, stands in two splits; shorter ones repeat by chance.

    The numbers of a CoNLL file's documents are no names, and are not compared.
    """
    if not any(formats.suffix(path) in conll.SUFFIXES for path in paths.values()):
        files.check_groups_apart(frames, paths)
    keys = {name: normalised(frame["tokens"].str.join(" ")) for name, frame in frames.items()}
    for later, earlier in files.pairs_of(frames):
        shared = keys[later].isin(set(keys[earlier])) & (frames[later]["tokens"].str.len() >= 10)
        if shared.any():
            row = shared.idxmax()
            raise InputError(
                f"sentences of '{paths[later]}' stand in '{paths[earlier]}' too ({shared.sum()} of them), the first is "
                f"sentence {row} ('{keys[later][row][:40]}'); remove them from one file"
            )
