"""Resolve pyproject.toml anew and write every version to requirements.lock.

    python3 tools/lock.py        (or: make lock)

The environment is a fresh one that is thrown away, so the lock holds what the package needs and nothing else.
"""

import itertools
import platform
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Every package of the environment, made by `make lock` with Python {python} on {system}.
# To renew it: make lock PYTHON=python3.11, then make test. torch must be a build without CUDA while the lock is made
# (on Linux: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu), or CUDA's libraries would be listed here.
"""
CUDA = ("nvidia-", "triton", "cuda-")


def main() -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        frozen = freeze(Path(folder) / "venv")
    try:
        lines = pins(frozen)
    except ValueError as error:
        return str(error)
    head = HEAD.format(python=".".join(platform.python_version_tuple()[:2]), system=platform.system())
    (ROOT / "requirements.lock").write_text(head + "".join(lines), encoding="utf-8", newline="\n")
    print(f"requirements.lock lists {len(lines)} packages")
    return None


def requirements() -> list[str]:
    """What pyproject.toml asks for, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]


def freeze(venv: Path) -> list[str]:
    """What `pip freeze` says after all requirements went into a fresh environment."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *requirements()], check=True)
    done = subprocess.run([*pip, "freeze", "--all"], check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return done.stdout.splitlines()


def pins(frozen: list[str]) -> list[str]:
    """The lines of the lock: no pip, no local version such as `+cpu`.

    Raises ValueError where torch brought CUDA's libraries.
    """
    lines = [line for line in frozen if not line.startswith("pip==")]
    cuda = [line for line in lines if line.startswith(CUDA)]
    if cuda:
        remedy = "set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu and try again"
        raise ValueError(f"torch came with CUDA ({cuda[0]} and {len(cuda) - 1} more); {remedy}")
    inexact = [line for line in lines if line.count("==") != 1]
    if inexact:
        raise ValueError(f"'{inexact[0]}' names no exact version; install it from a registry")
    return [line.partition("+")[0] + "\n" for line in sorted(lines, key=str.lower)]


if __name__ == "__main__":
    sys.exit(main())
