"""The public workflows: what they say they test, and that what they run is there."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tools import address

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
        program, *words = re.sub(r"\w+=\S*\$\{\{.*?\}\}", "", command).split()
        if program == "make":
            assert set(words) <= targets
        elif program != "git":
            assert os.access(ROOT / program, os.X_OK), command
    assert not commands or ".ci/run" in commands
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    hashed = [path for call in re.findall(r"hashFiles\((.*?)\)", text) for path in re.findall(r"'(.*?)'", call)]
    assert [path for path in hashed if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_the_job_that_pushes_the_notebooks_may_write_to_the_repository(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    jobs = WORKFLOWS[name]["jobs"]
    writers = {job for job in jobs if "contents" in jobs[job].get("permissions", {})}
    assert writers == ({"notebooks"} if name == "publish" else set())


def test_pages_and_notebooks_are_published_with_the_address_of_the_repository():
    for job in ("build", "notebooks"):
        runs = [step["run"] for step in WORKFLOWS["publish"]["jobs"][job]["steps"] if "run" in step]
        assert runs[0] == "make repository URL=https://github.com/${{ github.repository }}"
    assert set(WORKFLOWS["publish"]["jobs"]["publish"]["needs"]) == {"build", "notebooks"}


def test_the_branch_for_colab_holds_the_notebooks_as_they_stand(tmp_path):
    """Played in a small repository: what was changed and not committed is what arrives, and nothing else."""

    def git(*words: str, at: str = "work") -> str:
        done = subprocess.run(["git", *words], cwd=tmp_path / at, capture_output=True, encoding="utf-8", check=True)
        return done.stdout

    for folder in ("public", "work", "work/.ci", "work/book"):
        (tmp_path / folder).mkdir()
    git("init", "-q", "--bare", at="public")
    git("init", "-q", "-b", "main")
    git("remote", "add", "origin", str(tmp_path / "public"))
    shutil.copy(ROOT / ".ci" / "colab", tmp_path / "work" / ".ci" / "colab")
    (tmp_path / "work" / "book" / "a.ipynb").write_text("without an address", encoding="utf-8")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "first")
    (tmp_path / "work" / "book" / "a.ipynb").write_text("with the address", encoding="utf-8")
    for _ in range(2):  # a second time it takes the place of the first
        (tmp_path / "work" / "book" / "a.ipynb").write_text("with the address", encoding="utf-8")
        subprocess.run([".ci/colab"], cwd=tmp_path / "work", check=True)
        assert git("ls-tree", "-r", "--name-only", address.BRANCH, at="public").split() == ["book/a.ipynb"]
        assert git("show", f"{address.BRANCH}:book/a.ipynb", at="public") == "with the address"
        git("checkout", "-q", "-f", "main")
        git("branch", "-q", "-D", address.BRANCH)


def test_readme_says_what_is_untried():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    untried = re.search(r"Untried are ([^.]+)\.", text)[1]
    assert all(word in untried for word in ("Windows outside WSL", "macOS", "GPU of an Apple"))
