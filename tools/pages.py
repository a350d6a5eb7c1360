"""What is done to the built pages: MathJax beside them, lighter icons, numbered figures, marks, old addresses."""

import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from html import escape, unescape
from os.path import relpath
from pathlib import Path

from helpers.book.widgets import classifier
from tools import address, page_model, tabs

# Where pages that were renamed or cut in parts stand today, below book/: links from elsewhere still arrive.
REDIRECTS: dict[str, str] = {
    "04-mathematics/markov-loss": "04-mathematics/crf",
    "05-project/repairing-the-listing": "05-project/eight-bugs",
}

ZIP = "supervised-fine-tuning.zip"
ICON_SCRIPT = re.compile(r"<script [^>]*/fontawesome\.js[^>]*></script>")
FIGURE = re.compile(r'<figure class="book-figure" id="fig-([a-z0-9-]+)">')
REFERENCE = re.compile(r'(<a [^>]*href="#fig-([a-z0-9-]+)"[^>]*>)(.*?)(</a>)', re.DOTALL)
CHECK = re.compile(
    r'(<div class="cell [^"]*tag_claim[^"]*">\s*<details[^>]*>\s*<summary)[^>]*>.*?(</summary>)', re.DOTALL
)
# A folded cell that shows nothing outside its fold, and how the folded cell of the same kind that follows it begins.
NEIGHBOURS = re.compile(
    r'(<div class="(cell tag_hide-(?:input|cell) docutils container)">(?:(?!</details>).)*?)</details>\s*</div>\s*'
    r'<div class="\2">\s*<details[^>]*>\s*<summary.*?</summary>',
    re.DOTALL,
)
COLAB = re.compile(r"(https://colab\.research\.google\.com/github/[^\"]+/blob/)main/")
# What a page is for: its first bold sentence, or else its first paragraph.
PURPOSE = re.compile(r"</h1>.*?<p><strong>(.*?)</strong>", re.DOTALL), re.compile(r"</h1>.*?<p>(.*?)</p>", re.DOTALL)
MOVED = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>This page has moved</title>
<meta name="robots" content="noindex">
<link rel="canonical" href="{way}">
<meta http-equiv="refresh" content="1; url={way}">
<script>location.replace("{way}" + location.hash);</script>
</head>
<body><p>This page has moved to <a href="{way}">{way}</a>.</p></body>
</html>
"""


class PageError(Exception):
    """A page that cannot be finished, in one sentence."""


def finish(pages: Path) -> None:
    """Finish every page of a built book. Raises PageError for a reference to a figure that is not there."""
    for page in pages.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        try:
            finished = tabs.tabbed(ICON_SCRIPT.sub("", text))  # the fonts draw the icons as well, without 540 kB
            finished = joined(marked(numbered(finished)))
            finished = finished.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
            finished = described(COLAB.sub(rf"\g<1>{address.BRANCH}/", finished))
        except (PageError, tabs.TabError) as error:
            raise PageError(f"{page.relative_to(pages)}: {error}") from None
        page.write_text(finished, encoding="utf-8")


def described(text: str) -> str:
    """A page that says in its head what it is for, to search machines and to those who share a link to it."""
    text = re.sub(r"<title>(.+?) (&#8212;|—) \1</title>", r"<title>\1</title>", text)
    found = PURPOSE[0].search(text) or PURPOSE[1].search(text)
    if not found:
        return text
    purpose = escape(unescape(" ".join(re.sub("<[^>]+>", "", found[1]).split())))
    title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)[1].strip()
    head = (
        f'<meta name="description" content="{purpose}">\n<meta property="og:title" content="{title}">\n'
        f'<meta property="og:description" content="{purpose}">\n'
    )
    return text.replace("</head>", f"{head}</head>", 1)


def sitemap(pages: Path, names: Iterable[str], base: str) -> None:
    """List the pages for search machines; nothing without an address, which the list needs."""
    if base:
        addresses = "".join(f"<url><loc>{base}{name}.html</loc></url>\n" for name in names)
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        listed = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">\n{addresses}</urlset>\n'
        (pages / "sitemap.xml").write_text(listed, encoding="utf-8")


def packed(pages: Path) -> Path:
    """The whole book as one ZIP beside its pages, to be read without a network, and without the link to itself."""
    path, model = pages / ZIP, pages / "_static" / classifier.FOLDER
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(pages.rglob("*")):
            name = f"{path.stem}/{file.relative_to(pages).as_posix()}"
            if file.suffix == ".html":
                text = re.sub(
                    r'<a [^>]*class="whole-book".*?</a>', "this book", file.read_text("utf-8"), flags=re.DOTALL
                )
                archive.writestr(name, text)
            elif file.is_file() and file != path and file.name != ".buildinfo" and file.parent != model:
                archive.write(file, name)
        if model.is_dir():
            page_model.pack(archive, path.stem, model)
    return path


def redirect(pages: Path, moved: Mapping[str, str] = REDIRECTS) -> None:
    """Put a small page at each old address that leads to the new one, anchor and all.

    Raises PageError where the new page does not exist, or the old one still does.
    """
    for old, new in moved.items():
        source, target = pages / "book" / f"{old}.html", pages / "book" / f"{new}.html"
        if not target.exists():
            raise PageError(f"the old address {old} leads to {new}, which is no page of the book")
        if source.exists():
            raise PageError(f"{old} leads to {new}, but is a page itself; take it out of REDIRECTS")
        source.parent.mkdir(parents=True, exist_ok=True)
        way = Path(relpath(target, source.parent)).as_posix()
        source.write_text(MOVED.format(way=way), encoding="utf-8")


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


def joined(text: str) -> str:
    """A page on which folded cells that follow one another, with nothing shown between them, open as one."""
    while NEIGHBOURS.search(text):
        text = NEIGHBOURS.sub(r"\1", text)
    return text
