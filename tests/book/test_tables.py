"""Tables of a page: text at the left, numbers at the right, nothing that is not a number, and what is asked for."""

import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from helpers.book import tables
from helpers.errors import InputError

FRAME = pd.DataFrame(
    {"system": ["frozen", "<b>", "tuned"], "rows": [1500, 2, 30], "accuracy": [0.51234, np.nan, 0.7]},
    index=["x", "y", "z"],
)
COLUMNS = {"system": "System", "rows": "Rows", "accuracy": "Accuracy"}


def read(table: tables.PageTable) -> tuple[list[str], list[list[str]]]:
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    cells = [[cell.text for cell in row.find_all("td")] for row in soup.find_all("tr")[1:]]
    return [heading.text for heading in soup.find_all("th")], cells


def test_headings_digits_and_gaps():
    headings, cells = read(tables.show(FRAME, COLUMNS, title="t", digits=2))
    assert headings == ["System", "Rows", "Accuracy"]
    assert cells == [["frozen", "1,500", "0.51"], ["<b>", "2", ""], ["tuned", "30", "0.70"]]


def test_a_table_is_sorted_by_what_the_reader_looks_for():
    _, cells = read(tables.show(FRAME, COLUMNS, title="t", sort="rows"))
    assert [row[1] for row in cells] == ["1,500", "30", "2"]
    _, cells = read(tables.show(FRAME, COLUMNS, title="t", sort="rows", largest_first=False))
    assert [row[1] for row in cells] == ["2", "30", "1,500"]


def test_numbers_stand_at_the_right_and_text_at_the_left():
    soup = BeautifulSoup(tables.show(FRAME, COLUMNS, title="t").html, "html.parser")
    for row in soup.find_all("tr"):
        assert [("number" in cell.get("class", [])) for cell in row.find_all(["th", "td"])] == [False, True, True]


def test_the_title_stands_outside_of_what_scrolls_and_names_it():
    soup = BeautifulSoup(tables.show(FRAME, COLUMNS, title="Scores & <n>").html, "html.parser")
    (title,), (scroller,) = soup.select(".book-table > .title"), soup.select("[tabindex]")
    assert title.text == scroller["aria-label"] == "Scores & <n>"
    assert scroller.find("table") and title not in scroller.descendants and "Scores" not in scroller.text
    scrolling = re.findall(r"([^{}]+)\{[^{}]*overflow-x:auto", soup.style.text)
    assert [soup.select(selector) for selector in scrolling] == [[scroller]]


def test_no_index_and_no_column_that_was_not_asked_for():
    html = tables.show(FRAME, {"rows": "Rows"}, title="t").html
    assert not re.search(r">[xyz]<|tuned", html)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (float("nan"), ""), (pd.NA, ""), (True, "yes"), (12345, "12,345"), (np.int64(7), "7"),
     (0.5, "0.500"), (-1234.5, "\u22121,234.500"), ("a & b", "a &amp; b"), (np.float32(0.25), "0.250")],
)  # fmt: skip
def test_a_value_is_written_for_a_reader(value, text):
    assert tables.cell(value) == text


def test_a_rate_and_a_score_with_a_hyphen_stay_on_one_line():
    assert tables.cell("at 2e-5, 3 passes") == 'at <span class="whole">2e-5</span>, 3 passes'
    assert tables.cell("ROUGE-L of a-b") == '<span class="whole">ROUGE-L</span> of a-b'


def test_a_column_that_is_missing_is_one_sentence():
    with pytest.raises(InputError, match="no column 'f1'; it has system, rows, accuracy"):
        tables.show(FRAME, {"f1": "F1"}, title="t")
