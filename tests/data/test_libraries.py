"""Sources of libraries: the pinned bytes, wherever they come from."""

import pytest

from helpers import assets
from helpers.data import libraries
from helpers.errors import AssetError

FILES = {"__init__.py": "import this", "part/code.py": "x = 1", "version.py": "built = 'here'", "data.txt": "no source"}
OTHERS = (  # what another build or another version may hold
    {"part/code.py": "x = 2"},
    {"part/code.py": None},
    {"part/more.py": "y = 1"},
    {"__init__.py": "import this\r"},
)
SAME = ({}, {"version.py": "built = 'elsewhere'"}, {"version.py": None}, {"data.txt": "other"}, {"part/more.txt": "y"})


def write(root, files):
    for name, text in files.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8", newline="")
    return root


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Install `made_library` with some files; the pinned ones lie in the folder `archive`, the only thing to fetch."""
    archive, take = write(tmp_path / "archive", FILES), ("*/*.py", "[!v]*.py")
    source = assets.Source("pypi", "made", "1.2", "0" * 64, 1, "made_library")
    sha256 = assets.digest_of(libraries._taken(archive, take))
    pins = {"made": assets.Asset("made", "about", "MIT", sha256, 1, (source,), take)}
    monkeypatch.setattr(libraries, "pinned", lambda: pins)
    monkeypatch.setattr(assets, "obtain", lambda asset: archive)
    monkeypatch.syspath_prepend(tmp_path / "site")

    def install(changes):
        return write(tmp_path / "site" / "made_library", FILES | changes)

    return install


@pytest.mark.parametrize("changes", SAME)
def test_an_installed_library_with_the_pinned_files_is_read_where_it_lies(library, changes):
    installed = library(changes)
    assert libraries.folder("made") == installed


@pytest.mark.parametrize("changes", OTHERS)
def test_from_an_installed_library_with_other_files_nothing_is_read(library, changes, tmp_path):
    library(changes)
    assert libraries.folder("made") == tmp_path / "archive"
    assert list(libraries.sources("made", without=())) == ["import this", "x = 1"]
    assert list(libraries.sources("made", without=("pa",))) == ["import this"]


def test_a_library_that_is_not_installed_is_fetched_too(library, tmp_path):
    assert libraries.folder("made") == tmp_path / "archive"


def test_a_library_that_can_neither_be_read_nor_fetched_is_named(library, monkeypatch):
    library(OTHERS[0])

    def fail(asset):
        raise AssetError("no network")

    monkeypatch.setattr(assets, "obtain", fail)
    with pytest.raises(AssetError, match=r"^this corpus reads made 1\.2, and no such files are installed: no network$"):
        libraries.folder("made")


@pytest.mark.parametrize("name", libraries.pinned())
def test_the_pinned_files_of_every_library_are_at_hand(name):
    asset = libraries.pinned()[name]
    taken = libraries._taken(libraries.folder(name), asset.take)
    assert sum(file.stat().st_size for file in taken.values()) == asset.bytes
