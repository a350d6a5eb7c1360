"""Write the address of the public repository to every place that names it.

    python -m tools.repository https://github.com/OWNER/REPO        (or: make repository URL=...)

pyproject.toml holds the address, and the first cell of each notebook repeats it; badges and citation have it only where
there is one. This moves them all together, so running it again changes nothing.
"""

import re
import sys
from pathlib import Path

from tools import address, book, notebook

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("README.md", "CITATION.cff", "pyproject.toml")
BADGES = """\
[![test](https://github.com/{0}/{1}/actions/workflows/test.yml/badge.svg)](https://github.com/{0}/{1}/actions/workflows/test.yml)
[![read the book](https://img.shields.io/badge/read-the%20book-blue)](https://{0}.github.io/{1})
[![open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{0}/{1}/blob/colab/book/01-background.ipynb)
"""
CITED = """\
repository-code: https://github.com/{0}/{1}
url: https://{0}.github.io/{1}
"""


def main(arguments: list[str]) -> str | None:
    if len(arguments) != 1 or not (match := address.HTTPS.fullmatch(arguments[0])):
        given = " ".join(arguments) or "nothing"
        return f"the address must look like https://github.com/OWNER/REPO, not {given}; make repository URL=..."
    old = address.HTTPS.fullmatch(notebook.repository()).groups()
    # pyproject.toml is the last of the places: an interrupted run still knows the old address and can be repeated.
    for path in [ROOT / file for file in PLACES]:
        text = path.read_text(encoding="utf-8")
        path.write_text(renamed(text, old, match.groups()), encoding="utf-8", newline="\n")
    for path in [ROOT / name for name in book.notebooks(ROOT)]:
        notebook.write(notebook.read(path), path)
    return None


def renamed(text: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """The text with the new owner and name in each address, and with badges and citation where there is an address."""
    known = new != address.NOWHERE
    badges = BADGES.format(*new) if known else ""
    text = re.sub(r"(<!-- badges -->\n).*?(<!-- end of badges -->)", rf"\g<1>{badges}\g<2>", text, flags=re.DOTALL)
    if text.startswith("cff-version"):
        text = re.sub(r"^(repository-code|url): .*\n", "", text, flags=re.MULTILINE)
        text += CITED.format(*new) if known else ""
    return re.sub(re.escape("github.com/{}/{}".format(*old)) + r"(?![\w-])", "github.com/{}/{}".format(*new), text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
