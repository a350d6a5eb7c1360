"""The built book in a real browser: nothing from elsewhere, no error, formulas drawn, readable on a phone."""

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tools import book

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [f"{name}.html" for name in book.documents(ROOT)] + ["search.html", "genindex.html"]
WIDTHS = (1280, 400)
LARGEST = 1_500_000  # bytes of one page with all that it loads, compressed
TYPESET = """async () => {
    if (window.MathJax?.startup) await window.MathJax.startup.promise;
    const formulas = [...document.querySelectorAll('.math')];
    return {
        plain: formulas.filter(node => !node.querySelector('mjx-container')).map(node => node.textContent),
        wrong: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(node => node.textContent),
    };
}"""
# What sticks out of the window without a box of its own to scroll in.
TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth;
    const scrolls = node => ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(node).overflowX);
    const boxed = node => node.matches('article') ? false : scrolls(node) || boxed(node.parentElement);
    const wide = [...document.querySelectorAll('article *')]
        .filter(node => node.getBoundingClientRect().right > width + 1 && !boxed(node.parentElement) && !scrolls(node))
        .map(node => `${node.tagName} ${node.className}`);
    const page = document.documentElement.scrollWidth;
    return page > width ? [`the page: ${page}`, ...wide] : wide;
}"""


@dataclass
class Visit:
    """What a browser met on one page."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    compressed: int = 0
    plain_formulas: list[str] = field(default_factory=list)
    wrong_formulas: list[str] = field(default_factory=list)
    too_wide: dict[int, list[str]] = field(default_factory=dict)


def listen(page: Page, visit: Visit) -> list:
    """Note requests and errors of a page; returns the list that will hold its responses."""
    responses = []
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("response", lambda response: responses.append(response))
    page.on("requestfailed", lambda request: visit.errors.append(f"{request.url}: {request.failure}"))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    return responses


def look(browser: Browser, url: str) -> Visit:
    """Visit a page with an empty cache, wide and narrow."""
    visit = Visit()
    with browser.new_page(viewport={"width": WIDTHS[0], "height": 900}) as page:
        responses = listen(page, visit)
        page.goto(url, wait_until="networkidle")
        typeset = page.evaluate(TYPESET)
        visit.plain_formulas, visit.wrong_formulas = typeset["plain"], typeset["wrong"]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(200)
            visit.too_wide[width] = page.evaluate(TOO_WIDE)
        visit.compressed = sum(len(gzip.compress(response.body())) for response in responses if response.ok)
    return visit


@pytest.fixture(scope="module", params=PAGES)
def visit(request, browser, address) -> Visit:
    return look(browser, f"{address}/{request.param}")


def test_nothing_comes_from_another_machine(visit):
    hosts = {urlsplit(url).hostname for url in visit.requests if not url.startswith("data:")}
    assert hosts == {"127.0.0.1"}


def test_the_browser_reports_no_error(visit):
    assert not visit.errors


def test_every_formula_is_drawn(visit):
    assert not visit.plain_formulas
    assert not visit.wrong_formulas


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_of_the_window(visit, width):
    assert not visit.too_wide[width]


def test_a_page_is_light(visit):
    assert 1_000 < visit.compressed < LARGEST


def test_search_finds_a_word_of_the_first_page(browser, address):
    with browser.new_page() as page:
        page.goto(f"{address}/search.html?q=pretrained")
        page.wait_for_selector('#search-results li a[href^="book/index.html"]')


def test_the_first_address_leads_to_the_first_page(browser, address):
    with browser.new_page() as page:
        page.goto(address)
        page.wait_for_url(f"{address}/book/index.html")
