"""Terms: each stands once in the glossary, and its first use on a page leads there; links say what they lead to."""

import re
from pathlib import Path

from tools import terms

ROOT = Path(__file__).resolve().parents[2]
TERMS = {
    "token": terms.Term("term-token", 'A piece & a "part"'),
    "special token": terms.Term("term-special-token", "Special"),
    "CRF": terms.Term("term-CRF", "Tags"),
}


def done(body: str) -> str:
    return terms.linked(f"<p>token</p><article>{body}</article><p>token</p>", TERMS, "glossary.html")


def test_the_first_use_on_a_page_is_linked_and_no_other():
    text = done("<p>Two tokens and a special token.</p><p>A token. Crf, CRFs.</p>")
    assert re.findall(r'<a class="term" href="glossary.html#([\w-]+)"[^>]*>([^<]+)</a>', text) == [
        ("term-token", "tokens"),
        ("term-special-token", "special token"),
        ("term-CRF", "CRFs"),
    ]
    assert 'data-preview="A piece &amp; a &quot;part&quot;"' in text


def test_links_code_headings_formulas_and_what_moves_stay_as_they_are():
    quiet = (
        '<h2>token</h2><pre>token</pre><p><a href="x">token</a> <code>token</code></p><div>token</div>'
        '<div class="a widget"><div><p>token</p></div><p>token</p></div><p><span class="math">CRF</span></p>'
        "<script>if (a<b) '<p>token'</script><figure><p>token</p></figure><p>tokenizer, sub-token, token-wise</p>"
    )
    assert done(quiet) == f"<p>token</p><article>{quiet}</article><p>token</p>"
    assert done(f"{quiet}<p><em>Token</em></p>").count('class="term"') == 1


def test_what_stands_beside_a_link_is_untouched():
    body = '<ul><li><p>A <strong>token</strong>,<br> a <img alt="token"> b</p></li></ul>'
    assert (
        re.sub(r'<a class="term".*?>(.*?)</a>', r"\1", done(body))
        == f"<p>token</p><article>{body}</article><p>token</p>"
    )


def test_a_link_to_the_bibliography_says_the_work():
    label = '<span class="label">[X]</span>'
    listed = f'<div class="citation" id="id3" role="doc-biblioentry">\n{label}\n<p>A. <em>B</em>.</p></div>'
    works = terms.works(listed)
    assert works == {"id3": "A. B."}
    page = '<a class="reference internal" href="../appendix/bibliography.html#id3">x</a>'
    assert terms.previewed(page, works) == page.replace('id3"', 'id3" data-preview="A. B."')
    assert terms.previewed(page.replace("id3", "id4"), works) == page.replace("id3", "id4")


def test_author_and_year_name_one_work_or_none():
    works = {
        "id1": "Nils Reimers and Iryna Gurevych. Sentence-BERT. 2019.",
        "id2": "Jacob Devlin, Ming-Wei Chang, and others. BERT. 2019.",
        "id3": "Jacob Devlin. The code of BERT. 2018.",
        "id4": "Sture Holm. A procedure. Journal, 6:65, 1979.",
        "id5": "Karen Spärck Jones. A statistical interpretation. 1972.",
        "id6": "Kevin Clark and others. What. 2019.",
        "id7": "Christopher Clark, Kenton Lee, and others. BoolQ. 2019.",
    }
    cited = ["Reimers and Gurevych 2019", "Devlin et al. 2019", "Devlin 2018", "(Holm 1979)", "Spärck Jones 1972"]
    assert [terms.named(text, works) for text in cited] == ["id1", "id2", "id3", "id4", "id5"]
    assert [terms.named(text, works) for text in ("Clark et al. 2019", "Holm 1980", "here", "2019")] == [""] * 4
    page = '<a class="reference internal" href="appendix/bibliography.html"><span>Holm 1979</span></a>'
    done = terms.previewed(page, works)
    assert 'href="appendix/bibliography.html#id4" data-preview="Sture Holm. A procedure' in done
    assert done.endswith("<span>Holm 1979</span></a>")


def test_every_work_can_be_found():
    """By DOI or address, but for what was printed before there were any."""
    text = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^@\w+\{(\S+),$(.*?)^\}$", text, re.M | re.S))
    assert len(entries) == text.count("@")
    without = {key for key, fields in entries.items() if not re.search(r"^\s*(doi|url)\s*=", fields, re.M)}
    assert without == {"francis1979brown", "korn1998", "kish1965", "cochran1964", "firth1957"}
    titles = {re.search(r"^\s*title\s*=\s*[{\"](.+)", fields, re.M).group(1).lower() for fields in entries.values()}
    assert len(titles) == len(entries)


def test_letters_lead_to_the_first_term_of_each():
    entry = '<dt id="term-{0}">{0}<a class="headerlink" href="#term-{0}">#</a></dt><dd><p>Text</p></dd>'
    html = '<p>x</p><dl class="simple glossary">' + "".join(map(entry.format, ("accuracy", "AdamW", "batch"))) + "</dl>"
    html = terms.lettered(html)
    assert html == terms.lettered(html), "a second build adds no second line"
    assert re.findall(r'<a href="#([\w-]+)">(\w)</a>', html) == [("term-accuracy", "A"), ("term-batch", "B")]
    assert html.index('class="letters"') < html.index("<dl")


def test_the_glossary_has_each_term_once_in_order():
    text = (ROOT / "book" / "appendix" / "glossary.md").read_text(encoding="utf-8")
    names = re.findall(r"^(\S.*)\n  \S", text.partition("```{glossary}")[2], flags=re.MULTILINE)
    words = [name.partition(" (")[0].lower() for name in names]
    assert len(words) > 80 and words == sorted(set(words))
    assert sum("\u4e00" <= letter <= "\u9fff" for letter in text) > 200
