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
ARGUMENTS = 8  # at most so many are named in a signature
_FORMAT = 2  # a change in how docstrings are read needs another number, so that caches are made anew
_SECTION = re.compile(
    r"^(?:[-=~]{3,}|\.\. |>>>|```|(?:args?|arguments|attributes|example|examples|note|notes|parameters|params|raises|"
    r"references|return|returns|see also|shape|todo|usage|warning|warnings|yields|keyword arguments|inputs?|outputs?)\b"
    r"[^.]{0,30}:{1,2}$|[:@]param|\* \*|- )",
    re.IGNORECASE,
)
_MAYBE = re.compile(r"[\"']{3}\s*[^\s\"'][^\"]{10,250}?\.\n[ \t]*\n")
_ROLE = re.compile(r":[\w:]+:`~?\.?([^`<]+?)(?: ?<[^`>]*>)?`|\[`~?([^`\]]+)`\]")
_ODD = re.compile(r"[^\x00-\x7f]|\\|\$|_\(|\{|::")


def load(*, scale: str | None = None, path: str | None = None, named: bool = False) -> Corpus:
    """The body of a docstring as `prompt`, its summary line as `completion`, the library as `group`.

    Whole libraries are held out. At scale `gpu`, or from `path`, CNN/DailyMail.

    Args:
        named: let a line with the signature of the function or class follow the body, as `body` takes away again; a
            module has none.

    Raises AssetError if a library is not installed in the pinned form and cannot be fetched.
    """
    if path is not None or scales.current(scale) == "gpu":
        return _news(path or scales.data("docstrings", "gpu"), config=None if path else "3.0.0")
    unit = "the prose of a docstring below its summary line, and that line"
    below, unit = ("signature", f"{unit}; below the prose, the signature") if named else (None, unit)
    return libraries.corpus("docstrings", LIBRARIES, _rows, version=_FORMAT, unit=unit, below=below)


def body(prompt: str) -> str:
    """A prompt without the signature below it."""
    return prompt.partition("\n")[0]


def signature(node: ast.AST) -> str:
    """A line such as `def fit(X, y, *, copy)` of a function, or `class Fit(Base)`; of a module an empty one."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, node.bases))
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    if isinstance(node, ast.Module):
        return ""
    taken = node.args
    before = [each.arg for each in (*taken.posonlyargs, *taken.args) if each.arg not in ("self", "cls")]
    star = [f"*{taken.vararg.arg}"] if taken.vararg else ["*"] if taken.kwonlyargs else []
    after = [each.arg for each in taken.kwonlyargs] + ([f"**{taken.kwarg.arg}"] if taken.kwarg else [])
    names = [*before, *star, *after]
    return f"def {node.name}({', '.join([*names[:ARGUMENTS], *(['...'] if len(names) > ARGUMENTS else [])])})"


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
    found = _read(library)
    return [{"prompt": text, "completion": summary, "signature": head} for text, summary, head in found]


def _read(library: str) -> Iterator[tuple[str, str, str]]:
    """Text, summary and signature of one library, its tests and private folders left out, in the order of its files."""
    for source in libraries.sources(library, without=("test", "_", "externals")):
        if _MAYBE.search(source):  # half of the files hold no such docstring, and parsing is what takes time
            yield from _pairs(source)


def _pairs(source: str) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            entry = pair(ast.get_docstring(node, clean=False) or "")
            if entry:
                yield *entry, signature(node)


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
