"""Corpora from the sources of installed libraries: read as text, never imported, with whole libraries held out."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata, util
from pathlib import Path

import pandas as pd

from helpers import assets
from helpers.data.corpus import Corpus, pair_corpus
from helpers.data.splits import one_completion_each
from helpers.errors import AssetError

Libraries = Mapping[str, tuple[str, ...]]  # names of distributions by split
_MODULES = {"scikit-learn": "sklearn", "huggingface-hub": "huggingface_hub"}


def corpus(
    name: str, libraries: Libraries, read: Callable[[str], list[dict[str, str]]], *, version: int, unit: str
) -> Corpus:
    """The pairs that `read` finds in each library, with the library as `group`.

    They are kept in one file of the cache for the installed versions, as reading takes half a minute.

    Args:
        read: the function from a library to its rows of `prompt` and `completion`.
        version: of `read`; a change in what it finds needs a new number, so that caches are written again.

    Raises AssetError if a library is not installed.
    """
    names = sorted(library for part in libraries.values() for library in part)
    versions = _versions(names)

    def make(folder: Path) -> Path:
        rows = [row | {"group": library} for library in names for row in read(library)]
        file = folder / "rows.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        return file

    file = assets.keep(f"{name}-{version}-" + re.sub(r"[^\w.]+", "-", versions), make)
    pairs, removed = one_completion_each(pd.DataFrame(json.loads(file.read_text(encoding="utf-8"))))
    return pair_corpus(
        {part: pairs[pairs["group"].isin(members)].reset_index(drop=True) for part, members in libraries.items()},
        name=name,
        source=f"docstrings of {versions}",
        licence="each library's own, BSD-3-Clause or Apache-2.0 and alike",
        unit=unit,
        split_rule="; ".join(f"{part}: {', '.join(members)}" for part, members in libraries.items()),
        removed=removed,
    )


def sources(library: str, *, without: tuple[str, ...]) -> Iterator[str]:
    """The Python files of an installed library in sorted order, except in folders whose names begin with `without`."""
    root = Path(util.find_spec(_MODULES.get(library, library)).origin).parent
    for file in sorted(root.rglob("*.py")):
        if not any(folder.startswith(without) for folder in file.relative_to(root).parts[:-1]):
            yield file.read_text(encoding="utf-8", errors="replace")


def _versions(names: list[str]) -> str:
    try:
        return ", ".join(f"{name} {metadata.version(name)}" for name in names)
    except metadata.PackageNotFoundError as error:
        raise AssetError(
            f"the docstrings of '{error.name}' are missing; install it with 'pip install {error.name}'"
        ) from error
