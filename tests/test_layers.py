"""The house: rooms on floors, wings that do not know each other, and sizes that a reader can take in."""

import ast
from pathlib import Path

import pytest

import helpers
from helpers.tasks import registry

PACKAGE = Path(helpers.__file__).parent
FLOORS = (
    {"errors"},
    {"progress", "scales", "text"},
    {"assets"},
    {"data"},
    {"corpora", "evaluation", "maths", "metrics", "models"},
    {"tasks"},
    {"saving"},
    {"training"},
    {"workflow"},
    {"export"},
    {"book", "cli"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ROOMS, FILE, CLASS, FUNCTION = 18, 350, 200, 30  # lines but for the first: numbers that may be lowered, never raised
# Longer than FUNCTION, with their lines: an entry may shrink or go, and none may be added.
LONG_FUNCTIONS = {
    "cli/server.py:app": 35,  # a closure a route
    "training/loop.py:_train": 50,  # the loop, to be read from top to bottom
}


def files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def room(path: Path) -> str:
    """The first name below the package: `corpora` for helpers/corpora/mail.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules(path: Path) -> set[str]:
    """What a file imports of the package, anywhere in it, as `data.corpus.Corpus`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "helpers":
            below = node.module.split(".")[1:]
            names |= {".".join([*below, name.name]) for name in node.names}
        elif isinstance(node, ast.Import):
            names |= {name.name.partition(".")[2] for name in node.names if name.name.startswith("helpers.")}
    return {name for name in names if not name.startswith("__")}


def definitions(kind: type) -> dict[str, int]:
    """The lines of each function or class of the package, by file and name."""
    lines = {}
    for path in [*files(), PACKAGE / "__init__.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                name = f"{path.relative_to(PACKAGE).as_posix()}:{node.name}"
                lines[name] = max(lines.get(name, 0), node.end_lineno - node.lineno + 1)
    return lines


def test_each_room_has_a_floor():
    assert {room(path) for path in files()} == set(FLOOR)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_stands_below_it(path):
    others = {name.split(".")[0] for name in modules(path)} - {room(path)}
    unknown = others - set(FLOOR)
    assert not unknown, "the door is for those outside; a room names the file that it needs"
    assert [name for name in others if FLOOR[name] >= FLOOR[room(path)]] == []


@pytest.mark.parametrize("wing", registry.TASKS)
def test_wings_do_not_know_each_other(wing):
    others = tuple(f"tasks.{name}" for name in registry.TASKS if name != wing)
    own = [
        path
        for path in files()
        if path.relative_to(PACKAGE).as_posix().startswith((f"tasks/{wing}/", f"tasks/{wing}."))
    ]
    assert own
    assert [name for path in own for name in modules(path) if name.startswith(others)] == []


def test_training_takes_any_task():
    names = {name for path in files() if room(path) == "training" for name in modules(path)}
    assert [name for name in names if name.startswith("tasks") and not name.startswith("tasks.base.")] == []


def test_rooms_stay_few_and_small():
    assert len(FLOOR) - 1 <= ROOMS  # __main__ only starts the shell
    sizes = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in files()
    }
    assert {name: lines for name, lines in sizes.items() if lines > FILE} == {}
    assert {name: lines for name, lines in definitions(ast.ClassDef).items() if lines > CLASS} == {}


def test_functions_stay_short():
    # Their signature and docstring do not count: a reader skips them, and they ought to be long.
    long = {name: lines for name, lines in bodies().items() if lines > FUNCTION}
    assert set(long) <= set(LONG_FUNCTIONS), "shorten it, or cut it in two"
    assert {name: lines for name, lines in long.items() if lines > LONG_FUNCTIONS[name]} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "an entry that is short now must go"


def bodies() -> dict[str, int]:
    """The lines of each function's body, without its docstring."""
    lines = {}
    for path in [*files(), PACKAGE / "__init__.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                name = f"{path.relative_to(PACKAGE).as_posix()}:{node.name}"
                lines[name] = max(lines.get(name, 0), node.end_lineno - body[0].lineno + 1 if body else 0)
    return lines
