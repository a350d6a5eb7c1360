"""Who names another page of the book links to it."""

import re
from pathlib import Path

import pytest

from tools import book, front

ROOT = Path(__file__).resolve().parents[2]
PAGES = [name.removeprefix("book/") for name in book.documents(ROOT)]
# Chapters that begin with their findings, and what is written in Markdown; the others await their new form.
FINISHED = [
    name
    for name in PAGES
    if (path := front.source(ROOT, name)).suffix == ".md" or "notebook.findings(" in path.read_text(encoding="utf-8")
]
LINK = re.compile(r"!?\[[^\]]*\]\([^)]*\)|```.*?```|`[^`]*`|<a .*?</a>", re.DOTALL)


def titles() -> dict[str, str]:
    """The titles that no sentence has by accident: of three words and more, or said to be a chapter's."""
    said = {name: re.sub(r"^(Project|Appendix): ", "", front.title(ROOT, name)).partition(":")[0] for name in PAGES}
    return {name: title for name, title in said.items() if len(title.split()) > 2}


def mentions(text: str, own: str) -> list[str]:
    """Names of other pages in a text that stand outside its links."""
    plain = " ".join(LINK.sub(" ", re.sub(r"^#.*$", "", text, flags=re.MULTILINE)).split())
    found = [title for name, title in titles().items() if name != own and re.search(rf"\b{re.escape(title)}\b", plain)]
    return found + re.findall(r"\b(?:[Cc]hapter|[Pp]age)s? (?:on )?[*_][A-Z][^*_]*[*_]", plain)


def test_a_name_in_a_link_is_none_and_one_beside_it_is():
    text = "# The five steps\nSee [the five steps](x), `The five steps`, [Eight bugs in a training script](y)."
    assert mentions(text, "index") == []
    assert mentions("As Eight bugs in a training script shows.", "index") == ["Eight bugs in a training script"]
    assert mentions("As the chapter *Attention* shows, and chapter one.", "index") == ["chapter *Attention*"]


@pytest.mark.parametrize("name", FINISHED)
def test_every_mention_of_another_page_is_a_link(name):
    assert mentions(front.prose(ROOT, name), name) == []
