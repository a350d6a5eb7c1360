"""The Makefile and what the texts say about it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
PROMISED = {
    "book",
    "test",
    "test-fast",
    "lab",
    "bench",
    "results",
    "verify",
    "fetch",
    "lock",
    "repository",
    "clean",
    "help",
}


def test_help_lists_every_target_with_a_sentence():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    listed = dict(re.findall(r"^make ([a-z-]+) +(\S.*)$", shown, flags=re.MULTILINE))
    assert set(listed) == TARGETS
    assert PROMISED <= TARGETS


def test_no_target_is_mistaken_for_a_file():
    assert set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE).group(1).split()) == TARGETS


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "AGENTS.md", "book/index.md", ".ci/run"])
def test_texts_name_targets_that_exist(name):
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8")))
    assert named <= TARGETS


def test_readme_names_both_commands_below_its_first_example():
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:45]
    assert any(line.startswith("| `make book` |") for line in first)
    assert any(line.startswith("| `make test` |") for line in first)


def test_every_program_that_make_starts_exists():
    modules = re.findall(r"-m ((?:experiments|tools)\.[a-z]+)", MAKEFILE)
    assert "experiments.run" in modules
    for module in modules:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists()
    for script in re.findall(r"(tools/[a-z]+\.py)", MAKEFILE):
        assert (ROOT / script).exists()


@pytest.mark.parametrize(
    ("there", "named", "used"),
    [
        (None, [], "python3"),
        ("exit 0", [], ".venv/bin/python"),
        ("exit 1", [], "python3"),
        ("exit 0", ["PYTHON=python3.12"], "python3.12"),
    ],
)
def test_the_python_of_the_environment_is_kept_until_another_is_named(tmp_path, there, named, used):
    shutil.copy(ROOT / "Makefile", tmp_path)
    if there is not None:
        python = tmp_path / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\n{there}\n", encoding="utf-8")
        python.chmod(0o755)
    command = ["make", "--dry-run", "environment", *named]
    # What a make around this test was told, its own PYTHON above all, is not said to the make that is looked at.
    told = {"PYTHON", "MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS"}
    quiet = {name: value for name, value in os.environ.items() if name not in told}
    shown = subprocess.run(command, cwd=tmp_path, env=quiet, capture_output=True, encoding="utf-8", check=True).stdout
    assert shown.strip() == f"{used} tools/environment.py"


def test_ci_runs_the_two_commands_in_order():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^stage (\w+)", text, flags=re.MULTILINE) == ["test", "book"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
