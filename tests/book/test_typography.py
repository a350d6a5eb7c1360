"""Numbers in sentences of a page: what is set anew, and what must not be touched."""

import pytest

from helpers.book import tables
from helpers.book.typography import escaped, numbers, typeset


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("by -0.01 [-0.02, 0.00]", "by \u22120.01 [\u22120.02, 0.00]"),
        ("-3 and (-.5)", "\u22123 and (\u2212.5)"),
        ("-0.000 [-0.023, -0.0]", "0.000 [\u22120.023, 0.0]"),
        ("-0.05 is not -0", "\u22120.05 is not 0"),
        ("5% of 0.1%", "5\u00a0% of 0.1\u00a0%"),
    ],
)
def test_minus_and_percent_are_set(written, printed):
    assert typeset(written) == printed


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29",
        "1e-4",
        "gpt-2",
        "4-6",
        "0.05-0.07",
        "95 %",
        "`-0.5 5%`",
        "$x-1$ $-1$",
        "<a href='-1%20'>",
        "--rows 5",
    ],
)
def test_what_is_no_negative_number_stays(text):
    assert typeset(text) == text


def test_a_cell_is_set_where_it_holds_numbers_alone():
    assert numbers("-0.1 [-0.2, 0.0]") == "\u22120.1 [\u22120.2, 0.0]"
    assert numbers("down -5% today") == "down -5% today"
    assert (
        tables.cell(-0.25) == "\u22120.250" and tables.cell(-0.0001) == "0.000" and tables.cell("-5% off") == "-5% off"
    )


def test_html_is_escaped_after_it_is_set():
    assert escaped("p < -1") == "p &lt; \u22121"
