"""Bring the table of dependencies in CONTRIBUTING.md in line with what is installed.

    python -m tools.licences

Names come from pyproject.toml and licences from each package's metadata; what a package is for is written by hand.
"""

import re
import sys
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tools import lock

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- dependencies -->\n", "<!-- end of dependencies -->\n"
ROW = re.compile(r"\| ([\w-]+) \| .* \| (.*) \|")


def main() -> None:
    path = ROOT / "CONTRIBUTING.md"
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


def updated(text: str) -> str:
    """The text with the table between its two marks made anew, keeping the last column of each row."""
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    uses = dict(ROW.findall(old))
    rows = [f"| {name} | {licence(name)} | {uses.get(name, '?')} |\n" for name in dependencies()]
    return f"{before}{BEGIN}\n| package | licence | what for |\n|---|---|---|\n{''.join(rows)}\n{END}{after}"


def dependencies() -> list[str]:
    """Names of all packages in pyproject.toml, extras included."""
    return sorted(Requirement(requirement).name for requirement in lock.requirements())


def licence(package: str) -> str:
    """The licence that an installed package states: its expression, else its classifiers, else its free text."""
    stated = metadata(package)
    classifiers = [line.rpartition(" :: ")[2] for line in stated.get_all("Classifier", []) if "License ::" in line]
    texts = [stated["License-Expression"], " and ".join(classifiers), (stated["License"] or "").partition("\n")[0]]
    return next((text for text in texts if text), "not stated")


if __name__ == "__main__":
    sys.exit(main())
