"""The public workflows: what they say they test, and that what they run is there."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in FILES}
ALLOWED = SpecifierSet(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
)


def steps(name: str) -> list[dict]:
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


def test_a_pull_request_is_tested_with_the_ends_of_the_range_on_linux_and_its_middle_on_macos():
    job = WORKFLOWS["test"]["jobs"]["test"]
    tested = {(each["machine"], each["python"]) for each in job["strategy"]["matrix"]["include"]}
    assert tested == {("ubuntu-latest", "3.11"), ("ubuntu-latest", "3.13"), ("macos-latest", "3.12")}
    allowed = {minor for minor in range(30) if f"3.{minor}" in ALLOWED}
    assert {int(python.partition(".")[2]) for _, python in tested} == allowed, "none that README promises is left out"
    assert job["runs-on"] == "${{ matrix.machine }}" and not job["strategy"]["fail-fast"]
    assert [step["with"]["python-version"] for step in steps("test") if "setup-python" in step.get("uses", "")] == [
        "${{ matrix.python }}"
    ]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_runs_and_hashes_is_there(name):
    commands = [step["run"] for step in steps(name) if "run" in step]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for command in commands:
        program, *words = command.split()
        if program == "make":
            assert set(words) <= targets
        elif program != "git":
            assert os.access(ROOT / program, os.X_OK), command
    assert not commands or ".ci/run" in commands
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    hashed = [path for call in re.findall(r"hashFiles\((.*?)\)", text) for path in re.findall(r"'(.*?)'", call)]
    assert [path for path in hashed if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_not_write_to_the_repository(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


def test_readme_says_what_is_untried():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    untried = re.search(r"Untried are ([^.]+)\.", text)[1]
    assert all(word in untried for word in ("Windows outside WSL", "macOS", "GPU of an Apple"))
