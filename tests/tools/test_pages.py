"""What is done to the built pages: numbers of figures, links to them, marks of checked sentences, icons."""

from pathlib import Path

import pytest

from tools import book, pages

ROOT = Path(__file__).resolve().parents[2]

CLAIM = """<div class="cell tag_hide-input tag_claim docutils container">
<details class="admonition hide above-input">
<summary aria-label="Toggle hidden content">
<p class="collapsed admonition-title">Show the code</p>
</summary>
<div class="cell_input">assert</div></details>"""


def figure(name: str) -> str:
    caption = '<figcaption><span class="number">Figure</span>. x</figcaption>'
    return f'<figure class="book-figure" id="fig-{name}">{caption}</figure>'


def test_figures_are_numbered_in_their_order_and_links_say_the_number():
    text = (
        f'<p><a href="#fig-late">Figure</a></p>{figure("early")}{figure("late")}<a class="x" href="#fig-early">that</a>'
    )
    done = pages.numbered(text)
    assert '<a href="#fig-late">Figure 2</a>' in done and '<a class="x" href="#fig-early">Figure 1</a>' in done
    assert done.index("Figure 1</span>") < done.index("Figure 2</span>")
    assert done.count("Figure 1</span>") == done.count("Figure 2</span>") == 1


def test_a_link_to_a_figure_that_is_not_there_is_named_with_its_page(tmp_path):
    (tmp_path / "a.html").write_text(f'{figure("one")}<a href="#fig-two">Figure</a>', encoding="utf-8")
    with pytest.raises(pages.PageError, match=r"a\.html: a link leads to the figure 'two', which is not there"):
        pages.finish(tmp_path)


def test_two_figures_of_one_name_are_refused():
    with pytest.raises(pages.PageError, match="two figures have the name 'one'"):
        pages.numbered(figure("one") * 2)


def test_the_code_of_a_sentence_folds_behind_a_mark_and_other_code_behind_its_own_words():
    other = CLAIM.replace(" tag_claim", "")
    done = pages.marked(CLAIM + other)
    assert done.count(">checked</summary>") == 1 and done.count("Show the code") == 1
    assert 'aria-label="Show how this sentence is checked"' in done


def test_icons_come_from_the_fonts_alone(tmp_path):
    page = tmp_path / "a" / "page.html"
    page.parent.mkdir()
    page.write_text('<a><script defer src="../_static/scripts/fontawesome.js?digest=1"></script><b>', encoding="utf-8")
    pages.finish(tmp_path)
    assert page.read_text(encoding="utf-8") == "<a><b>"


@pytest.fixture
def built(tmp_path):
    (tmp_path / "book" / "part").mkdir(parents=True)
    (tmp_path / "book" / "part" / "new.html").write_text("new", encoding="utf-8")
    return tmp_path


def test_an_old_address_leads_to_the_page_that_stands_for_it_now(built):
    pages.redirect(built, {"part/old": "part/new", "older": "part/new"})
    assert 'href="new.html"' in (built / "book" / "part" / "old.html").read_text(encoding="utf-8")
    older = (built / "book" / "older.html").read_text(encoding="utf-8")
    assert '<link rel="canonical" href="part/new.html">' in older and "url=part/new.html" in older


def test_an_old_address_needs_a_new_page_and_hides_none(built):
    with pytest.raises(pages.PageError, match="part/old leads to part/gone, which is no page"):
        pages.redirect(built, {"part/old": "part/gone"})
    with pytest.raises(pages.PageError, match="is a page itself"):
        pages.redirect(built, {"part/new": "part/new"})


def test_every_old_address_leads_to_a_page_of_today():
    today = {name.removeprefix("book/") for name in book.documents(ROOT)}
    assert set(pages.REDIRECTS.values()) <= today
    assert not set(pages.REDIRECTS) & today
