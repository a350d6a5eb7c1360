"""The built book in a real browser, wide and narrow, light and dark: each page is loaded once and looked at often."""

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from helpers import assets
from tools import book

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [*book.documents(ROOT), "search", "genindex"]
LOOKS = [(1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")]
SETTLED = 400  # ms after which the theme has found out what has to scroll
LARGEST = 1_500_000  # bytes of one page with all that it loads, compressed
HEIGHT = 900
OPEN_CELLS, OPEN_SHARE = 15, 0.25  # of code that a chapter shows without being asked
SCRIPT = Path(__file__).with_name("look.js").read_text(encoding="utf-8")


@dataclass
class Visit:
    """What a browser met on one page; what it saw by width and colour scheme."""

    name: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    compressed: int = 0
    formulas: dict[str, list[str]] = field(default_factory=dict)
    seen: dict[tuple[int, str], dict] = field(default_factory=dict)
    barriers: list[str] = field(default_factory=list)  # met by axe, whose contrast look.js measures in less time


def listen(page: Page, visit: Visit) -> list:
    """Note requests and errors of a page; returns the list that will hold its responses."""
    responses = []
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("response", lambda response: responses.append(response))
    page.on("response", lambda each: visit.errors.append(f"{each.status} {each.url}") if each.status >= 400 else None)
    page.on("requestfailed", lambda request: visit.errors.append(f"{request.url}: {request.failure}"))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    return responses


def look(browser: Browser, address: str, name: str) -> Visit:
    """Visit a page with an empty cache, and look at it in every width and colour scheme."""
    visit = Visit(name)
    with browser.new_page(viewport={"width": 1280, "height": HEIGHT}, color_scheme="light") as page:
        responses = listen(page, visit)
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        visit.compressed = sum(len(gzip.compress(response.body())) for response in responses if response.ok)
        page.evaluate(SCRIPT)
        page.add_script_tag(path=assets.fetch("axe"))
        visit.formulas = page.evaluate("bookLook.formulas()")
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
            page.wait_for_timeout(SETTLED)
            visit.seen[width, scheme] = page.evaluate("bookLook.all()")
        visit.barriers = page.evaluate("bookLook.barriers(false)")
        if name == PAGES[0]:
            page.set_viewport_size({"width": 1280, "height": HEIGHT})
            page.wait_for_timeout(SETTLED)
            visit.barriers += page.evaluate("bookLook.barriers(true)")
    return visit


@pytest.fixture(scope="module", params=PAGES)
def visit(request, browser, address) -> Visit:
    return look(browser, address, request.param)


def test_nothing_comes_from_another_machine(visit):
    hosts = {urlsplit(url).hostname for url in visit.requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}


def test_the_browser_reports_no_error(visit):
    assert not visit.errors


def test_every_formula_is_drawn(visit):
    assert visit.formulas == {"plain": [], "wrong": []}


def test_a_page_is_light(visit):
    assert 1_000 < visit.compressed < LARGEST


@pytest.mark.parametrize("sight", LOOKS, ids=str)
def test_nothing_sticks_out_of_the_window_and_the_page_has_its_colours(visit, sight):
    seen = visit.seen[sight]
    assert seen["wide"] == []
    assert (seen["brightness"] > 0.5) == (sight[1] == "light")
    assert seen["faint"] == [], "letters of a figure stand out from the page"


def test_text_stands_out_from_its_ground(visit):
    assert not [(sight, seen["pale"]) for sight, seen in visit.seen.items() if seen["pale"]]


def test_no_barrier_keeps_anybody_from_reading(visit):
    assert not visit.barriers


def test_code_is_not_cut(visit):
    assert not visit.seen[1280, "light"]["cut"]


def test_open_code_is_a_small_part_of_a_chapter(visit):
    seen = visit.seen[1280, "light"]
    assert seen["cells"] <= OPEN_CELLS and seen["share"] <= OPEN_SHARE


def test_findings_stand_at_the_beginning_of_a_chapter(visit):
    if not visit.name.startswith("book/0") or not (ROOT / f"{visit.name}.ipynb").exists():  # a page for looking up
        return
    assert 0 < visit.seen[1280, "light"]["findings"] < 1.5 * HEIGHT


def test_figures_have_number_caption_and_words_for_those_who_cannot_see_them(visit):
    seen = visit.seen[1280, "light"]
    assert seen["unfinished"] == []
    assert not seen["images"]


def test_tables_have_no_index_and_no_nan(visit):
    seen = visit.seen[1280, "light"]
    assert seen["right"] == [], "text stands at the left"
    assert not seen["raw"] and not seen["nan"]


@pytest.mark.parametrize("query", ["perplexity", "CRF", "out of memory"])
def test_search_finds(browser, address, query):
    with browser.new_page() as page:
        page.goto(f"{address}/search.html?q={query.replace(' ', '+')}")
        page.wait_for_selector("#search-results li a")


def test_the_first_address_leads_to_the_first_page(browser, address):
    with browser.new_page() as page:
        page.goto(address)
        page.wait_for_url(f"{address}/book/index.html")
