"""What is done to the built pages: numbers of figures, links to them, marks of checked sentences, icons."""

import re
import zipfile
from pathlib import Path

import pytest

from helpers.book.widgets import classifier
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


def test_folded_cells_in_a_row_open_as_one_up_to_the_first_that_shows_something():
    begin = '<div class="cell tag_hide-input docutils container">\n<details class="hide">\n<summary>code</summary>\n'
    silent = begin + '<div class="cell_input">{}</div>\n</details>\n</div>\n'
    loud = begin + '<div class="cell_input">{}</div>\n</details>\n<div class="cell_output">shown</div>\n</div>\n'
    answer = silent.replace("tag_hide-input", "tag_hide-cell")
    said = silent.replace("tag_hide-input", "tag_hide-input tag_claim")

    def opened(*cells: str) -> list[list[str]]:
        text = pages.joined("".join(cell.format(number) for number, cell in enumerate(cells)))
        assert text.count("<div") == text.count("</div>")
        return [re.findall(r'_input">(\d)', part) for part in re.findall(r"<details.*?</details>", text, re.DOTALL)]

    assert opened(silent, silent, silent, loud, silent, loud) == [["0", "1", "2", "3"], ["4", "5"]]
    assert opened(silent, "<p>words</p>", silent) == [["0"], ["2"]]
    assert opened(answer, silent, said, silent) == [["0"], ["1"], ["2"], ["3"]]
    assert opened(answer, answer, silent) == [["0", "1"], ["2"]]


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


def test_a_page_says_what_it_is_for_and_its_title_once():
    body = "<h1>A</h1><p>Small.</p><p><strong>You can <em>see</em> &amp; do.</strong>"
    text = f"<head><title>A &#8212; A</title></head>{body}"
    done = pages.described(text)
    assert "<title>A</title>" in done and '<meta name="description" content="You can see &amp; do.">' in done
    assert 'name="description" content="Small."' in pages.described("<title>A</title></head><h1>A</h1><p>Small.</p>")


def test_colab_opens_the_branch_that_carries_the_address_and_the_source_stays_on_main(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="https://colab.research.google.com/github/a/b/blob/main/book/x.ipynb"><a href="https://github.com/a/b/edit/main/x">',
        encoding="utf-8",
    )
    pages.finish(tmp_path)
    done = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "/a/b/blob/colab/book/x.ipynb" in done and "/edit/main/x" in done


def test_a_sitemap_needs_an_address(tmp_path):
    pages.sitemap(tmp_path, ["book/index"], "")
    assert not (tmp_path / "sitemap.xml").exists()
    pages.sitemap(tmp_path, ["book/index", "book/a"], "https://a.github.io/b/")
    assert "<loc>https://a.github.io/b/book/a.html</loc>" in (tmp_path / "sitemap.xml").read_text(encoding="utf-8")


def test_the_zip_holds_every_file_once_and_no_link_to_itself(built):
    link = '<p>Take <a class="whole-book" href="../x.zip">the ZIP</a>.</p>'
    (built / "book" / "index.html").write_text(link, encoding="utf-8")
    pages.packed(built)
    with zipfile.ZipFile(pages.packed(built)) as archive:
        folder = pages.ZIP.removesuffix(".zip")
        assert set(archive.namelist()) == {f"{folder}/book/index.html", f"{folder}/book/part/new.html"}
        assert archive.read(f"{folder}/book/index.html").decode() == "<p>Take this book.</p>"


def test_the_zip_holds_the_model_as_one_script(built):
    model = built / "_static" / classifier.FOLDER
    model.mkdir(parents=True)
    for name in classifier.FILES:
        (model / name).write_bytes(name.encode() + bytes([0, 255]))
    (model / classifier.OFFLINE).write_text("the script")
    with zipfile.ZipFile(pages.packed(built)) as archive:
        inside = f"{pages.ZIP.removesuffix('.zip')}/_static/{classifier.FOLDER}/"
        assert [name for name in archive.namelist() if name.startswith(inside)] == [inside + classifier.OFFLINE]
        assert archive.read(inside + classifier.OFFLINE) == b"the script"
