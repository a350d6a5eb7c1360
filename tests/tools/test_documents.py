"""What README.md and CONTRIBUTING.md say of this repository is true: its files, its names, its downloads."""

import re
import subprocess
from pathlib import Path

import pytest

from helpers import assets

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")
ENDINGS = (".cff", ".lock", ".md", ".py", ".toml", ".yml")


def prose(name: str) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def is_path(word: str, alone: bool) -> bool:
    """Whether a word in backquotes names a file or folder; one with a slash does, or, if it stands alone, a file name.

    A word with <angle brackets>, an address, and a file that begins with "my-" stand for what a reader puts there.
    """
    if re.search(r"<\w+>|://|(^|/)my-", word):
        return False
    return bool(re.fullmatch(r"[\w.*-]+/[\w./*-]*", word)) or (alone and word.endswith(ENDINGS))


def paths(text: str) -> list[str]:
    """The paths that a text names in backquotes, or to which it links."""
    spans = [span.split() for span in re.findall(r"`([^`]+)`", text)]
    named = [word for words in spans for word in words if is_path(word, alone=len(words) == 1)]
    return named + re.findall(r"\]\((?!https?://|#)([^)#]+)", text)


def is_made_here(path: str) -> bool:
    """Whether git ignores a path, as it does what `make` makes."""
    return subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_a_document_names_exists(name):
    named = paths(prose(name))
    assert len(named) >= 10, "the rule above finds paths"
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/"))) and not is_made_here(path)] == []


def test_placeholders_and_other_words_are_told_from_paths():
    assert paths("`a.b` `make x.md` `helpers/tasks/<task>.py` `book/my-chapter.ipynb` `U=https://x.org/z`") == []
    assert paths("`u/v.py w` `x.md` [y](LICENSE) [z](https://x.org/z)") == ["u/v.py", "x.md", "LICENSE"]


def test_every_list_to_add_to_stands_in_its_file():
    placed = re.findall(r"`(\w+)`\s+in\s+`([\w./]+\.py)`", prose("CONTRIBUTING.md"))
    assert len(placed) >= 7, "the rule finds them"
    for word, path in placed:
        assert re.search(rf"^(def )?{word}\b", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE), path


def test_readme_tells_how_much_is_downloaded():
    megabytes = int(re.search(r"(\d+) MB of models and texts", prose("README.md")).group(1))
    assert abs(megabytes - assets.table()["bytes"].sum() / 1e6) < 10
