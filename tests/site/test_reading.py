"""Reading the built book: what a link shows before one follows it, and the whole book as one ZIP without any server."""

import zipfile

import pytest

from tools import pages


@pytest.fixture
def opened(browser):
    with browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        page.set_default_timeout(120_000)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        # A page that is left before all of it has come aborts the rest, which is no fault.
        page.on("requestfailed", lambda each: wrong.append(each.url) if "ABORTED" not in each.failure else None)
        page.wrong = wrong
        yield page
        assert not wrong


def test_a_term_is_explained_while_it_is_pointed_at_or_has_the_focus(opened, address):
    opened.goto(f"{address}/book/05-project/text-classification.html")
    box, term = opened.locator("#preview"), opened.locator("article a.term").first
    assert box.is_hidden()
    term.hover()
    assert box.inner_text() == term.get_attribute("data-preview")
    assert term.get_attribute("aria-describedby") == "preview"
    box.hover()
    opened.wait_for_timeout(400)
    assert box.is_visible(), "one can go into the box and read"
    opened.keyboard.press("Escape")
    assert box.is_hidden()
    opened.locator("article a.term").nth(1).focus()
    assert box.is_visible()
    target = opened.locator("article a.term").nth(1).get_attribute("href")
    opened.keyboard.press("Enter")
    opened.wait_for_url(f"**/appendix/glossary.html#{target.partition('#')[2]}")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_link_to_a_figure_shows_it_and_stays_in_the_window(opened, address, width):
    opened.set_viewport_size({"width": width, "height": 900})
    opened.goto(f"{address}/book/05-project/text-classification.html", wait_until="networkidle")
    link = opened.locator("article a[href^='#fig-']").first
    link.scroll_into_view_if_needed()
    opened.wait_for_timeout(300)
    link.focus()
    assert opened.locator("#preview svg:visible").count() == 1
    place = opened.locator("#preview").bounding_box()
    assert place["x"] >= 0 and place["x"] + place["width"] <= width
    assert opened.evaluate("document.querySelectorAll('#preview [id]:not(svg *)').length") == 0


def test_the_zip_opens_without_a_server(opened, site, tmp_path):
    with zipfile.ZipFile(site / pages.ZIP) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / pages.ZIP.removesuffix(".zip")
    opened.goto((folder / "index.html").as_uri())
    opened.wait_for_url("**/book/index.html")
    assert opened.locator("a.whole-book").count() == 0
    opened.locator("a", has_text="Start reading").click()
    opened.wait_for_url("**/book/01-background.html")
    opened.goto((folder / "book" / "04-mathematics" / "loss.html").as_uri())
    opened.wait_for_selector(".math mjx-container")
    assert opened.wrong == []
    opened.goto((folder / "search.html").as_uri() + "?q=perplexity")
    opened.wait_for_selector("#search-results li a")
    opened.wrong.clear()  # a browser shows no excerpts of files: what is found, and links to it, is what counts
