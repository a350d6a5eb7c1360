"""Colab, played on this machine: a clean environment, an empty folder with one notebook, no repository in sight."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbclient
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from tools import book, notebook

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
SHIPPED = ("helpers", "pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT")
# What Colab has done before the first cell runs: its module is imported, and this package is not installed.
BEFORE = """\
import importlib.machinery
import importlib.util
import sys
import types

colab = sys.modules["google.colab"] = types.ModuleType("google.colab")
colab.__spec__ = importlib.machinery.ModuleSpec("google.colab", None)  # some libraries look for it
assert importlib.util.find_spec("helpers") is None"""
AFTER = """\
import helpers
import sys

assert helpers.__file__.startswith(sys.prefix), helpers.__file__
print("all of it ran")"""


class OtherPython(AsyncKernelManager):
    """Starts the kernel of another environment than the one that runs this test."""

    python = ""

    @property
    def kernel_spec(self) -> KernelSpec:
        command = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Colab", language="python")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package as pip would build it, from a copy that holds nothing but what belongs to it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(source))
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """A clean environment that holds a kernel, as Colab's does, and nothing of ours."""
    folder = tmp_path_factory.mktemp("colab") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip(folder / "bin" / "python", "install", "--constraint", str(LOCK), "ipykernel")
    return folder / "bin" / "python"


def pip(python: Path | str, *arguments: str) -> None:
    subprocess.run([str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def smallest_notebook() -> Path:
    return min((ROOT / name for name in book.notebooks(ROOT)), key=lambda path: path.stat().st_size)


def test_the_wheel_holds_every_file_of_the_package(wheel):
    listed = subprocess.run(["git", "ls-files", "helpers"], cwd=ROOT, capture_output=True, encoding="utf-8")
    tracked = set(listed.stdout.split())
    assert {"helpers/__init__.py", "helpers/assets.toml"} <= tracked
    assert tracked <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(bool(os.environ.get("HELPERS_OFFLINE")), reason="installs packages, and HELPERS_OFFLINE is set")
def test_a_notebook_installs_the_package_and_runs_alone(wheel, python, tmp_path, monkeypatch):
    chapter = notebook.read(smallest_notebook())
    published = f"git+{notebook.repository()}"
    assert published in chapter.cells[0].source
    chapter.cells[0].source = chapter.cells[0].source.replace(published, f"--constraint {LOCK} {wheel}")
    chapter.cells = [nbformat.v4.new_code_cell(BEFORE), *chapter.cells, nbformat.v4.new_code_cell(AFTER)]
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("HELPERS_PROGRESS", "0")
    # Half of the minutes of an installation go into compiling modules that nothing imports.
    monkeypatch.setenv("PIP_COMPILE", "0")
    monkeypatch.setattr(OtherPython, "python", str(python))
    client = nbclient.NotebookClient(chapter, timeout=900, kernel_manager_class=OtherPython)
    client.execute(cwd=str(tmp_path), env={**os.environ})
    assert chapter.cells[-1].outputs[-1].text == "all of it ran\n"
