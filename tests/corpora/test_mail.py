"""Mail is read as people see it, nothing of a thread stands on two sides, and time runs from train to test."""

import html
import random
import re

import numpy as np
import pandas as pd
import pytest

from helpers import corpora
from helpers.corpora import mail
from helpers.data import splits
from helpers.errors import InputError

PLAIN = b"""From ann@example.org  Thu Aug 22 12:36:23 2002
Received: from a (a [1.2.3.4]) by b; Fri, 23 Aug 2002 01:00:00 +0200
Received: from c by a; Mon, 1 Jan 1990 00:00:00 +0000
Message-ID: <1@example.org>
In-Reply-To: Ann's <0@example.org> of Tuesday
Subject: =?iso-8859-1?q?Caf=E9?= =?utf-8?b?IOKCrA==?=
Date: Sat, 5 Jan 2030 00:00:00 +0000
Content-Type: text/plain; charset=iso-8859-1

Gr\xfc\xdfe  an
alle.
"""

PAGE = b"""Subject: Win
Date: Sat, 5 Jan 2002 00:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=xx

--xx
Content-Type: text/html
Content-Transfer-Encoding: quoted-printable

<html><style>p {color: red}</style><p>Buy V<!-- x -->iagra<br>now &amp; save<script>if (a<b) x()</script></p></html>
--xx
Content-Type: text/plain
Content-Disposition: attachment; filename=a.txt

not this
--xx--
"""


def test_a_plain_mail_is_its_decoded_subject_and_body():
    found = mail.read(PLAIN)
    assert found["subject"] == "Café €"
    assert found["body"] == "Grüße an alle."
    assert found["text"] == "Café €\nGrüße an alle."
    assert found["ids"] == ["<0@example.org>", "<1@example.org>"]
    assert "Received: from c by a" in found["headers"]
    assert "Received" not in found["text"]


def test_html_is_read_without_tags_scripts_and_attachments_and_comments_leave_no_gap():
    assert mail.read(PAGE)["body"] == "Buy Viagra now & save"


FRAGMENTS = (
    "<script",
    "<STYLE>",
    "</script>",
    "</style >",
    "<!--",
    "-->",
    "<br",
    "<p>",
    "<a",
    ">",
    "<",
    "x",
    " ",
    "\n",
    "-",
)


def test_tags_are_removed_as_the_plain_patterns_say():
    def plainly(page: str) -> str:
        page = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", " ", page)
        page = re.sub(r"(?s)<!--.*?-->", "", page)
        page = re.sub(rf"(?i)</?({mail._BREAKS})\b[^>]*>", " ", page)
        return html.unescape(re.sub(r"<[a-zA-Z/!][^>]*>", "", page))

    draw = random.Random(0)
    for _ in range(20_000):
        page = "".join(draw.choices(FRAGMENTS, k=draw.randrange(30)))
        assert mail.without_tags(page) == plainly(page), page


@pytest.mark.parametrize(
    "piece", ["<!--", "<script", "<style>", "</script", "<br ", "<a", "<", "<!-->", "<script></style>"]
)
def test_a_page_that_is_made_to_take_long_is_read_at_once(piece):  # 2 MB took an hour
    assert mail.without_tags(piece * (2_000_000 // len(piece)) + "end").endswith("end")


def test_names_of_mails_that_are_made_to_take_long_are_read_at_once():
    assert mail.read(f"References: <{'@' * 2_000_000} <a@b> <@b>\n\n".encode())["ids"] == ["<a@b>"]


def test_the_receiver_s_clock_counts_before_the_sender_s():
    assert mail.read(PLAIN)["date"] == "2002-08-22 12:36:23"
    assert mail.read(PLAIN.partition(b"\n")[2])["date"] == "2002-08-22 23:00:00"
    assert mail.read(PAGE)["date"] == "2002-01-05 00:00:00"
    assert mail.read(b"Subject: x\nDate: soon\n\nbody")["date"] == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no header at all",
        b"Subject: =?x-unknown?q?a?=\nContent-Type: text/plain; charset=no-such-set\n\nbody \xff",
        b"Subject: =?utf-8?b?!!!?=\n\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nopen end",
        b'Subject: \xe9\xe9\nDate: \xff\nContent-Type: text/plain; charset="a\0b"\n\n\0body',
    ],
)
def test_no_mail_is_so_broken_that_reading_fails(raw):
    found = mail.read(raw)
    assert "\0" not in found["body"]
    found["text"].encode("utf-8", "surrogatepass")


def test_threads_join_by_answer_and_by_a_telling_subject():
    rows = pd.DataFrame(
        {
            "subject": [
                "Hello",
                "Re: Hello",
                "[list] What is new here?",
                "re: Fwd: What is new here",
                "Hi you",
                "Hi you",
            ],
            "ids": [["<1>"], ["<1>", "<2>"], ["<3>"], ["<4>"], ["<5>"], ["<6>"]],
        }
    )
    found = mail.threads(rows)
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert len(set(found)) == 4  # two words may agree by chance


@pytest.fixture(scope="module")
def packaged():
    return corpora.load("mail")


def test_the_mails_are_as_counted(packaged):
    assert sum(packaged.card.rows.values()) + sum(packaged.card.removed.values()) == 6_046
    assert packaged.labels == ("ham", "spam")
    assert packaged.card.labels["test"]["spam"] > 150
    assert packaged.card.removed["near-duplicate"] > 500


def test_train_is_older_than_validation_and_validation_older_than_test(packaged):
    train, validation, test = (packaged.data[name]["date"] for name in splits.SPLITS)
    assert max(train) <= min(validation)
    assert max(validation) <= min(test)


@pytest.mark.parametrize("by_date", [True, False])
def test_no_thread_and_no_text_of_the_mail_stands_in_two_splits(by_date):
    data = mail.load(by_date=by_date).data
    for values in (
        [set(part["group"]) for part in data.values()],
        [set(splits.normalised(pd.Series(part["text"][:]))) for part in data.values()],
    ):
        assert sum(map(len, values)) == len(set.union(*values))


def test_headers_are_there_only_if_asked_for(packaged):
    told = mail.load(headers=True).data["test"]["text"]
    kept = packaged.data["test"]["text"]
    assert np.mean(["Received: " in text for text in told]) > 0.9
    assert np.mean(["Received: from" in text for text in kept]) < 0.01
    assert all(long.endswith(short) for long, short in zip(told, kept, strict=True))


def test_one_s_own_folder_of_mail_is_read(tmp_path):
    for label, word in (("ham", "meeting"), ("spam", "casino")):
        (tmp_path / label).mkdir()
        for day in range(1, 28):
            text = f"Subject: {word} {day} x{day * 7}\nDate: {day} Jan 2024 10:00:00 +0000\n\n" + " ".join(
                f"{word}{day}{i}" for i in range(9)
            )
            (tmp_path / label / f"{day}.eml").write_text(text, encoding="utf-8")
    (tmp_path / "spam" / "folder").mkdir()
    found = corpora.load("mail", path=str(tmp_path))
    assert sum(found.card.rows.values()) == 54
    assert "casino" in " ".join(found.data["test"]["text"])


def test_a_folder_without_mail_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="holds no mail; give a folder with one mail a file in folders 'ham' and"):
        corpora.load("mail", path=str(tmp_path))
