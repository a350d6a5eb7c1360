"""What is done to the built pages: MathJax beside them, lighter icons, numbered figures, marks of checked sentences."""

import re
import shutil
from pathlib import Path

ICON_SCRIPT = re.compile(r"<script [^>]*/fontawesome\.js[^>]*></script>")
FIGURE = re.compile(r'<figure class="book-figure" id="fig-([a-z0-9-]+)">')
REFERENCE = re.compile(r'(<a [^>]*href="#fig-([a-z0-9-]+)"[^>]*>)(.*?)(</a>)', re.DOTALL)
CHECK = re.compile(
    r'(<div class="cell [^"]*tag_claim[^"]*">\s*<details[^>]*>\s*<summary)[^>]*>.*?(</summary>)', re.DOTALL
)


class PageError(Exception):
    """A page that cannot be finished, in one sentence."""


def finish(pages: Path) -> None:
    """Finish every page of a built book. Raises PageError for a reference to a figure that is not there."""
    for page in pages.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        try:
            finished = marked(numbered(ICON_SCRIPT.sub("", text)))  # the fonts draw the icons as well, without 540 kB
        except PageError as error:
            raise PageError(f"{page.relative_to(pages)}: {error}") from None
        page.write_text(finished, encoding="utf-8")


def add_mathjax(static: Path) -> None:
    """Put MathJax beside the pages, so that no page asks another machine for it."""
    from helpers import assets

    shutil.copytree(assets.fetch("mathjax"), static / "mathjax", dirs_exist_ok=True)


def numbered(text: str) -> str:
    """A page whose figures are numbered in their order, and whose links to them say the number."""
    names = FIGURE.findall(text)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PageError(f"two figures have the name '{twice[0]}'; give each its own")
    number = {name: f"Figure {position}" for position, name in enumerate(names, 1)}
    for name, title in number.items():
        begin = text.index(f'<figure class="book-figure" id="fig-{name}">')
        end = text.index("</figure>", begin)
        label = text[begin:end].replace('<span class="number">Figure</span>', f'<span class="number">{title}</span>')
        text = text[:begin] + label + text[end:]

    def link(found: re.Match) -> str:
        opening, name, _, closing = found.groups()
        if name not in number:
            raise PageError(f"a link leads to the figure '{name}', which is not there; it has {', '.join(names)}")
        return f"{opening}{number[name]}{closing}"

    return REFERENCE.sub(link, text)


def marked(text: str) -> str:
    """A page on which the folded code of a sentence is a small mark, "checked", that opens it."""
    return CHECK.sub(r'\1 aria-label="Show how this sentence is checked">checked\2', text)
