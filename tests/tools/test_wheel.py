"""The package as people install it: a clean environment, an empty folder, no repository in sight.

A notebook plays Colab there, and the first example of README.md runs after it.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import nbclient
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from tools import book, notebook

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
README = (ROOT / "README.md").read_text(encoding="utf-8")
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
ONLINE = pytest.mark.skipif(
    bool(os.environ.get("HELPERS_OFFLINE")), reason="installs packages, and HELPERS_OFFLINE is set"
)


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


class Installed(NamedTuple):
    """An environment that holds the package, and what the last cell of the notebook that installed it gave."""

    python: Path
    outputs: list


@pytest.fixture(scope="module")
def installed(wheel, python, tmp_path_factory) -> Installed:
    """The clean environment after a notebook has installed the wheel there and run to its end."""
    chapter = notebook.read(smallest_notebook())
    published = f"git+{notebook.repository()}"
    assert published in chapter.cells[0].source
    chapter.cells[0].source = chapter.cells[0].source.replace(published, f"--constraint {LOCK} {wheel}")
    chapter.cells = [nbformat.v4.new_code_cell(BEFORE), *chapter.cells, nbformat.v4.new_code_cell(AFTER)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OtherPython, "python", str(python))
        client = nbclient.NotebookClient(chapter, timeout=900, kernel_manager_class=OtherPython)
        client.execute(cwd=str(tmp_path_factory.mktemp("empty")), env=outside())
    return Installed(python, chapter.cells[-1].outputs)


def outside() -> dict[str, str]:
    """The environment of a shell that knows nothing of this repository."""
    # Half of the minutes of an installation go into compiling modules that nothing imports.
    return {**os.environ, "PYTHONPATH": "", "HELPERS_PROGRESS": "0", "PIP_COMPILE": "0"}


def run_alone(python: Path, code: str, folder: Path) -> str:
    """What a program prints that runs in an empty folder of another environment."""
    (folder / "example.py").write_text(code, encoding="utf-8")
    done = subprocess.run([str(python), "example.py"], cwd=folder, env=outside(), capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(printed: str) -> tuple[dict[str, float], dict]:
    """The score of each system and the first answer, out of what the example prints."""
    systems = re.findall(r"^([\w-]+) +(0\.\d+)", printed, flags=re.MULTILINE)
    return {name: float(score) for name, score in systems}, ast.literal_eval(printed.splitlines()[-1])[0]


def pip(python: Path | str, *arguments: str) -> None:
    subprocess.run([str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def smallest_notebook() -> Path:
    return min((ROOT / name for name in book.notebooks(ROOT)), key=lambda path: path.stat().st_size)


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    listed = subprocess.run(["git", "ls-files", "helpers"], cwd=ROOT, capture_output=True, encoding="utf-8")
    tracked, held = set(listed.stdout.split()), zipfile.ZipFile(wheel).namelist()
    assert {"helpers/__init__.py", "helpers/assets/assets.toml", "helpers/saving/model_card.md"} <= tracked
    assert {name for name in tracked if (ROOT / name).exists()} <= set(held)
    assert {name.partition("/")[0] for name in held} == {"helpers", wheel.name.rsplit("-", 3)[0] + ".dist-info"}
    assert wheel.name.startswith("sft_in_practice-")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@ONLINE
def test_a_notebook_installs_the_package_and_runs(installed):
    assert installed.outputs[-1].text == "all of it ran\n"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@ONLINE
def test_the_first_example_of_the_readme_trains_and_answers(installed, tmp_path):
    code, shown = re.findall(r"^```(?:python)?\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)[:2]
    assert code.startswith("from helpers import")
    printed = run_alone(installed.python, code, tmp_path)
    (ladder, answer), (promised, promised_answer) = told(printed), told(shown)
    assert list(ladder) == list(promised) and list(ladder.values()) == sorted(ladder.values())
    assert ladder == pytest.approx(promised, abs=0.05)
    assert answer["label"] == promised_answer["label"]
    assert (tmp_path / "model" / "model.safetensors").exists()
