"""The public address stands in many places; all agree, and one command moves them together."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from tools import address, book, notebook, repository

ROOT = Path(__file__).resolve().parents[2]
NEW = "https://github.com/some-one/fine.tuning"


def repository_of(root: Path) -> str:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["urls"]["Repository"]


def check_agreement(root: Path) -> None:
    """Every place names the address of pyproject.toml, and no address of the same shape differs from it."""
    url = repository_of(root)
    owner, name = url.removeprefix("https://github.com/").split("/")
    known = (owner, name) != address.NOWHERE
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert citation.get("repository-code") == (url if known else None)
    assert citation.get("url") == (f"https://{owner}.github.io/{name}" if known else None)
    for link in (
        f"{url}/actions/workflows/test.yml/badge.svg",
        f"colab.research.google.com/github/{owner}/{name}/blob",
    ):
        assert (link in readme) == known
    assert (f"https://{owner}.github.io/{name}" in readme) == known
    for path in book.notebooks(root):
        assert f'git+{url}",' in notebook.read(root / path).cells[0].source
    for place in repository.PLACES:
        text = (root / place).read_text(encoding="utf-8")
        assert set(re.findall(r"//github\.com/([\w.-]+/[\w.-]+)", text)) <= {f"{owner}/{name}"}, place
        assert set(re.findall(r"([\w-]+)\.github\.io", text)) <= {owner}, place


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the tree with one more notebook, so that the test says something for every book."""
    for place in [*repository.PLACES, "_toc.yml"]:
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, target)
    shutil.copytree(ROOT / "book", tmp_path / "book", dirs_exist_ok=True)
    for module in (repository, notebook):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    draft = tmp_path / "draft.py"
    draft.write_text("# %% [markdown]\n# # A title\n", encoding="utf-8")
    notebook.write(notebook.read(draft), tmp_path / "book" / "one.ipynb")
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    return {place: (root / place).read_bytes() for place in [*repository.PLACES, *book.notebooks(root)]}


def test_all_places_agree():
    check_agreement(ROOT)


@pytest.mark.slow
def test_one_command_moves_every_place_and_again_changes_nothing(copy):
    before = contents(copy)
    assert repository.main([NEW + ".git/"]) is None
    moved = contents(copy)
    assert repository_of(copy) == NEW
    check_agreement(copy)
    assert "book/one.ipynb" in before and all(moved[place] != before[place] for place in before)
    assert repository.main([NEW]) is None
    assert contents(copy) == moved
    assert repository.main([repository_of(ROOT)]) is None
    assert contents(copy) == before


@pytest.mark.parametrize("wrong", [[], ["github.com/a/b"], ["https://github.com/a"], ["https://example.org/a/b"]])
def test_another_kind_of_address_is_refused_and_nothing_changes(copy, wrong):
    before = contents(copy)
    assert repository.main(wrong).startswith("the address must look like https://github.com/OWNER/REPO")
    assert contents(copy) == before


def test_a_longer_name_is_not_mistaken_for_the_repository():
    text = "https://github.com/a/b https://github.com/a/b-two https://github.com/a/bb"
    assert repository.renamed(text, ("a", "b"), ("c", "d")) == text.replace("a/b ", "c/d ")
