"""Turn a percent-format draft into a clean notebook, a notebook back into a draft, or clean notebooks in place.

    python tools/notebook.py draft.py book/03-five-steps.ipynb     draft to notebook
    python tools/notebook.py book/03-five-steps.ipynb draft.py     notebook to draft
    python tools/notebook.py book/*.ipynb                          clean in place

A clean notebook has no outputs, a cell id that depends on the cell's text alone, metadata that does not change
with the machine, code laid out by ruff with its imports sorted, and as its first cell the one that installs the
package in Colab. So saving the same text twice gives the same bytes, and a diff shows what an author changed.

The metadata of a cell stand in the draft behind `# %%`, the type of the cell first:

    # %% [markdown]
    # %% tags=["hide-input"]
    # %% mystnb={"image": {"alt": "Accuracy rises with the number of training rows."}}
"""

import argparse
import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
INSTALL = """\
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip",
        "install -q git+{url}",
    )"""
METADATA = {
    "accelerator": "GPU",
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("mystnb", "tags")
MAKE = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}


def repository() -> str:
    """The address of the public repository, as `make repository URL=...` wrote it into pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def first_cell() -> NotebookNode:
    """The cell that every notebook begins with; it installs the package in Colab and is hidden in the book."""
    return nbformat.v4.new_code_cell(INSTALL.format(url=repository()), metadata={"tags": ["remove-cell"]})


def clean(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with canonical metadata, ids and first cell, without outputs and empty cells.

    Raises ValueError for a cell that is neither code nor Markdown, and for code that is not Python.
    """
    cells = [cell for cell in notebook.cells if cell.source.strip() and not _installs(cell)]
    cells = [_clean_cell(cell) for cell in [first_cell(), *cells]]
    cells = _formatted(nbformat.v4.new_notebook(cells=cells, metadata=METADATA)).cells
    _name(cells)
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def read(path: Path) -> NotebookNode:
    """The notebook in an `.ipynb` file, or the one that a percent-format `.py` file describes."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return nbformat.reads(text, as_version=4)
    return jupytext.reads(text, fmt="py:percent")


def dumps(notebook: NotebookNode) -> str:
    """The clean notebook as JSON, laid out as Jupyter does."""
    return nbformat.writes(clean(notebook)) + "\n"


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as clean `.ipynb`, or as a percent-format `.py` draft without its first cell."""
    if path.suffix == ".ipynb":
        text = dumps(notebook)
    else:
        draft = nbformat.v4.new_notebook(cells=clean(notebook).cells[1:], metadata=METADATA)
        text = jupytext.writes(draft, fmt="py:percent")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="a draft .py and a notebook .ipynb")
    paths = parser.parse_args(arguments).paths
    kinds = [path.suffix for path in paths]
    if len(paths) == 2 and sorted(kinds) == [".ipynb", ".py"]:
        jobs = [(paths[0], paths[1])]
    elif set(kinds) == {".ipynb"}:
        jobs = [(path, path) for path in paths]
    else:
        parser.error("give a draft .py and a notebook .ipynb, or only notebooks to clean")
    try:
        for source, target in jobs:
            write(read(source), target)
    except (OSError, ValueError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    return 0


def _installs(cell: NotebookNode) -> bool:
    """Whether this is the first cell, perhaps with another address of the repository."""
    return cell.cell_type == "code" and 'if "google.colab" in sys.modules:' in cell.source


def _clean_cell(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type not in MAKE:
        raise ValueError(f"a cell has the type '{cell.cell_type}'; make it code or Markdown: {cell.source[:40]!r}")
    metadata = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
    return MAKE[cell.cell_type](cell.source.strip("\n"), metadata=metadata)


def _formatted(notebook: NotebookNode) -> NotebookNode:
    """The notebook with its code cells as ruff sorts their imports and lays them out by pyproject.toml."""
    text = nbformat.writes(notebook)
    for action in (["check", "--select=I", "--fix-only", "--quiet"], ["format"]):
        command = [sys.executable, "-m", "ruff", *action, "--stdin-filename", "book/notebook.ipynb", "-"]
        done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", cwd=ROOT)
        if done.returncode != 0:
            raise ValueError(f"ruff cannot format it: {done.stderr.strip()}")
        text = done.stdout
    return nbformat.reads(text, as_version=4)


def _name(cells: list[NotebookNode]) -> None:
    """Give each cell an id from its text; equal texts are told apart by their order."""
    seen = {}
    for cell in cells:
        times = seen[cell.source] = seen.get(cell.source, 0) + 1
        cell.id = hashlib.sha256(f"{times} {cell.source}".encode()).hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
