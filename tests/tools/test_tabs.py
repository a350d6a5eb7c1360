"""Tabs of a page: two neighbouring cells, whole, in their order; a cell alone is told."""

import pytest
from bs4 import BeautifulSoup

from tools import tabs


def cell(tag: str, inside: str) -> str:
    return f'<div class="cell tag_{tag} docutils container"><div class="x"><div>{inside}</div></div></div>'


PAIR = f"{cell('tab-plain', 'a &lt;div')}\n{cell('tab-helpers', 'b')}"


def test_each_pair_becomes_tabs_of_its_own_and_nothing_else_changes():
    page = tabs.tabbed(f"<p>before</p>{PAIR}<p>between</p>{PAIR}<p>after</p>")
    soup = BeautifulSoup(page, "html.parser")
    sets = soup.select(".sd-tab-set")
    assert [each.get_text(strip=True) for each in soup.select("p")] == ["before", "between", "after"]
    assert len(sets) == 2
    for each in sets:
        assert [label.get_text() for label in each.select("label")] == list(tabs.TABS.values())
        assert [content.get_text() for content in each.select(".sd-tab-content")] == ["a <div", "b"]
        assert [box.has_attr("checked") for box in each.select("input")] == [True, False]
    ids = [box["id"] for box in soup.select("input")]
    assert len(set(ids)) == 4 and [label["for"] for label in soup.select("label")] == ids
    assert len({box["name"] for box in soup.select("input")}) == 2, "a choice in one set leaves the other alone"


def test_a_page_without_tabs_stays_as_it_is():
    page = f"<p>x</p>{cell('hide-input', 'y')}"
    assert tabs.tabbed(page) == page


@pytest.mark.parametrize(
    "page",
    [cell("tab-plain", "a"), cell("tab-helpers", "b"), f"{cell('tab-plain', 'a')}<p>x</p>{cell('tab-helpers', 'b')}"],
)
def test_a_cell_without_its_neighbour_is_told(page):
    with pytest.raises(tabs.TabError, match="set 1 of tabs lacks a cell with the tag tab-"):
        tabs.tabbed(page)
