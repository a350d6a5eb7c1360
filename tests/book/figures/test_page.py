"""Plots on a page: vector, named, described, in the page's colours, and drawn again for a phone."""

import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers.book import figures
from helpers.book.figures import page
from helpers.errors import InputError

TEXTS = {"answer": "It rises.", "caption": "n = 3", "name": "rise", "alt": "A line that rises."}


def a_plot(label: str = "steps"):
    figure, axes = plt.subplots()
    for colour in (figures.BLUE, figures.ORANGE, figures.GREY):
        axes.plot([1, 2, 3], np.random.default_rng(0).normal(size=3), color=colour, marker="o")
    axes.set(xlabel=label, ylabel="loss", title="Does it rise?")
    return figure


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        figures.style()
        yield


def test_both_forms_are_well_formed_and_share_no_id():
    shown = page.show(a_plot(), **TEXTS)
    for form in (shown.wide, shown.narrow):
        ElementTree.fromstring(form)
    ids = re.findall(r' id="([^"]+)"', shown.wide + shown.narrow)
    assert len(ids) == len(set(ids)) > 0
    assert all(f'"{target}"' in shown.wide + shown.narrow for target in re.findall(r'href="#([^"]+)"', shown.wide))


def test_every_colour_of_the_palette_is_one_of_the_page():
    shown = page.show(a_plot(), **TEXTS)
    assert not re.search("|".join(page._SHADES), shown.wide + shown.narrow, re.IGNORECASE)
    assert {"var(--f-blue)", "var(--f-orange)", "var(--f-grey)"} <= set(re.findall(r"var\(--f-\w+\)", shown.wide))
    assert "#ffffff" not in shown.wide  # no white slab


def test_the_question_gives_way_to_the_answer_which_is_text():
    shown = page.show(a_plot(), **TEXTS)
    assert "Does it rise?" not in shown._repr_html_()
    assert '<p class="answer">It rises.</p>' in shown._repr_html_()
    assert ">steps</text>" in shown.wide


def test_of_ticks_that_would_touch_on_a_phone_the_last_keeps_its_label():
    figure, axes = plt.subplots(figsize=(8, 3))
    axes.plot([0, 10, 11, 12], [0, 1, 1, 2])
    axes.set_xticks([0, 10, 11, 12], ["0", "10,000", "11,000", "12,000"])
    shown = page.show(figure, **TEXTS)
    assert all(label in shown.wide for label in ("10,000", "11,000", "12,000"))
    assert "12,000" in shown.narrow and "11,000" not in shown.narrow


def test_the_narrow_form_is_drawn_anew_and_its_letters_are_not_shrunk():
    shown = page.show(a_plot("a long label that would not fit beside a narrow pair of axes"), **TEXTS)
    width = {form: float(re.search(r'viewBox="0 0 ([\d.]+)', getattr(shown, form))[1]) for form in ("wide", "narrow")}
    assert width["narrow"] == pytest.approx(72 * page.NARROW)
    assert set(re.findall(r"([\d.]+)px system-ui", shown.narrow)) == set(
        re.findall(r"([\d.]+)px system-ui", shown.wide)
    )
    assert 350 / width["narrow"] * 12 > 13  # px of a letter of 12 points on a phone


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("scheme", "ground"), [(1, "#ffffff"), (2, "#14181e")])
def test_every_shade_stands_out_from_its_ground(scheme, ground):
    for shades in page._SHADES.values():
        low, high = sorted((luminance(shades[scheme]), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 3, shades


def test_an_answer_that_does_not_hold_stops_the_page():
    with pytest.raises(AssertionError, match=r"It rises\."):
        page.show(a_plot(), **TEXTS, holds=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"alt": " "}, "has no alt"), ({"caption": ""}, "has no caption"), ({"name": "Fig 1"}, "name is 'Fig 1'")],
)
def test_a_missing_text_is_one_sentence(change, said):
    with pytest.raises(InputError, match=said):
        page.show(a_plot(), **(TEXTS | change))


def test_a_text_cannot_become_markup():
    assert "<b>" not in page.show(a_plot(), **(TEXTS | {"answer": "<b>"}))._repr_html_()


def test_the_answer_takes_the_place_of_the_question_and_names_of_panels_stay():
    figure, (above, below) = plt.subplots(2)
    above.set_title("Does it fall?", loc="left")
    below.set_title("validation", loc="left")
    shown = page.show(figure, "It falls.", "Ten steps.", name="two", alt="A falling line.")._repr_html_()
    assert "Does it fall" not in shown and "It falls." in shown and ">validation<" in shown
