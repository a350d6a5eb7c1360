"""Sentences with a tag for each word: from anyone's CoNLL or JSONL files to a `Corpus`."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from datasets import Sequence as ListOf

from helpers.corpora import tables
from helpers.corpora.base import SPLITS, Corpus, DataCard
from helpers.corpora.splits import normalised, split
from helpers.errors import InputError

CONLL = (".conll", ".iob", ".bio", ".iob2", ".txt")
DOCUMENT = "-DOCSTART-"
_REMARK = re.compile(r"# \w+ = ")  # as CoNLL-U files have above a sentence
_INSIDE = "IELM"  # the marks of a word that continues a span


def build(frames: Mapping[str, pd.DataFrame], tags: Sequence[str], **about) -> Corpus:
    """A corpus from one frame a split, with columns `tokens` and `tags` (lists of words) and optionally `group`.

    `about` holds the fields of the card that the rows do not tell: name, source, licence, unit, split_rule, removed.
    """
    data = DatasetDict({name: dataset(frame, tags) for name, frame in frames.items()})
    lengths = np.concatenate([frame["tokens"].str.len() for frame in frames.values()])
    quantiles = {f"{share:.0%}": int(np.quantile(lengths, share)) for share in (0.05, 0.5, 0.95, 1)}
    counts = {name: dict(Counter(tag for row in frame["tags"] for tag in row)) for name, frame in frames.items()}
    sizes = {name: len(frame) for name, frame in frames.items()}
    rows = pd.concat(frames.values())
    content = "\0".join(" ".join(row) for column in ("tokens", "tags") for row in rows[column])
    sha256 = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return Corpus(data, DataCard(rows=sizes, labels=counts, words={"sentence": quantiles}, sha256=sha256, **about))


def dataset(frame: pd.DataFrame, tags: Sequence[str]) -> Dataset:
    """The rows of a frame with the ids of their tags; columns `tokens`, `tags` and, where there is one, `group`."""
    ids = {tag: place for place, tag in enumerate(tags)}
    columns = {"tokens": frame["tokens"].tolist(), "tags": [[ids[tag] for tag in row] for row in frame["tags"]]}
    features = {"tokens": ListOf(Value("string")), "tags": ListOf(ClassLabel(names=list(tags)))}
    if "group" in frame:
        columns["group"], features["group"] = frame["group"].tolist(), Value("string")
    return Dataset.from_dict(columns, features=Features(features))


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
    tables.check_pair(validation, test)
    rows = read(data, tokens, tags, group)
    names = sorted({tag for row in rows["tags"] for tag in row}, key=lambda tag: (tag != "O", tag[2:], tag))
    if len(names) < 2:
        raise InputError(f"'{data}' holds only the tag '{names[0]}'; tagging needs at least two")
    about = {"name": Path(data).name, "source": str(data), "licence": "the owner's", "unit": "one sentence"}
    if validation is None:
        kept, removed = deduplicated(rows)
        frames = split(kept.assign(label=""), seed=seed)
        rule = "by document" if "group" in kept else "by sentence"
        return build(frames, names, removed=removed, split_rule=f"at random {rule}, seed {seed}", **about)
    paths = dict(zip(SPLITS, (data, validation, test), strict=True))
    frames = {"train": rows} | {name: read(paths[name], tokens, tags, group) for name in SPLITS[1:]}
    for name in SPLITS[1:]:
        check_tags(frames[name], names, paths[name])
    check_apart(frames, paths)
    return build(frames, names, split_rule="as given", **about)


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
        found = tables.read(path)
        rows = _fields(found, tokens, tags, path)
        if group is not None:
            rows["group"] = tables.texts(found, group, path)
    rows["tags"] = [bio(row) for row in rows["tags"]]
    return rows


def words(path: str | Path, tokens: str = "tokens") -> list[list[str]]:
    """The words of each sentence of a file, tags or not; a `.txt` file has a sentence a line, words between blanks."""
    path = Path(path)
    if path.suffix.lower() == ".txt":
        return [line.split() for line in tables.text_of(path).split("\n") if line.strip()]
    if path.suffix.lower() in CONLL:
        return [row["tokens"] for row in _conll(path, tagged=False)]
    return _lists(tables.read(path), tokens, path)


def bio(tags: Sequence[str]) -> list[str]:
    """Tags of IOB1, IOBES or BILOU as BIO; a row with any other kind of tag is returned as it is."""
    if not all(tag == "O" or re.fullmatch(r"[BIESULM]-.+", tag) for tag in tags):
        return list(tags)
    result, inside = [], None
    for tag in tags:
        place, kind = (tag[0], tag[2:]) if tag != "O" else ("O", None)
        continues = place in _INSIDE and kind == inside
        result.append("O" if kind is None else f"{'I' if continues else 'B'}-{kind}")
        inside = kind
    return result


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


def _conll(path: Path, tagged: bool = True) -> Iterator[dict]:
    """One dictionary a sentence: tokens, tags and the number of its document as group."""
    lines = tables.text_of(path).split("\n")
    sentence, document = [], 0
    for number, line in enumerate([*lines, ""], start=1):
        cells = [cell.strip() for cell in re.split("\t" if "\t" in line else " +", line.strip(" "))]
        if _REMARK.match(line):
            continue
        if any(cells) and cells[0] != DOCUMENT:
            if tagged and (len(cells) < 2 or not cells[0] or not cells[-1]):
                raise InputError(f"line {number} of '{path}' is '{line[:40]}'; write a word, a tab, and its tag")
            sentence.append((cells[0], cells[-1]))
            continue
        if sentence:
            found, tags = zip(*sentence, strict=True)
            yield {"tokens": list(found), "tags": list(tags), "group": str(document)}
            sentence = []
        document += cells[0] == DOCUMENT


def _fields(rows: pd.DataFrame, tokens: str, tags: str, path: Path) -> pd.DataFrame:
    found = pd.DataFrame({"tokens": _lists(rows, tokens, path), "tags": _lists(rows, tags, path)})
    lengths = found["tokens"].str.len(), found["tags"].str.len()
    differ = lengths[0] != lengths[1]
    if differ.any():
        row = int(differ.argmax())
        raise InputError(
            f"row {row + 1} of '{path}' has {lengths[0][row]} words and {lengths[1][row]} tags; give each word one tag"
        )
    return found


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


def deduplicated(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows without repeated sentences, and how many were left out; letters and digits decide, not their case."""
    repeated = normalised(rows["tokens"].str.join(" ")).duplicated()
    return rows[~repeated], {"duplicate": int(repeated.sum())}


def check_apart(frames: dict[str, pd.DataFrame], paths: dict[str, str | Path]) -> None:
    """InputError if a group, or a sentence of ten words or more, stands in two splits; shorter ones repeat by chance.

    The numbers of a CoNLL file's documents are no names, and are not compared.
    """
    if not any(Path(path).suffix.lower() in CONLL for path in paths.values()):
        tables.check_groups_apart(frames, paths)
    keys = {name: normalised(frame["tokens"].str.join(" ")) for name, frame in frames.items()}
    for later, earlier in tables.pairs_of(frames):
        shared = keys[later].isin(set(keys[earlier])) & (frames[later]["tokens"].str.len() >= 10)
        if shared.any():
            row = int(shared.argmax())
            raise InputError(
                f"sentences of '{paths[later]}' stand in '{paths[earlier]}' too ({shared.sum()} of them), the first is "
                f"sentence {row + 1} ('{keys[later].iloc[row][:40]}'); remove them from one file"
            )
