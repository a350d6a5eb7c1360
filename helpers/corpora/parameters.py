"""Parameters of functions: an entry of a docstring as the prompt, its facts as strict JSON as the completion.

The entries are those of libraries that this package installs anyway, each in one pinned version. They are read as text
with `ast`; none is imported. The reference comes from the code and not from the text: the name and the default stand in
the function's signature.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from hashlib import sha256

from helpers.data import libraries
from helpers.data.corpus import Corpus
from helpers.errors import InputError

LIBRARIES = {
    "train": ("accelerate", "huggingface-hub", "pandas"),
    "validation": ("numpy",),
    "test": ("datasets", "scikit-learn"),
}
FIELDS = ("name", "type", "default")
FRAME = "{}\nJSON:\n"  # an entry, and what tells a decoder to go on with the JSON
INSTRUCTION = "Write name, type and default of this parameter as JSON. Without a default, default is null.\n\n{}"
MOST_ROWS = 600  # of one library, so that no library's style outweighs the others
MOST_WORDS = 30  # of an entry: what stands after them is left out
_FORMAT = 1  # a change in how entries are read needs another number, so that caches are made anew
_SECTION = re.compile(r"^(?:Parameters\n-{3,}|(?:Args|Arguments|Parameters):)\n", re.MULTILINE)
_DOCUMENTED = re.compile(r"^ *(?:Parameters\n|(?:Args|Arguments|Parameters):\n)", re.MULTILINE)
_NEXT = re.compile(r"^(?:\w[\w ]*\n-{3,}|\w[\w ]*:)$", re.MULTILINE)
_NUMPY = re.compile(r"^(\w+) ?: (.+)\n((?:(?:[ \t]+.*)?\n?)*)", re.MULTILINE)
_GOOGLE = re.compile(r"^ {2,4}(\w+) ?\((.+?)\) ?: *(.*\n?(?:(?: {6,}.*)?\n?)*)", re.MULTILINE)
_PIECES = re.compile(r"((?:[\[({][^\])}]*[\])}]|'[^']*'|\"[^\"]*\"|[^,])+)")
_NOT_A_TYPE = re.compile(r"^(?:\*?optional\*?|(?:defaults?|keyword)\b.*)$", re.IGNORECASE)


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """One entry of a docstring as `prompt`, the JSON of name, type and default as `completion`, the library as `group`.

    A default is null where the signature has none. Whole libraries are held out. The rows are the same at both scales.

    Raises AssetError if a library is not installed in the pinned form and cannot be fetched; InputError for a path,
    which this corpus cannot have.
    """
    if path is not None:
        raise InputError(f"the corpus 'parameters' reads the sources of libraries and not '{path}'; leave the path out")
    unit = "one parameter's entry in a docstring, and its name, type and default as JSON"
    return libraries.corpus("parameters", LIBRARIES, _read, version=_FORMAT, unit=unit)


def entries(docstring: str) -> Iterator[tuple[str, str, str]]:
    """Name, type and text of each parameter in a docstring of NumPy's or Google's style.

    The type is what stands beside the name, without `optional` and the default.
    """
    for section in _SECTION.finditer(docstring):
        rest = docstring[section.end() :]
        end = _NEXT.search(rest)
        style = _NUMPY if "---" in section[0] else _GOOGLE
        for name, beside, below in style.findall(rest[: end.start()] if end else rest):
            kind = _type(beside)
            head = f"{name} : {beside}\n" if style is _NUMPY else f"{name} ({beside}): "
            words = " ".join(below.split("\n\n")[0].split()).split(" ")
            text = (head + " ".join(words[: max(0, MOST_WORDS - len(head.split()))])).strip()
            if kind and text.isascii():
                yield name, kind, text


def rule(entry: str) -> str:
    """The JSON that two regular expressions extract from an entry: the baseline that a model has to beat."""
    groups = next(iter(_NUMPY.findall(entry + "\n")), None) or next(iter(_GOOGLE.findall("  " + entry)), ("", "", ""))
    default = re.search(r"default(?:s to|s| is| to)?[ =:]*[`'\"]*([^\s`'\",;)]+)", entry, re.IGNORECASE)
    fields = {"name": groups[0], "type": _type(groups[1]), "default": default and default[1].rstrip(".")}
    return json.dumps(fields)


def _type(beside: str) -> str:
    pieces = [piece.strip() for piece in _PIECES.findall(beside)]
    text = ", ".join(piece for piece in pieces if piece and not _NOT_A_TYPE.match(piece))
    return re.sub(r":\w+:|[`*~]", "", text).strip()


def _default(function: ast.FunctionDef, name: str) -> str | None:
    """The default as the signature writes it, a string without its quotes; KeyError if there is no such parameter."""
    arguments = function.args
    defaults = dict.fromkeys(
        argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    )
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(plain), reversed(arguments.defaults), strict=False)]
    pairs += [*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    for argument, value in pairs:
        if value is not None:
            text = isinstance(value, ast.Constant) and isinstance(value.value, str)
            defaults[argument.arg] = value.value if text else ast.unparse(value)
    return defaults[name]


def _is_documented(text: str, default: str | None) -> bool:
    """Whether the text of an entry states the default of the signature, so that a reader could know it."""
    beyond = text.partition(" ")[2]
    if default is None:
        return not re.search(r"default|optional|omitted|not given|not specified", beyond, re.IGNORECASE)
    return bool(re.search(rf"default.*(?<![\w.]){re.escape(default)}(?![\w.]\w)", beyond, re.IGNORECASE | re.DOTALL))


def _rows(source: str) -> Iterator[dict]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            function, documented = node, node
        elif isinstance(node, ast.ClassDef):
            own = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
            function, documented = (own or [None])[0], node
        else:
            continue
        docstring = ast.get_docstring(documented, clean=False) if function else None
        for name, kind, text in entries(inspect.cleandoc(docstring or "")):
            try:
                default = _default(function, name)
            except KeyError:
                continue
            if _is_documented(text, default):
                fields = {"name": name, "type": kind, "default": default}
                yield {"prompt": text, "completion": json.dumps(fields)}


def _read(library: str) -> list[dict]:
    """At most `MOST_ROWS` rows of one library, drawn by their hash; tests and private folders left out."""
    rows = {}
    for source in libraries.sources(library, without=("test", "_test", "externals")):
        if _DOCUMENTED.search(source):  # parsing is what takes time
            rows |= {row["prompt"]: row for row in _rows(source)}
    return sorted(rows.values(), key=lambda row: sha256(row["prompt"].encode()).digest())[:MOST_ROWS]
