"""The page of equations says in words what each is about, and names tests that exist."""

import re

import pytest

from tools import equations

ALL = equations.equations()
PAGE = (equations.ROOT / equations.PAGE).read_text(encoding="utf-8")


def test_each_equation_stands_on_the_page_with_all_of_its_tests():
    rows = dict(re.findall(r"^\| \[\]\(#([\w-]+)\) [^|]+ \| (.*) \|$", PAGE, re.MULTILINE))
    listed = {label: re.findall(r"<code>(.*?)</code>", row.replace("<wbr>", "")) for label, row in rows.items()}
    assert listed == {each.label: [test.split("::")[1] for test in each.tests] for each in ALL}


def test_each_table_leads_to_the_page_of_its_equations():
    ways = re.findall(r"\[its page\]\(\.\./(.*?)\)", PAGE)
    assert [f"book/{way}" for way in ways] == list(dict.fromkeys(each.chapter for each in ALL))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("eq-causal-lm", "causal language model"),
        ("eq-mean-cross-entropy", "mean cross-entropy"),
        ("eq-multi-head-blocks", "multi-head attention as a sum"),
        ("eq-multi-head", "multi-head attention"),
        ("eq-softmax-jacobian", "softmax Jacobian"),
        ("eq-token-mean", "token mean"),
    ],
)
def test_a_label_in_words(label, words):
    assert equations._words(label) == words


def test_no_word_is_spelt_that_no_label_has():
    labels = [f" {each.label.removeprefix('eq-').replace('-', ' ')} " for each in ALL]
    assert [plain for plain in equations.SPELT if not any(f" {plain} " in label for label in labels)] == []
