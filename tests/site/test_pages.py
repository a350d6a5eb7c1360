"""The built pages as files: links, images, sources of scripts, and the outputs that they show."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from tools import address, book

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = book.notebooks(ROOT)
LOADED = {"script": "src", "img": "src", "iframe": "src", "video": "src", "audio": "src", "source": "src"}


@dataclass
class Page(HTMLParser):
    """What the checks need of one page: its anchors, links, images and what it loads by itself."""

    file: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    purpose: str = ""

    def __post_init__(self):
        super().__init__()
        self.feed(self.file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.anchors |= {attributes[name] for name in ("id", "name") if name in attributes}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "link" and attributes.get("rel") in ("stylesheet", "preload", "icon", "shortcut icon"):
            self.loads.append(attributes["href"])
        if attributes.get(LOADED.get(tag, "")):
            self.loads.append(attributes[LOADED[tag]])
        if tag == "meta" and attributes.get("name") == "description":
            self.purpose = attributes["content"]
        if tag == "img":
            self.images.append(attributes)


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    files = [file for file in site.rglob("*.html") if "_static" not in file.parts]
    return {file: Page(file) for file in files}


def is_internal(link: str) -> bool:
    parts = urlsplit(link)
    return not parts.scheme and not parts.netloc


def broken(page: Page, link: str, site: Path, pages: dict[Path, Page]) -> str:
    """What is wrong with an internal link: a missing file, a missing anchor, or nothing."""
    parts = urlsplit(link)
    target = (page.file.parent / unquote(parts.path)).resolve() if parts.path else page.file
    target = target / "index.html" if target.is_dir() else target
    if not target.is_relative_to(site.resolve()) or not target.exists():
        return f"{link}: no such file"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return f"{link}: no such anchor"
    return ""


def test_every_internal_link_leads_somewhere(site, pages):
    links = {(page.file, link) for page in pages.values() for link in page.links + page.loads if is_internal(link)}
    links -= {(file, link) for file, link in links if link in ("", "#")}
    assert len(links) > 20
    found = {(file.relative_to(site).as_posix(), broken(pages[file], link, site, pages)) for file, link in links}
    assert not [pair for pair in found if pair[1]]


def test_every_page_of_the_contents_is_built(site):
    assert not [name for name in book.documents(ROOT) if not (site / f"{name}.html").exists()]


def test_no_page_loads_anything_from_elsewhere(pages):
    assert not {link for page in pages.values() for link in page.loads if not is_internal(link) and "data:" not in link}


def test_every_image_says_what_it_shows(pages):
    for page in pages.values():
        for image in page.images:
            text = image.get("alt", "")
            # Sphinx puts the name of the file where an author gave no text.
            named = text and not text.endswith((".png", ".svg", ".jpg"))
            assert named, f"{page.file}: {image['src']} needs an alt text"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_page_opens_the_right_notebook_in_colab(name, site, pages):
    page, url = pages[site / Path(name).with_suffix(".html")], address.colab(ROOT, name)
    assert {link for link in page.links if "colab.research" in link} == ({url} if url else set())


def test_pages_link_to_the_repository_where_there_is_one_and_to_no_placeholder(pages):
    url = address.repository(ROOT)
    for page in pages.values():
        if "/book/" in page.file.as_posix() and page.purpose:
            assert (url in page.links) == bool(url), page.file
            assert any(link.startswith(f"{url}/edit/main/book/") for link in page.links) == bool(url), page.file
        assert not [link for link in page.links if "OWNER" in link or "REPO" in link], page.file


def test_every_page_of_the_contents_says_what_it_is_for(pages, site):
    said = {name: pages[site / f"{name}.html"].purpose for name in book.documents(ROOT)}
    assert not [name for name, text in said.items() if not 20 < len(text) < 400]
    assert len(set(said.values())) == len(said)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_executed_notebook_is_whole_and_quiet(name):
    """Every code cell ran, nothing was left on standard error, and errors are only where the author expects them."""
    cells = nbformat.read(ROOT / "executed" / name, as_version=4).cells
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        assert cell.execution_count, cell.source
        assert not [output.text for output in cell.outputs if output.get("name") == "stderr"], cell.source
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert not failed or "raises-exception" in cell.metadata.get("tags", []), cell.source
