"""Sentences with a tag for each word: from anyone's CoNLL or JSONL files to a `Corpus`."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.data import files
from helpers.data.bio import bio
from helpers.data.corpus import SPLITS, Corpus, tag_corpus, tag_rows
from helpers.data.splits import deduplicated_sentences, normalised, split
from helpers.errors import InputError

CONLL = (".conll", ".iob", ".bio", ".iob2", ".txt")
DOCUMENT = "-DOCSTART-"
_REMARK = re.compile(r"# \w+ = ")  # as CoNLL-U files have above a sentence


def corpus(
    data: str | Path,
    *,
    tokens: str = "tokens",
    tags: str = "tags",
    group: str | None = None,
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
            in their last.
        validation, test: files of the same kind, both or neither.

    Raises InputError for a file that cannot be read, words and tags that differ in number, fewer than two tags, a tag
    that training lacks, and a sentence or group that stands in two splits.
    """

    def cut(rows: pd.DataFrame) -> tuple[dict, dict, str]:
        tag_names(rows, data)
        unique, removed = deduplicated_sentences(rows)
        rule = "by document" if "group" in unique else "by sentence"
        return split(unique.assign(label=""), seed=seed), removed, f"at random {rule}, seed {seed}"

    frames, about = files.in_splits(
        data, validation, test, read=partial(read, tokens=tokens, tags=tags, group=group), cut=cut, check=_check_splits
    )
    names = tag_names(pd.concat(frames.values()) if validation is None else frames["train"], data)
    return tag_corpus(frames, names, unit="one sentence", **about)


def tag_names(rows: pd.DataFrame, path: str | Path) -> list[str]:
    """The tags of all rows, `O` first, then by kind; InputError if there is only one."""
    names = sorted({tag for row in rows["tags"] for tag in row}, key=lambda tag: (tag != "O", tag[2:], tag))
    if len(names) < 2:
        raise InputError(f"'{path}' holds only the tag '{names[0]}'; tagging needs at least two")
    return names


def read(path: str | Path, tokens: str = "tokens", tags: str = "tags", group: str | None = None) -> pd.DataFrame:
    """The sentences of a file: columns `tokens` and `tags`, lists of strings, and `group` where documents are marked.

    Tags of the schemes IOB1, IOBES and BILOU become BIO; tags that mark no spans stay as they are.
    """
    path = Path(path)
    if path.suffix.lower() in CONLL:
        if group is not None:
            raise InputError(f"'{path}' has no field '{group}'; leave the group out, and mark documents by {DOCUMENT}")
        rows = pd.DataFrame(list(_conll(path)))
        if rows.empty:
            raise InputError(f"'{path}' holds no sentences; give a file with at least one")
        if rows["group"].nunique() < 2:
            rows = rows.drop(columns="group")
    else:
        table = files.read(path)
        rows = _fields(table, tokens, tags, path)
        if group is not None:
            rows["group"] = files.texts(table, group, path)
    rows["tags"] = [bio(row) for row in rows["tags"]]
    return rows


def labelled(path: str | Path, task, **columns: str | None) -> Dataset:
    """The sentences of a file whose tags the task knows, as it takes them."""
    rows = read(path, **columns)
    check_tags(rows, task.tags, path)
    return tag_rows(rows, task.tags)


def unlabelled(path: str | Path, tokens: str = "tokens") -> Dataset:
    """The words of a file."""
    return Dataset.from_dict({"tokens": words(path, tokens)})


def from_lines(lines: Sequence[str], tokens: str = "tokens") -> Dataset:
    """One sentence a line, with blanks between words."""
    return Dataset.from_dict({"tokens": [line.split() for line in lines]})


def words(path: str | Path, tokens: str = "tokens") -> list[list[str]]:
    """The words of each sentence of a file, tags or not; a `.txt` file has a sentence a line, words between blanks."""
    path = Path(path)
    if path.suffix.lower() == ".txt":
        return [line.split() for line in files.text_of(path).split("\n") if line.strip()]
    if path.suffix.lower() in CONLL:
        return [row["tokens"] for row in _conll(path, tagged=False)]
    return _lists(files.read(path), tokens, path)


def check_tags(rows: pd.DataFrame, tags: Sequence[str], path: str | Path) -> None:
    """InputError, naming the first sentence, if a tag is not one of `tags`."""
    known = set(tags)
    for number, row in enumerate(rows["tags"], start=1):
        unseen = [tag for tag in row if tag not in known]
        if unseen:
            raise InputError(
                f"tag '{unseen[0]}' in sentence {number} of '{path}' is not one of {', '.join(tags)}, which training "
                "has; fix the sentence or add training sentences with this tag"
            )


def _check_splits(frames: files.Frames, paths: files.Paths) -> None:
    names = tag_names(frames["train"], paths["train"])
    for name in SPLITS[1:]:
        check_tags(frames[name], names, paths[name])
    check_apart(frames, paths)


def _conll(path: Path, tagged: bool = True) -> Iterator[dict]:
    """One dictionary a sentence: tokens, tags and the number of its document as group."""
    block, document = [], 0
    for number, line in enumerate([*files.text_of(path).split("\n"), ""], start=1):
        cells = [cell.strip() for cell in re.split("\t" if "\t" in line else " +", line.strip(" "))]
        if any(cells) and cells[0] != DOCUMENT:
            block.append((number, line, cells))
            continue
        rows = _without_comments(block)
        for at, row, fields in rows if tagged else ():
            if len(fields) < 2 or not fields[0] or not fields[-1]:
                raise InputError(f"line {at} of '{path}' is '{row[:40]}'; write a word, a tab, and its tag")
        if rows:
            tokens, tags = zip(*((fields[0], fields[-1]) for _, _, fields in rows), strict=True)
            yield {"tokens": list(tokens), "tags": list(tags), "group": str(document)}
        block = []
        document += cells[0] == DOCUMENT


def _without_comments(block: list[tuple[int, str, list[str]]]) -> list[tuple[int, str, list[str]]]:
    """The lines of a sentence (number, text, columns) without the comments above it.

    A comment begins with `#` and has another number of columns than the sentence, or is of the form `# key = value`; a
    sentence may well begin with the word #.
    """
    rows = [row for row in block if not _REMARK.match(row[1])]
    width = Counter(len(cells) for _, line, cells in rows if not line.startswith("#")).most_common(1)
    first = 0
    while first < len(rows) and rows[first][1].startswith("#") and width and len(rows[first][2]) != width[0][0]:
        first += 1
    return rows[first:]


def _fields(rows: pd.DataFrame, tokens: str, tags: str, path: Path) -> pd.DataFrame:
    frame = pd.DataFrame({"tokens": _lists(rows, tokens, path), "tags": _lists(rows, tags, path)})
    lengths = frame["tokens"].str.len(), frame["tags"].str.len()
    differ = lengths[0] != lengths[1]
    if differ.any():
        row = int(differ.argmax())
        raise InputError(
            f"row {row + 1} of '{path}' has {lengths[0][row]} words and {lengths[1][row]} tags; give each word one tag"
        )
    return frame


def _lists(rows: pd.DataFrame, column: str, path: Path) -> list[list[str]]:
    """One column as lists of strings; InputError if it is missing or if a value is none, or empty."""
    if column not in rows:
        raise InputError(f"'{path}' has no column '{column}'; it has {', '.join(map(str, rows.columns))}")
    for number, row in enumerate(rows[column], start=1):
        if not isinstance(row, (list, np.ndarray)) or len(row) == 0 or not all(isinstance(item, str) for item in row):
            raise InputError(
                f"{column} in row {number} of '{path}' is {str(row)[:40]!r}; write a list of strings with at least one"
            )
    return [list(row) for row in rows[column]]


def check_apart(frames: dict[str, pd.DataFrame], paths: dict[str, str | Path]) -> None:
    """InputError if a group, or a sentence of ten words or more, stands in two splits; shorter ones repeat by chance.

    The numbers of a CoNLL file's documents are no names, and are not compared.
    """
    if not any(Path(path).suffix.lower() in CONLL for path in paths.values()):
        files.check_groups_apart(frames, paths)
    keys = {name: normalised(frame["tokens"].str.join(" ")) for name, frame in frames.items()}
    for later, earlier in files.pairs_of(frames):
        shared = keys[later].isin(set(keys[earlier])) & (frames[later]["tokens"].str.len() >= 10)
        if shared.any():
            row = int(shared.argmax())
            raise InputError(
                f"sentences of '{paths[later]}' stand in '{paths[earlier]}' too ({shared.sum()} of them), the first is "
                f"sentence {row + 1} ('{keys[later].iloc[row][:40]}'); remove them from one file"
            )
