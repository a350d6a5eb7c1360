"""What the book relies on, as `assets.toml` lists it, and how a file of it is fetched and verified.

`assets.toml` names each asset, the packages that hold it and the sha256 of every archive and of what is taken out.
"""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path

import pandas as pd

from helpers.assets.cache import cache_dir, digest, keep, offline, sweep
from helpers.assets.packages import Source, download, unpack
from helpers.errors import AssetError, InputError


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


@cache
def assets() -> dict[str, Asset]:
    """All assets of `assets.toml`, by name."""
    return read_assets(resources.files("helpers.assets").joinpath("assets.toml").read_text(encoding="utf-8"))


def read_assets(text: str) -> dict[str, Asset]:
    """Parse the text of an `assets.toml`: one table per asset, with an array of its sources."""
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
    return obtain(_named(name))


def obtain(asset: Asset, *, thorough: bool = False) -> Path:
    """As `fetch`, for an asset that need not stand in `assets.toml`; `thorough` hashes a copy that is there already."""
    key = f"{asset.name}-{asset.sha256[:12]}"
    return keep(key, partial(_obtain, asset), sha256=asset.sha256, thorough=thorough)


def fetch_all() -> None:
    """Fetch every asset, hash what is there already, and clear away what killed processes left behind.

    A copy that `keep` made and that no longer has its hash is removed, so that its next use makes it again.
    Raises as `fetch` does.
    """
    for asset in assets().values():
        obtain(asset, thorough=True)
    sweep()


def table() -> pd.DataFrame:
    """One row per asset: name, registry, package, version, member, bytes (of the download), sha256, licence, about."""
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


def _named(name: str) -> Asset:
    if name not in assets():
        raise InputError(f"there is no asset '{name}'; choose one of {', '.join(assets())}")
    return assets()[name]


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
    arrive = partial(_arrived, source)
    # A package that holds several assets is fetched for the first of them and kept for the others.
    archive = keep(f"archive-{source.sha256[:12]}", arrive, sha256=source.sha256) if _shared(source) else arrive(folder)
    try:
        if source.inner:
            archive = unpack(archive, source.inner, (), folder / "inner")
        content = unpack(archive, source.member, asset.take, folder / "content", limit=asset.bytes)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise AssetError(f"its archive cannot be read: {error}") from error
    _check(content, asset.sha256, f"'{source.member}' in its archive")
    return content


def _arrived(source: Source, folder: Path) -> Path:
    archive = download(source, folder)
    _check(archive, source.sha256, "its archive")
    return archive


def _shared(source: Source) -> bool:
    """Whether several assets come from the archive of `source` first."""
    return sum(asset.sources[0].sha256 == source.sha256 for asset in assets().values()) > 1


def _check(path: Path, sha256: str, what: str) -> None:
    actual = digest(path)
    if actual != sha256:
        raise AssetError(f"{what} has the sha256 {actual[:12]}... and not the pinned {sha256[:12]}...")
