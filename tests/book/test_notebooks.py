"""The committed notebooks: clean, alike at their beginning, and all in the table of contents."""

import ast
import io
import re
import sys
import tokenize
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import book, notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = book.notebooks(ROOT)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
DISTRIBUTIONS = packages_distributions()
LINES = 30  # of a cell at most


def imported(code: str) -> set[str]:
    """The packages whose modules a cell imports."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"helpers"}
    return {canonicalize_name(DISTRIBUTIONS[name][0]) for name in modules}


def test_table_of_contents_names_every_page_once_and_no_other():
    files = [*(ROOT / "book").rglob("*.md"), *(ROOT / name for name in NOTEBOOKS)]
    pages = [
        file.relative_to(ROOT).with_suffix("").as_posix() for file in files if ".ipynb_checkpoints" not in file.parts
    ]
    assert sorted(book.documents(ROOT)) == sorted(pages)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_clean(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert notebook.dumps(notebook.read(ROOT / name)) == text, f"run: python tools/notebook.py {name}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_begins_with_the_common_cell_and_a_title(name):
    cells = notebook.read(ROOT / name).cells
    assert cells[0].source == notebook.first_cell().source
    assert cells[0].metadata == {"tags": ["remove-cell"]}
    assert cells[1].cell_type == "markdown" and cells[1].source.startswith("# ")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_holds_no_output(name):
    code = [cell for cell in notebook.read(ROOT / name).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_string_prints_the_code_of_a_number(name):
    cells = [cell for cell in notebook.read(ROOT / name).cells if cell.cell_type == "code"]
    for cell in cells:
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)  # which keep the parts of a string apart
        plain = [part.string for part in tokens if part.type == tokenize.STRING and part.string[0] not in "fFrR"]
        assert not [text for text in plain if re.search(r"\{\w+(\(|\[|\.\w|:[,.\d])", text)], "an f is missing"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_cell_fits_on_a_screen(name):
    cells = [cell for cell in notebook.read(ROOT / name).cells if cell.cell_type == "code"]
    assert [number for number, cell in enumerate(cells) if cell.source.count("\n") >= LINES] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_that_needs_an_extra_installs_it_before_it_imports_it(name):
    there = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
    for cell in notebook.read(ROOT / name).cells[1:]:
        if cell.cell_type == "code":
            installed = re.findall(r"\"install -q '([^']+)'\"", cell.source)
            assert set(installed) <= set(EXTRAS), "the versions are those of pyproject.toml"
            there |= {canonicalize_name(Requirement(each).name) for each in installed}
            assert imported(cell.source) <= there
