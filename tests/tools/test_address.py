"""Where the book is published is found at build time, and nothing is made up where it is not known."""

import subprocess

import pytest

from tools import address

KNOWN = "https://github.com/some-one/fine.tuning"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def written(root, url: str) -> None:
    (root / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{url}"\n', encoding="utf-8")


def remote(root, url: str) -> None:
    subprocess.run(["git", "remote", "add", "origin", url], cwd=root, check=True)


def test_nothing_is_known_of_a_repository_without_a_remote(root):
    written(root, "https://github.com/OWNER/REPO")
    assert address.repository(root) == address.pages(root) == address.colab(root, "book/a.ipynb") == ""


@pytest.mark.parametrize("url", [KNOWN, KNOWN + ".git", "git@github.com:some-one/fine.tuning.git"])
def test_a_remote_at_github_is_the_address(root, url):
    remote(root, url)
    assert address.repository(root) == KNOWN
    assert address.pages(root) == "https://some-one.github.io/fine.tuning/"
    expected = "https://colab.research.google.com/github/some-one/fine.tuning/blob/colab/book/a.ipynb"
    assert address.colab(root, "book/a.ipynb") == expected


@pytest.mark.parametrize("url", ["/srv/git/book", "https://example.org/a/b", "http://127.0.0.1/github.com/a/b"])
def test_a_remote_elsewhere_is_none(root, url):
    remote(root, url)
    assert address.repository(root) == ""


def test_what_was_written_comes_before_the_ci_and_that_before_the_remote(root, monkeypatch):
    remote(root, "https://github.com/a/remote")
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/ci")
    assert address.repository(root) == "https://github.com/a/ci"
    written(root, "https://github.com/a/written")
    assert address.repository(root) == "https://github.com/a/written"
