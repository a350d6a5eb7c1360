"""Where the book is published: told by pyproject.toml, the CI's variables or `git remote`; empty if nowhere."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

NOWHERE = ("OWNER", "REPO")  # what stands for an owner and a name until there are some
HTTPS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")
SSH = re.compile(r"(?:ssh://)?git@github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")
BRANCH = "colab"  # its notebooks carry the address; `.ci/colab` pushes it


def repository(root: Path) -> str:
    """The address of the public repository, `https://github.com/owner/name`; empty where none is known."""
    for found in (_written(root), _of_ci(), _of_git(root)):
        match = HTTPS.fullmatch(found) or SSH.fullmatch(found)
        if match and match.groups() != NOWHERE:
            return "https://github.com/{}/{}".format(*match.groups())
    return ""


def pages(root: Path) -> str:
    """The address of the published pages, with a slash at its end; empty where none is known."""
    url = repository(root)
    if not url:
        return ""
    owner, name = HTTPS.fullmatch(url).groups()
    return f"https://{owner.lower()}.github.io/{name}/"


def colab(root: Path, notebook: str) -> str:
    """Where Colab opens a notebook such as `book/01-background.ipynb`; empty where none is known."""
    url = repository(root)
    opened = url.replace("https://", "https://colab.research.google.com/").replace("github.com/", "github/", 1)
    return f"{opened}/blob/{BRANCH}/{notebook}" if url else ""


def _written(root: Path) -> str:
    path = root / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"] if path.exists() else {}
    return project.get("urls", {}).get("Repository", "")


def _of_ci() -> str:
    name = os.environ.get("GITHUB_REPOSITORY", "")
    return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else ""


def _of_git(root: Path) -> str:
    command = ["git", "remote", "get-url", "origin"]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8")
    return done.stdout.strip() if done.returncode == 0 else ""
