"""Corpora from the sources of libraries: read as text, never imported, with whole libraries held out.

`libraries.toml` pins them by hash, so that the texts are the same whatever is installed. A library that the
environment has in the pinned form is read where it lies; another is fetched from the archive that the file names.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from importlib import resources, util
from pathlib import Path

import pandas as pd

from helpers import assets
from helpers.data.corpus import Corpus, pair_corpus
from helpers.data.splits import one_completion_each
from helpers.errors import AssetError

Libraries = Mapping[str, tuple[str, ...]]  # names of libraries by split


def corpus(
    name: str,
    libraries: Libraries,
    read: Callable[[str], list[dict[str, str]]],
    *,
    version: int,
    unit: str,
    below: str | None = None,
) -> Corpus:
    """The pairs that `read` finds in each library, with the library as `group`.

    They are kept in one file of the cache, as reading takes half a minute.

    Args:
        read: the function from a library to its rows of `prompt` and `completion`.
        below: the name of a further text of the rows, which is put on a line below each prompt. Prompts that are equal
            without it are one all the same.
        version: of `read`; a change in what it finds needs a new number, so that caches are written again.

    Raises AssetError if a library is installed in another form than the pinned one, and cannot be fetched.
    """
    names = sorted(library for part in libraries.values() for library in part)

    def make(folder: Path) -> Path:
        rows = [row | {"group": library} for library in names for row in read(library)]
        file = folder / "rows.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        return file

    pins = sha256("".join(pinned()[library].sha256 for library in names).encode()).hexdigest()
    file = assets.keep(f"{name}-{version}-{pins[:12]}", make)
    pairs, removed = one_completion_each(pd.DataFrame(json.loads(file.read_text(encoding="utf-8"))))
    if below:
        pairs["prompt"] = (pairs["prompt"] + "\n" + pairs[below]).str.rstrip()
    return pair_corpus(
        {part: pairs[pairs["group"].isin(members)].reset_index(drop=True) for part, members in libraries.items()},
        name=name,
        source="docstrings of " + ", ".join(_named(library) for library in names),
        licence="each library's own, BSD-3-Clause or Apache-2.0 and alike",
        unit=unit,
        split_rule="; ".join(f"{part}: {', '.join(members)}" for part, members in libraries.items()),
        removed=removed,
    )


def sources(library: str, *, without: tuple[str, ...]) -> Iterator[str]:
    """The pinned Python files of a library in sorted order, except in folders whose names begin with `without`."""
    files = _taken(folder(library), pinned()[library].take)
    for path in sorted(map(Path, files)):
        if not any(part.startswith(without) for part in path.parts[:-1]):
            yield files[path.as_posix()].read_text(encoding="utf-8", errors="replace")


def folder(library: str) -> Path:
    """Where the pinned files of a library lie: in the environment if it has the very same, else in the cache.

    Raises AssetError if they have to be fetched and cannot be.
    """
    asset = pinned()[library]
    found = util.find_spec(asset.sources[0].member)
    if found is not None:
        root = Path(found.origin).parent
        if assets.digest_of(_taken(root, asset.take)) == asset.sha256:
            return root
    try:
        return assets.obtain(asset)
    except AssetError as error:
        raise AssetError(f"this corpus reads {_named(library)}, and no such files are installed: {error}") from error


@cache
def pinned() -> dict[str, assets.Asset]:
    """The libraries of `libraries.toml`, by name."""
    return assets.read_assets(resources.files("helpers.data").joinpath("libraries.toml").read_text(encoding="utf-8"))


def _taken(root: Path, take: tuple[str, ...]) -> dict[str, Path]:
    """The Python files below a folder that match a pattern of `take`, by their path in it."""
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*.py")}
    return {name: file for name, file in files.items() if any(fnmatchcase(name, pattern) for pattern in take)}


def _named(library: str) -> str:
    return f"{library} {pinned()[library].sources[0].version}"
