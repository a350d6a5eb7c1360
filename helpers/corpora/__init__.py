"""Data sets of the book, and readers for one's own: each is a `Corpus`, split without leaks, with its data card."""

from importlib import import_module

from helpers.data.corpus import Corpus
from helpers.errors import InputError

# one module of this package each, with a function `load`
NAMES = (
    "boolq",
    "brown",
    "chinese",
    "docstrings",
    "instructions",
    "mail",
    "news",
    "parameters",
    "questions",
    "requests",
    "reviews",
    "stereotypes",
    "strings",
    "xsum",
)


def load(name: str, *, scale: str | None = None, path: str | None = None, **options) -> Corpus:
    """The corpus `name` at a scale, or read from `path` in the same layout as at scale `gpu`.

    Args:
        options: further arguments of some corpora, such as `language`.

    Raises InputError for an unknown name or an unreadable path; AssetError if its texts cannot be fetched.
    """
    if name not in NAMES:
        raise InputError(f"there is no corpus '{name}'; choose one of {', '.join(NAMES)}")
    return import_module(f"helpers.corpora.{name}").load(scale=scale, path=path, **options)
