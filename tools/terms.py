"""Links from the first use of a term on each page to the glossary, and what a link shows before one follows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

GLOSSARY, WORKS = "book/appendix/glossary.html", "book/appendix/bibliography.html"
ENTRY = re.compile(r'<dt id="(term-[^"]+)">(.*?)<a class="headerlink".*?</dt>\s*<dd>(.*?)</dd>', re.DOTALL)
WORK = re.compile(r'<div class="citation" id="([^"]+)"[^>]*>\s*<span class="label">.*?</span>\s*(.*?)</div>', re.DOTALL)
PIECE = re.compile(r"(<script\b.*?</script>|<style\b.*?</style>|<svg\b.*?</svg>|<!--.*?-->|<[^>]+>)", re.DOTALL)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Where no link is put: in links, code, headings, formulas, and in what is a picture or can be moved.
QUIET_TAGS = {
    "a",
    "button",
    "code",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "label",
    "nav",
    "pre",
    "summary",
    "table",
    "textarea",
}
QUIET_CLASSES = {"attention-picture", "drawing", "math", "predict", "sd-card", "sd-btn", "widget", "admonition-title"}


@dataclass(frozen=True)
class Term:
    """A term as the glossary has it: where it stands, and what it says."""

    anchor: str
    text: str


def plain(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", "", html)).split())


def glossary(html: str) -> dict[str, Term]:
    """The terms of the built glossary, by the word itself without its Chinese name."""
    return {plain(name).partition(" (")[0]: Term(anchor, plain(text)) for anchor, name, text in ENTRY.findall(html)}


def lettered(html: str) -> str:
    """The built glossary with a line above it that leads to the first term of each letter, if it has none yet."""
    firsts: dict[str, str] = {}
    for anchor, name, _ in ENTRY.findall(html):
        firsts.setdefault(plain(name)[0].upper(), anchor)
    links = " ".join(f'<a href="#{anchor}">{letter}</a>' for letter, anchor in firsts.items())
    line = f'<nav class="letters" aria-label="Terms by their first letter">{links}</nav>\n'
    return html if 'class="letters"' in html else re.sub(r'(?=<dl class="[^"]*\bglossary\b)', line, html, count=1)


def works(html: str) -> dict[str, str]:
    """The works of the built bibliography, by their anchors."""
    return {anchor: plain(text) for anchor, text in WORK.findall(html)}


def linked(page: str, terms: Mapping[str, Term], way: str) -> str:
    """A page whose first use of each term, in running text, leads to the glossary at the address `way`."""
    begin, end = page.find("<article"), page.rfind("</article>")
    if begin < 0 or not terms:
        return page
    left, parts, quiet, running, stack = dict(terms), [], 0, 0, []
    for piece in PIECE.split(page[begin:end]):
        if not piece.startswith("<"):
            parts.append(_with_links(piece, left, way) if running and not quiet else piece)
            continue
        parts.append(piece)
        name = re.match(r"</?([a-z0-9-]+)", piece)
        if not name or name[1] in VOID | {"script", "style", "svg"} or piece.endswith("/>"):
            continue
        if piece.startswith("</"):
            while stack:
                closed, was_quiet, was_running = stack.pop()
                quiet, running = quiet - was_quiet, running - was_running
                if closed == name[1]:
                    break
        else:
            stack.append((name[1], _is_quiet(name[1], piece), name[1] in ("p", "li")))
            quiet, running = quiet + stack[-1][1], running + stack[-1][2]
    return page[:begin] + "".join(parts) + page[end:]


def _is_quiet(name: str, tag: str) -> bool:
    classes = re.search(r'class="([^"]*)"', tag)
    return name in QUIET_TAGS or bool(classes and QUIET_CLASSES & set(classes[1].split()))


def _with_links(text: str, left: dict[str, Term], way: str) -> str:
    """A text with links at the terms that are still to be linked; these are taken out of `left`."""
    if not left or not text.strip():
        return text
    forms = "|".join(_form(word) for word in sorted(left, key=len, reverse=True))
    by_form = {_key(word): word for word in left}

    def link(found: re.Match) -> str:
        word = by_form.get(_key(found[1]))
        term = left.pop(word, None) if word else None
        if not term:
            return found[0]
        shown = (
            f'<a class="term" href="{way}#{term.anchor}" data-preview="{escape(term.text)}">{found[1]}{found[2]}</a>'
        )
        return shown

    return re.sub(rf"(?<![\w-])({forms})(s?)(?![\w-])", link, text)


def _form(word: str) -> str:
    """A pattern for a word, which may begin a sentence unless it has capitals of its own."""
    first = word[0]
    begins = f"[{first}{first.upper()}]" if first.islower() else re.escape(first)
    return begins + re.escape(word[1:])


def _key(word: str) -> str:
    return word[0].lower() + word[1:]


def previewed(page: str, known: Mapping[str, str]) -> str:
    """A page whose links to the bibliography, such as `Wang et al. 2020`, lead to the work and say it."""

    def link(found: re.Match) -> str:
        opening, anchor, shown = found.groups()
        anchor = anchor or named(plain(shown), known)
        if anchor not in known:
            return found[0]
        return (
            f'{opening}#{anchor}" data-preview="{escape(known[anchor])}"{found[0][found[0].index(">", len(opening)) :]}'
        )

    return re.sub(r'(<a [^>]*href="[^"#]*bibliography\.html)(?:#([^"]+))?"[^>]*>(.*?)</a>', link, page, flags=re.DOTALL)


def named(citation: str, known: Mapping[str, str]) -> str:
    """The anchor of the one work of which this is author and year; empty if there is none, or more than one."""
    year = re.search(r"\b(1[89]|20)\d\d\b", citation)
    author = re.split(r",? et al\.| and |,? \(?\d{4}", citation.strip("( "))[0].strip(" ,")
    if not year or not author:
        return ""
    firsts = {anchor: re.split(r", | and ", text)[0] for anchor, text in known.items()}
    found = [
        anchor
        for anchor, first in firsts.items()
        if re.search(rf"(^| ){re.escape(author)}(\.|$)", first) and re.search(rf"\b{year[0]}\b", known[anchor])
    ]
    return found[0] if len(found) == 1 else ""


def finish(pages: Path) -> None:
    """Put the links and what they show into every page of a built book."""
    if not (pages / GLOSSARY).exists():
        return
    whole = lettered((pages / GLOSSARY).read_text(encoding="utf-8"))
    (pages / GLOSSARY).write_text(whole, encoding="utf-8")
    terms = glossary(whole)
    known = works((pages / WORKS).read_text(encoding="utf-8")) if (pages / WORKS).exists() else {}
    for page in (pages / "book").rglob("*.html"):
        if page not in (pages / GLOSSARY, pages / WORKS):
            way = "../" * (len(page.relative_to(pages / "book").parts) - 1) + "appendix/glossary.html"
            text = linked(page.read_text(encoding="utf-8"), terms, way)
            page.write_text(previewed(text, known), encoding="utf-8")
