"""What the documents at the root say of this repository is true: its files, its rooms, its names, its downloads."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from test_layers import FLOORS

from helpers import assets

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {"README.md": 5, "CONTRIBUTING.md": 10, "AGENTS.md": 10, "CHANGELOG.md": 0}  # paths named, at least
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
    assert len(named) >= DOCUMENTS[name], "the rule above finds paths"
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/"))) and not is_made_here(path)] == []


def test_placeholders_and_other_words_are_told_from_paths():
    assert paths("`a.b` `make x.md` `helpers/tasks/<task>.py` `book/my-chapter.ipynb` `U=https://x.org/z`") == []
    assert paths("`u/v.py w` `x.md` [y](LICENSE) [z](https://x.org/z)") == ["u/v.py", "x.md", "LICENSE"]


def test_every_list_to_add_to_stands_in_its_file():
    placed = re.findall(r"`(\w+)`\s+in\s+`([\w./]+\.py)`", prose("CONTRIBUTING.md"))
    assert len(placed) >= 7, "the rule finds them"
    for word, path in placed:
        assert re.search(rf"^(def )?{word}\b", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE), path


def test_readme_draws_every_room_from_the_ground_up():
    drawing = re.search(r"^```\n(helpers/ .*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    lines = drawing.group(1).splitlines()
    rooms = [line.split()[0].removesuffix(".py").removesuffix("/") for line in lines if line.startswith("    ")]
    floors = [number for room in rooms for number, floor in enumerate(FLOORS) if room in floor]
    assert floors == sorted(floors)
    assert sorted(rooms) == sorted(set().union(*FLOORS) - {"__main__"})
    named = [re.split(r"\s{2,}", line)[0] for line in lines if line[0] != " "]
    folders = {folder for names in named for folder in names.split(", ")}
    assert all((ROOT / folder).is_dir() or is_made_here(folder) for folder in folders)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8").stdout
    tracked = {line.partition("/")[0] + "/" for line in listed.splitlines() if "/" in line and line[0] != "."}
    assert tracked <= folders


def test_contributing_has_the_floors_of_the_test():
    rows = re.findall(r"^\| (\d+) \| (`.*?) \|", prose("CONTRIBUTING.md"), flags=re.MULTILINE)
    floors = {int(number): set(re.findall(r"`(\w+)`", rooms)) for number, rooms in rows}
    assert floors == {number: floor for number, floor in enumerate(FLOORS) if floor != {"__main__"}}


def private_names(path: Path) -> set[str]:
    """Names with an underscore that a file takes from another object than `self`, `cls` or `super()`."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and ast.unparse(node.value) not in ("self", "cls", "super()")
    }


def test_contributing_lists_the_private_names_of_other_libraries():
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (.*?) \|", prose("CONTRIBUTING.md"), flags=re.MULTILINE)
    listed = {(path, name) for path, cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert all(re.search(rf"\.{name}\b", (ROOT / path).read_text(encoding="utf-8")) for path, name in listed)
    folders = ("helpers", "experiments", "tools", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert {(path.relative_to(ROOT).as_posix(), name) for path in files for name in private_names(path)} <= listed


def test_readme_tells_how_much_is_downloaded():
    megabytes = int(re.search(r"(\d+) MB of models and texts", prose("README.md")).group(1))
    archives = assets.table().drop_duplicates(["registry", "package", "version"])  # each is fetched once
    assert abs(megabytes - archives["bytes"].sum() / 1e6) < 2
