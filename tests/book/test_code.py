"""Code on a page: numbers of its bugs in the margin, and a quiz that answers every line once."""

import re

import pytest
from bs4 import BeautifulSoup

from helpers.book import listing
from helpers.book.widgets import code
from helpers.errors import InputError

LISTING = list(zip(listing.parts(), listing.parts(listing.BUGS), strict=True))


def soup(page) -> BeautifulSoup:
    # Beautiful Soup keeps spaces between tags in <pre> alone.
    return BeautifulSoup(f"<pre>{page.data}</pre>", "html.parser")


@pytest.mark.parametrize("side", [0, 1])
def test_the_code_on_the_page_is_the_code_that_runs_without_its_marks(side):
    shown = soup(code.pair(("left", "right"), LISTING))
    parts = [part for part in shown.select(".part:not(.head)") if ("right" in part["class"]) == bool(side)]
    lines = [line.select("span")[1].get_text() for part in parts for line in part.select(".line")]
    wanted = [re.sub(r"\s*# bugs? [\d, ]+$", "", line) for both in LISTING for line in both[side].splitlines()]
    assert lines == wanted


def test_a_mark_stands_in_the_margin_and_is_read_aloud():
    shown = soup(code.pair(("a", "b"), [("x = 1  # bugs 2, 5\ny = 2", "x = 3")]))
    marks = [(mark.get_text(), mark.get("aria-label")) for mark in shown.select(".bug")]
    assert marks == [("2,5", "bug 2,5"), ("", None), ("", None)]


def test_a_quiz_opens_each_line_to_its_answer():
    shown = soup(code.spot("for x in y:\n    z = x\n", {2: "z is never <used>"}, {1: "a loop"}))
    lines = shown.select("details")
    assert [line.find("summary").get_text() for line in lines] == ["for x in y:", "    z = x"]
    assert [line.find("p").get_text() for line in lines] == ["Right. a loop", "A bug. z is never <used>"]


@pytest.mark.parametrize(("bugs", "why"), [({1: "a"}, {}), ({1: "a"}, {1: "b", 2: "c"}), ({1: "a"}, {3: "b"})])
def test_a_line_without_an_answer_or_with_two_is_refused(bugs, why):
    with pytest.raises(InputError, match="2 lines need one answer each"):
        code.spot("a = 1\nb = 2", bugs, why)
