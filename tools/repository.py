"""Write the address of the public repository to every place that names it.

    python -m tools.repository https://github.com/OWNER/REPO        (or: make repository URL=...)

pyproject.toml holds the address; the first cell of each notebook, the book's buttons, the badges and the citation
repeat it. This moves them all together, so running it again changes nothing.
"""

import re
import sys
from pathlib import Path

from tools import book, notebook

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "_config.yml", "book/index.md", "pyproject.toml")
ADDRESS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


def main(arguments: list[str]) -> str | None:
    if len(arguments) != 1 or not (match := ADDRESS.fullmatch(arguments[0])):
        address = " ".join(arguments) or "nothing"
        return f"the address must look like https://github.com/OWNER/REPO, not {address}; make repository URL=..."
    old = ADDRESS.fullmatch(notebook.repository()).groups()
    # pyproject.toml is the last of the places: an interrupted run still knows the old address and can be repeated.
    for path in [ROOT / file for file in PLACES]:
        text = path.read_text(encoding="utf-8")
        path.write_text(renamed(text, old, match.groups()), encoding="utf-8", newline="\n")
    for path in [ROOT / name for name in book.notebooks(ROOT)]:
        notebook.write(notebook.read(path), path)
    return None


def renamed(text: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """The text with the new owner and name in each address of the repository and of its published book."""
    for form in ("github.com/{}/{}", "/github/{}/{}", "{}.github.io/{}"):
        text = re.sub(re.escape(form.format(*old)) + r"(?![\w-])", form.format(*new), text)
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
