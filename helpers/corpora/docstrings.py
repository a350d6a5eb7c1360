"""Summaries of documentation: the body of a docstring as the text, its summary line as the summary.

The texts are those of libraries that this package installs anyway, each in one pinned version. They are read as text
with `ast`; none is imported. PEP 257 asks that the first line sums up what follows, so programmers wrote the summaries
themselves.
"""

import ast
import inspect
import re
from collections.abc import Iterator

from helpers import scales
from helpers.data import hub, libraries
from helpers.data.corpus import SPLITS, Corpus, pair_corpus
from helpers.data.splits import published_pairs
from helpers.text import words

LIBRARIES = {
    "train": ("accelerate", "datasets", "numpy", "scikit-learn", "scipy", "torch"),
    "validation": ("pandas",),
    "test": ("huggingface-hub", "matplotlib"),
}
FRAME = "{}\nSummary:\n"  # a text, and what tells a decoder to go on with its summary
INSTRUCTION = "Sum up the documentation of a function in one short line. Answer with this line alone."  # for a chat
SUMMARY_WORDS, BODY_WORDS = (4, 20), (30, 120)
_FORMAT = 1  # a change in how docstrings are read needs another number, so that caches are made anew
_SECTION = re.compile(
    r"^(?:[-=~]{3,}|\.\. |>>>|```|(?:args?|arguments|attributes|example|examples|note|notes|parameters|params|raises|"
    r"references|return|returns|see also|shape|todo|usage|warning|warnings|yields|keyword arguments|inputs?|outputs?)\b"
    r"[^.]{0,30}:{1,2}$|[:@]param|\* \*|- )",
    re.IGNORECASE,
)
_MAYBE = re.compile(r"[\"']{3}\s*[^\s\"'][^\"]{10,250}?\.\n[ \t]*\n")
_ROLE = re.compile(r":[\w:]+:`~?\.?([^`<]+?)(?: ?<[^`>]*>)?`|\[`~?([^`\]]+)`\]")
_ODD = re.compile(r"[^\x00-\x7f]|\\|\$|_\(|\{|::")


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """The body of a docstring as `prompt`, its summary line as `completion`, the library as `group`.

    Whole libraries are held out. At scale `gpu`, or from `path`, CNN/DailyMail.

    Raises AssetError if a library is not installed in the pinned form and cannot be fetched.
    """
    if path is not None or scales.current(scale) == "gpu":
        return _news(path or scales.data("docstrings", "gpu"), config=None if path else "3.0.0")
    unit = "the prose of a docstring below its summary line, and that line"
    return libraries.corpus("docstrings", LIBRARIES, _rows, version=_FORMAT, unit=unit)


def pair(docstring: str) -> tuple[str, str] | None:
    """The prose of a docstring and its summary line; None if either is missing, too long or too short.

    Of the body, only the paragraphs before the first section, list or example count.
    """
    summary, *rest = [_line(block) for block in re.split(r"\n\s*\n", inspect.cleandoc(docstring))]
    body = []
    for paragraph in rest:
        if paragraph is None:
            break
        body.append(paragraph)
    text = " ".join(body)
    good = summary and summary.endswith(".") and _within(summary, SUMMARY_WORDS) and _within(text, BODY_WORDS)
    return (text, summary) if good else None


def _line(block: str) -> str | None:
    """A paragraph in one line without mark-up, or None if it is no prose."""
    lines = block.splitlines()
    if any(_SECTION.match(line.strip()) for line in lines) or block.startswith((" ", "\t")):
        return None
    text = _ROLE.sub(lambda match: f"`{match[1] or match[2]}`", " ".join(map(str.strip, lines))).replace("``", "`")
    return None if _ODD.search(text) else text


def _within(text: str, limits: tuple[int, int]) -> bool:
    return limits[0] <= len(words(text)) <= limits[1]


def _rows(library: str) -> list[dict[str, str]]:
    return [{"prompt": text, "completion": summary} for text, summary in _read(library)]


def _read(library: str) -> Iterator[tuple[str, str]]:
    """The pairs of one library, its tests and private folders left out, in the order of its files."""
    for source in libraries.sources(library, without=("test", "_", "externals")):
        if _MAYBE.search(source):  # half of the files hold no such docstring, and parsing is what takes time
            yield from _pairs(source)


def _pairs(source: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            entry = pair(ast.get_docstring(node, clean=False) or "")
            if entry:
                yield entry


def _news(name: str, *, config: str | None) -> Corpus:
    """CNN/DailyMail in the Hub's layout: columns `article` and `highlights` in its own three splits."""
    data = hub.load(name, scale="gpu", config=config)
    columns = {"article": "prompt", "highlights": "completion"}
    frames, removed = published_pairs(
        {part: data[part].to_pandas()[list(columns)].rename(columns=columns).assign(group="news") for part in SPLITS}
    )
    return pair_corpus(
        frames,
        name="cnn-dailymail",
        source="CNN/DailyMail (See et al. 2017)",
        licence="Apache-2.0 for the collection; the articles are their publishers'",
        unit="one news article and its highlights",
        split_rule="as published, without rows that stand in a later split",
        removed=removed,
    )
