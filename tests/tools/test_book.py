"""Which notebooks run, what is kept of a run, and when the pages are built again."""

import copy
import json
import shutil
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml

from tools import book

ROOT = Path(__file__).resolve().parents[2]


def write_notebook(path: Path, *sources: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell("# A title"), *map(nbformat.v4.new_code_cell, sources)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def tree(tmp_path):
    """A repository with a package of two files and a book of two notebooks."""
    files = {
        "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n  - file: book/b\n  - file: book/part/a\n",
        "requirements.lock": "a==1\n",
        "helpers/__init__.py": "",
        "helpers/book/results/seeds.jsonl": "{}\n",
        "book/index.md": "# The book\n\nIts text.\n",
        "book/references.bib": "",
        "book/_static/book.css": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    shutil.copy(ROOT / "book" / "_static" / "favicon.svg", tmp_path / "book" / "_static")
    write_notebook(tmp_path / "book" / "b.ipynb", "1 + 1")
    write_notebook(tmp_path / "book" / "part" / "a.ipynb", "2 + 2")
    return tmp_path


@pytest.fixture
def runs(monkeypatch):
    """Names of the notebooks that ran; running one is instant, and those in `failing` fail."""
    names, failing = [], set()

    def run(notebook: Path) -> str:
        names.append(notebook.name)
        return "Traceback: boom" if notebook.name in failing else ""

    monkeypatch.setattr(book, "run", run)
    monkeypatch.setattr(book, "fetch", lambda root: None)
    monkeypatch.setattr(book, "build", lambda root: 0)
    monkeypatch.setenv("BOOK_AT_ONCE", "1")
    return names, failing


def test_each_notebook_runs_once_in_reading_order(tree, runs):
    names, _ = runs
    assert book.main(tree) == 0
    assert names == ["b.ipynb", "a.ipynb"]
    assert book.main(tree) == 0
    assert names == ["b.ipynb", "a.ipynb"]


def test_two_notebooks_run_beside_each_other_and_both_are_recorded(tree, runs, monkeypatch):
    monkeypatch.setenv("BOOK_AT_ONCE", "2")
    meeting = threading.Barrier(2, timeout=20)
    monkeypatch.setattr(book, "run", lambda notebook: "" if meeting.wait() in (0, 1) else "alone")
    assert book.main(tree) == 0
    assert set(book.record(tree)) == {"book/b.ipynb", "book/part/a.ipynb"}


@pytest.mark.parametrize(
    ("cores", "gigabytes", "asked", "count"),
    [(2, 24, None, 2), (16, 64, None, 2), (1, 24, None, 1), (8, 8, None, 1), (2, 24, "1", 1), (2, 8, "3", 3)],
)
def test_two_run_at_once_where_there_is_room_for_two(monkeypatch, cores, gigabytes, asked, count):
    monkeypatch.setattr(book.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(book.psutil, "virtual_memory", lambda: SimpleNamespace(total=gigabytes * 1e9))
    monkeypatch.delenv("BOOK_AT_ONCE", raising=False)
    if asked:
        monkeypatch.setenv("BOOK_AT_ONCE", asked)
    assert book.at_once() == count


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("book/b.ipynb", ["b.ipynb"]),
        ("helpers/__init__.py", ["b.ipynb", "a.ipynb"]),
        ("helpers/book/results/seeds.jsonl", ["b.ipynb", "a.ipynb"]),
        ("requirements.lock", ["b.ipynb", "a.ipynb"]),
        ("book/index.md", []),
    ],
)
def test_only_what_a_change_concerns_runs_again(tree, runs, changed, again):
    names, _ = runs
    book.main(tree)
    names.clear()
    with (tree / changed).open("a", encoding="utf-8") as file:
        file.write("\n")
    book.main(tree)
    assert names == again


def test_another_scale_is_another_run(tree, runs, monkeypatch):
    names, _ = runs
    book.main(tree)
    monkeypatch.setenv("SFT_SCALE", "gpu")
    assert book.main(tree) == 0
    assert len(names) == 4


def test_compiled_files_do_not_count(tree, runs):
    names, _ = runs
    book.main(tree)
    (tree / "helpers" / "__pycache__").mkdir()
    (tree / "helpers" / "__pycache__" / "x.pyc").write_bytes(b"1")
    book.main(tree)
    assert len(names) == 2


def test_a_failure_stops_the_build_but_keeps_what_succeeded(tree, runs, monkeypatch, capsys):
    names, failing = runs
    failing.add("b.ipynb")
    monkeypatch.setattr(book, "build", lambda root: pytest.fail("built a book with a failed notebook"))
    assert book.main(tree) == 1
    shown = capsys.readouterr()
    assert "boom" in shown.err and "failed: book/b.ipynb" in shown.err
    assert set(book.record(tree)) == {"book/part/a.ipynb"}
    assert (tree / "executed" / "failed" / "book" / "b.ipynb").exists()
    failing.clear()
    names.clear()
    monkeypatch.setattr(book, "build", lambda root: 0)
    assert book.main(tree) == 0
    assert names == ["b.ipynb"]
    assert not (tree / "executed" / "failed" / "book" / "b.ipynb").exists()


def test_a_success_is_on_disk_before_the_next_notebook_runs(tree, runs, monkeypatch):
    def killed(notebook: Path) -> str:
        if notebook.name == "a.ipynb":
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(book, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        book.main(tree)
    assert set(json.loads((tree / "executed" / "record.json").read_text(encoding="utf-8"))) == {"book/b.ipynb"}


def test_a_copy_that_was_deleted_is_made_again(tree, runs):
    names, _ = runs
    book.main(tree)
    (tree / "executed" / "book" / "b.ipynb").unlink()
    book.main(tree)
    assert names == ["b.ipynb", "a.ipynb", "b.ipynb"]


def test_the_report_names_each_notebook_and_the_sum(tree):
    for number, name in enumerate(["book/b.ipynb", "book/part/a.ipynb", "book/gone.ipynb"]):
        (tree / "executed").mkdir(exist_ok=True)
        book.enter(tree, name, {"key": "k", "seconds": 10.0 * number + 5})
    lines = book.report(tree, executed=1).splitlines()
    assert [line.split() for line in lines[1:4]] == [["book/b.ipynb", "5"], ["book/part/a.ipynb", "15"], ["all", "20"]]
    assert lines[4] == "executed now: 1 of 2"


@pytest.mark.slow
def test_a_notebook_runs_in_an_empty_folder_with_its_outputs_kept(tree):
    source = tree / "book" / "b.ipynb"
    code = "import os\nprint(sorted(os.listdir()), os.environ['HELPERS_PROGRESS'], 'MPLBACKEND' in os.environ)"
    write_notebook(source, code)
    before = source.read_bytes()
    assert book.execute(tree, "book/b.ipynb", 1, 1)
    assert source.read_bytes() == before
    cells = nbformat.read(tree / "executed" / "book" / "b.ipynb", as_version=4).cells
    assert cells[1].outputs[0].text == "['b.ipynb'] 0 True\n"
    entry = book.record(tree)["book/b.ipynb"]
    assert entry["seconds"] > 0 and entry["machine"].endswith(" cores") and entry["day"] > "2026"


@pytest.mark.slow
def test_a_failing_notebook_shows_its_traceback(tree, capfd):
    write_notebook(tree / "book" / "b.ipynb", "wanted = 'this very line'\nraise ValueError(wanted)")
    assert not book.execute(tree, "book/b.ipynb", 1, 1)
    shown = capfd.readouterr().err
    assert "ValueError" in shown and "this very line" in shown
    assert book.record(tree) == {}


def test_a_run_that_is_killed_did_not_succeed(tree, monkeypatch, capsys):
    """A killed process says nothing at all; silence must not pass for success."""
    monkeypatch.setattr(book.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -9, stdout=""))
    assert not book.execute(tree, "book/b.ipynb", 1, 1)
    assert "status -9" in capsys.readouterr().err
    assert book.record(tree) == {}


@pytest.mark.slow
def test_a_notebook_that_hangs_is_stopped(tree, monkeypatch):
    monkeypatch.setattr(book, "NOTEBOOK_SECONDS", 3)
    write_notebook(tree / "book" / "b.ipynb", "import time\ntime.sleep(600)")
    assert book.run(tree / "book" / "b.ipynb") == "it ran longer than 3 s"


def test_the_sources_of_the_pages_follow_the_book(tree, runs):
    book.main(tree)
    (tree / "book" / "index.md").write_text("# Changed\n", encoding="utf-8")
    (tree / "book" / "b.ipynb").unlink()
    book.assemble(tree)
    site = tree / "executed"
    assert (site / "book" / "index.md").read_text(encoding="utf-8") == "# Changed\n"
    assert not (site / "book" / "b.ipynb").exists()
    assert (site / "book" / "part" / "a.ipynb").exists()
    config = yaml.safe_load((site / "_config.yml").read_text(encoding="utf-8"))
    assert config["execute"]["execute_notebooks"] == "off"


def test_buttons_stand_where_there_is_an_address_for_them(tree, monkeypatch):
    config = yaml.safe_load((tree / "_config.yml").read_text(encoding="utf-8"))
    monkeypatch.setattr(book.address, "repository", lambda root: "")
    without = book.configured(copy.deepcopy(config), tree)
    assert not {"repository", "launch_buttons"} & set(without) and "baseurl" not in without["html"]
    monkeypatch.setattr(book.address, "repository", lambda root: "https://github.com/a/b")
    known = book.configured(copy.deepcopy(config), tree)
    assert known["repository"]["url"] == "https://github.com/a/b" and known["launch_buttons"]["colab_url"]
    assert known["html"]["baseurl"] == "https://a.github.io/b/" and known["html"]["use_edit_page_button"]


@pytest.fixture
def built(tree, monkeypatch):
    """A tree whose notebooks have run, and the commands that Jupyter Book was called with."""
    for name in book.notebooks(tree):
        book.keep(tree / name, tree / "executed" / name)
    commands, real = [], subprocess.run

    def counted(command, **options):
        if Path(command[0]).name == "jupyter-book":
            commands.append(command)
        return real(command, **options)

    monkeypatch.setattr(book.subprocess, "run", counted)
    monkeypatch.setattr(book.finishing, "add_mathjax", lambda static: None)
    monkeypatch.setattr(book.page_model, "place", lambda static: None)
    monkeypatch.setattr(book.finishing, "redirect", lambda pages: None)  # the tree has none of the pages that moved
    return tree, commands


@pytest.mark.slow
def test_pages_are_built_when_something_changed_and_only_then(built):
    tree, commands = built
    assert [book.build(tree), book.build(tree), len(commands)] == [0, 0, 1]
    assert "Its text" in (tree / "_build" / "html" / "book" / "index.html").read_text(encoding="utf-8")
    assert not [page for page in (tree / "_build" / "html").rglob("*.html") if "/fontawesome.js" in page.read_text()]
    (tree / "book" / "index.md").write_text("# The book\n\nAnother text.\n", encoding="utf-8")
    assert [book.build(tree), len(commands)] == [0, 2]
    assert "Another text" in (tree / "_build" / "html" / "book" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_warning_fails_the_build_and_is_not_forgotten(built, capfd):
    tree, _ = built
    faults = "See [here](nowhere.md), {ref}`no-such-label` and {cite}`nobody1999`."
    (tree / "book" / "index.md").write_text(f"# The book\n\n{faults}\n", encoding="utf-8")
    assert book.build(tree) == 1
    shown = capfd.readouterr().err
    assert all(name in shown for name in ("nowhere.md", "no-such-label", "nobody1999"))
    assert not (tree / "_build" / "stamp").exists()
