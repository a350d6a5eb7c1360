"""The widgets in a real browser: their numbers are Python's, keyboard alone moves them, and they fit a phone."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.book.widgets import cost as costs
from helpers.book.widgets import maths, results
from helpers.maths import cost, crf

RANDOM = np.random.default_rng(0)
SCORES = [0.5, -1.0, 2.0]
EMISSIONS, BETWEEN = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 3))
GOOD, SPAM = RANDOM.normal(size=400), RANDOM.normal(loc=2, size=150)
CURVE = pd.DataFrame(
    [("tuned", 100, 0.7, 0.68, 0.72), ("tuned", 400, 0.8, 0.78, 0.82), ("counted", 100, 0.6, 0.59, 0.61),
     ("counted", 1600, 0.75, 0.74, 0.76)],
    columns=["system", "rows", "mean", "low", "high"],
)  # fmt: skip
WIDGETS = {
    "softmax": lambda: maths.softmax_and_loss(["ham", "spam", "news"], SCORES, 1),
    "scaling": lambda: maths.scaling(["a", "b", "c"], SCORES),
    "trellis": lambda: maths.trellis_steps(["Ann", "runs", "to", "Oslo"], ["O", "B", "I"], EMISSIONS, BETWEEN),
    "curve": lambda: results.learning_curve(CURVE, 200),
    "threshold": lambda: results.filter_threshold(GOOD, SPAM, start=3),
    "costs": lambda: costs.fine_tuning(5e10),
}


@pytest.fixture(params=WIDGETS)
def any_page(request, browser):
    yield from opened(browser, request.param)


@pytest.fixture
def page_of(browser):
    pages = []

    def open_page(name):
        pages.append(opened(browser, name))
        return next(pages[-1])

    yield open_page
    for page in pages:
        next(page, None)


def opened(browser, name):
    with browser.new_page(viewport={"width": 390, "height": 800}) as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: errors.append(request.url) if "://" in request.url else None)
        page.set_content(f"<!doctype html><html lang='en'><body>{WIDGETS[name]().data}</body></html>")
        yield page
        assert not errors


def values(page):
    return json.loads(page.locator(".widget").get_attribute("data-values"))


def put(page, label, value):
    """Move a slider to a value as a script can, with the event of a person."""
    page.get_by_label(label).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def test_fits_a_phone_and_says_its_numbers_in_words(any_page):
    assert any_page.evaluate("document.documentElement.scrollWidth") <= 390
    said = any_page.locator(".said")
    assert said.get_attribute("aria-live") == "polite" and len(said.text_content()) > 30


def test_the_keyboard_alone_changes_what_is_said(any_page):
    said = any_page.locator(".said").text_content()
    any_page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown"):
        any_page.keyboard.press(key)
        if any_page.locator(".said").text_content() != said:
            return
    raise AssertionError("the first control does not answer the keyboard")


@pytest.mark.parametrize("theme", ["", "dark"])
def test_text_has_contrast_in_light_and_dark(any_page, theme):
    any_page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    ratio = any_page.evaluate(
        """() => {
        const parts = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
        const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const paper = light(parts(getComputedStyle(document.querySelector('.widget')).backgroundColor));
        return Math.min(...[...document.querySelectorAll('.widget label, .widget .said, .widget .value')].map(node => {
            const ink = light(parts(getComputedStyle(node).color));
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        }));
    }"""
    )
    assert ratio >= 4.5


def test_loss_and_gradient_are_those_of_torch(page_of):
    page = page_of("softmax")
    for scores, right in ((SCORES, 1), ([1.3, -2.0, 0.4], 2)):
        for name, score in zip(("ham", "spam", "news"), scores, strict=True):
            put(page, f"score of {name}", score)
        page.get_by_label("the right label").select_option(index=right)
        z = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(z, torch.tensor(right))
        loss.backward()
        assert values(page)["loss"] == pytest.approx(loss.item())
        assert values(page)["gradient"] == pytest.approx(z.grad.tolist())


def test_the_shares_of_attention_are_those_of_torch(page_of):
    page = page_of("scaling")
    for power, temperature in ((6, 1.0), (3, 2.5)):
        put(page, "width of a head", power)
        put(page, "temperature", temperature)
        z = torch.tensor(SCORES, dtype=torch.float64) / temperature
        assert values(page)["scaled"] == pytest.approx(z.softmax(-1).tolist())
        assert values(page)["plain"] == pytest.approx((z * math.sqrt(2**power)).softmax(-1).tolist())
        entropy = torch.distributions.Categorical(logits=z).entropy().item()
        assert values(page)["entropy"][1] == pytest.approx(entropy)


def test_the_trellis_ends_with_the_best_path_and_with_the_sum_over_all(page_of):
    page = page_of("trellis")
    for _ in range(3):
        page.get_by_role("button", name="next word").click()
    emissions, zero = torch.from_numpy(EMISSIONS)[None], torch.zeros(3, dtype=torch.float64)
    transitions = crf.Transitions(zero, torch.from_numpy(BETWEEN), zero)
    tags, score = crf.viterbi(emissions, transitions)
    assert values(page)["path"] == tags[0].tolist()
    assert values(page)["total"] == pytest.approx(score.item())
    page.get_by_label("what is kept").select_option(index=1)
    assert values(page)["total"] == pytest.approx(crf.log_partition(emissions, transitions).item())
    assert page.get_by_role("button", name="next word").is_disabled()


def test_between_two_sizes_the_curve_is_a_line_over_the_logarithm(page_of):
    page = page_of("curve")
    reached = {each["name"]: each for each in values(page)["reached"]}
    position = (math.log(200) - math.log(100)) / (math.log(1600) - math.log(100))
    assert reached["tuned"]["mean"] == pytest.approx(0.75, abs=2e-3)
    assert reached["counted"]["low"] == pytest.approx(0.59 + position * 0.15, abs=2e-3)
    put(page, "labels that you have", math.log2(1600))
    assert {each["name"]: each["mean"] for each in values(page)["reached"]}["tuned"] is None  # never guessed beyond


@pytest.mark.parametrize("lost", [0, 3, 25])
def test_a_threshold_loses_and_catches_what_python_counts(page_of, lost):
    page = page_of("threshold")
    put(page, "good mails that may be lost", lost)
    found = values(page)
    assert found["lost"] == lost == (GOOD.round(6) > found["threshold"]).sum()
    assert found["caught"] == (SPAM.round(6) > found["threshold"]).sum()
    cost = 1000 * (0.5 * lost / len(GOOD) * 100 + 0.5 * (1 - found["caught"] / len(SPAM)))
    assert found["cost"] == pytest.approx(cost)


def test_a_fine_tuning_takes_what_python_counts(page_of):
    page = page_of("costs")
    put(page, "speed", 11)
    sizes = itertools.cycle([(1000, 64, 1024), (10_000, 512, 16), (316, 16, 4096)])  # 10 ** 2.5 is 316 rows
    for (name, body), precision, rank in itertools.product(costs.BODIES.items(), cost.PRECISIONS, (0, 8, 64)):
        rows, tokens, piece = next(sizes)
        page.get_by_label("model").select_option(name)
        page.get_by_label("precision").select_option(precision)
        for label, value in (("rank of LoRA", rank), ("rows times epochs", round(math.log10(rows), 1))):
            put(page, label, value)
        for label, value in (("tokens of a row", tokens), ("tokens at once", piece)):
            put(page, label, math.log2(value))
        expected = cost.fine_tuning(body, rows, tokens, piece, precision, rank)
        seconds = expected.operations / 1e11
        wanted = {**expected._asdict(), "memory": expected.memory, "seconds": seconds}
        assert values(page) == pytest.approx(wanted), (name, precision, rank)
