"""The cache: entries that appear in one move, are stamped, locked while they are made, and checked when they are read.

It detects damage in two ways. A quick check compares size and modification time of each file with a stamp, and hashes
everything again only where they differ, so opening an asset costs microseconds. A thorough check always hashes
everything. A damaged entry is made again.

Environment: `HELPERS_CACHE` names the cache folder, `HELPERS_OFFLINE=1` forbids the network.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import platformdirs

from helpers.errors import AssetError

_SCRATCH = ".scratch"


def cache_dir() -> Path:
    """Where assets are kept: `$HELPERS_CACHE`, else the user's cache folder of the platform."""
    chosen = os.environ.get("HELPERS_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("helpers-sft"))


def offline() -> bool:
    """Whether `HELPERS_OFFLINE` forbids the network."""
    return os.environ.get("HELPERS_OFFLINE", "0") not in ("", "0")


def digest(path: Path) -> str:
    """sha256 of a file; of a folder, the sha256 of its sorted lines `<sha256 of file>  <relative path>`."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    return digest_of(_files(path))


def digest_of(files: Mapping[str, Path]) -> str:
    """What `digest` says of a folder that holds these files alone, by their paths in it."""
    lines = [f"{digest(files[name])}  {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def keep(key: str, make: Callable[[Path], Path], *, sha256: str | None = None, thorough: bool = False) -> Path:
    """The content of cache entry `key`, made by `make` if it is absent or damaged.

    `make(folder)` gets an empty folder and returns the file or folder inside it that is the content; everything else
    in it is deleted. A change in how the content is made needs a new key. Content with another hash than
    `sha256` counts as damaged, and `thorough` hashes it in any case.
    Raises AssetError where the cache cannot be written, and whatever else `make` raises.
    """
    entry = cache_dir() / key
    content = _intact(entry, sha256, thorough)
    if content is None:
        with _readable_errors(entry), _locked(entry) as scratch:
            # Another process may have made it while this one waited.
            content = _intact(entry, sha256, thorough) or _make(entry, make, scratch)
    return content


def _intact(entry: Path, sha256: str | None, thorough: bool) -> Path | None:
    """The content of a cache entry, or None if it is absent or damaged."""
    try:
        stamp = json.loads((entry / "stamp.json").read_text(encoding="utf-8"))
        content = entry / stamp["content"]
        files = _sizes_and_times(content)
        expected = sha256 or stamp["sha256"]
        if stamp["sha256"] == expected and stamp["files"] == files and not thorough:
            return content
        if digest(content) != expected:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if stamp["files"] != files:
        # A cache that was copied has new times: note them, so that the next look need not hash again.
        with suppress(OSError):
            _stamp(entry, content, expected)
    return content


def _stamp(entry: Path, content: Path, sha256: str) -> None:
    stamp = {"content": content.name, "sha256": sha256, "files": _sizes_and_times(content)}
    new = entry / f"stamp.{os.getpid()}"
    new.write_text(json.dumps(stamp), encoding="utf-8")
    new.replace(entry / "stamp.json")


def _sizes_and_times(content: Path) -> dict[str, list[int]]:
    files = {"": content} if content.is_file() else _files(content)
    return {name: [file.stat().st_size, file.stat().st_mtime_ns] for name, file in files.items()}


def _files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their relative path with forward slashes, sorted by it."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    return dict(sorted(files.items()))


def _make(entry: Path, make: Callable[[Path], Path], scratch: Path) -> Path:
    """Fill a cache entry in a scratch folder and move it into place; a damaged entry is moved away first."""
    making, fresh = scratch / "making", scratch / "fresh"
    making.mkdir()
    fresh.mkdir()
    output = make(making)
    content = output.rename(fresh / output.name)
    _stamp(fresh, content, digest(content))
    if entry.exists():
        entry.rename(scratch / "damaged")
    fresh.rename(entry)
    return entry / content.name


@contextmanager
def _readable_errors(entry: Path) -> Iterator[None]:
    """While this lasts, an error of the file system is an AssetError of one sentence."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error
        raise AssetError(
            f"'{entry.name}' cannot be written to {entry.parent}: {reason}; free some space there or set "
            "HELPERS_CACHE to another folder"
        ) from error


@contextmanager
def _locked(entry: Path) -> Iterator[Path]:
    """While this lasts, no other process writes the entry; yields an empty scratch folder, removed afterwards."""
    scratch = entry.parent / _SCRATCH / entry.name
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{scratch}.lock"):
        # What a killed process left goes first; the client that it started may still be writing there, so the new
        # scratch folder has a name of its own.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(exist_ok=True)
        try:
            yield Path(tempfile.mkdtemp(dir=scratch))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def sweep() -> None:
    """Remove damaged copies that `keep` made, and the scratch folders of processes that are gone.

    The cache may be a folder in which other programs keep things: what bears no mark of `keep` stays.
    """
    for stamp in cache_dir().glob("*/stamp.json"):
        if _ours(stamp) and _intact(stamp.parent, None, thorough=True) is None:
            stamp.unlink(missing_ok=True)
    for lock in list((cache_dir() / _SCRATCH).glob("*.lock")):  # `_locked` makes it before the scratch folder
        with suppress(filelock.Timeout), filelock.FileLock(lock, timeout=0):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)


def _ours(stamp: Path) -> bool:
    """Whether `_stamp` wrote a file of this name."""
    try:
        written = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return (
        isinstance(written, dict)
        and set(written) == {"content", "sha256", "files"}
        and isinstance(written["files"], dict)
        and re.fullmatch("[0-9a-f]{64}", str(written["sha256"])) is not None
    )
