"""The package goes one way: a module imports only what stands below it, so that each can be read on its own."""

import ast
from pathlib import Path

import helpers

PACKAGE = Path(helpers.__file__).parent
LEVELS = (
    ("errors", "scales", "progress", "memory", "allocator", "texts", "turns", "misspelling"),
    ("assets",),
    ("corpora",),
    ("models", "adapters", "maths", "dropout", "recompute", "recipe"),
    ("batching", "json_fields", "metrics", "answers", "pretraining", "weights"),
    ("tasks",),
    ("checkpoints", "training"),
    ("evaluation", "baselines", "pair_baselines", "taggers", "finders"),
    ("thresholds", "long_texts"),
    ("saved", "ledger"),
    ("cards",),
    (
        "figures",
        "figures_maths",
        "figures_tagging",
        "figures_filter",
        "figures_questions",
        "attention_picture",
        "figures_writing",
        "figures_concepts",
    ),
    ("notebook", "commands"),
    ("serve",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}


def part(path: Path) -> str:
    """The first name below the package: `corpora` for helpers/corpora/base.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "helpers":
            found |= {name.name for name in node.names if not name.name.startswith("__")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("helpers.")}
    return found


def files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def test_every_module_has_its_level():
    assert {part(path) for path in files()} == set(LEVEL)


def test_no_module_imports_what_stands_above_it():
    upwards = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files()
        for name in imported(path) - {part(path)}
        if LEVEL[name] > LEVEL[part(path)]
    ]
    assert upwards == []


def test_training_knows_no_task():
    assert "tasks" not in imported(PACKAGE / "training.py")
