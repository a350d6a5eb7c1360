"""The interactive picture of attention in a real browser: mouse, keyboard, choice of head, light and dark."""

import pytest
import torch

from helpers.book.widgets.attention import attention_picture

TOKENS = ["[CLS]", "rain", "falls", "[SEP]"]
COLOURS = """() => {
    const root = document.querySelector('.attention-picture');
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], paper) => [r, g, b].map((value, i) => a * value + (1 - a) * paper[i]);
    const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const paper = parts(getComputedStyle(root).backgroundColor);
    return [...root.querySelectorAll('button')].map(button => {
        const style = getComputedStyle(button);
        const [a, b] = [parts(style.color).slice(0, 3), over(parts(style.backgroundColor), paper)].map(light);
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
}"""


def _weights():
    """The first layer looks at itself, the second at the first token; the second head of both at the last."""
    weights = torch.zeros(2, 2, 4, 4)
    weights[0, 0], weights[1, 0, :, 0], weights[:, 1, :, 3] = torch.eye(4), 1, 1
    return weights


@pytest.fixture
def page(browser):
    picture = attention_picture([(TOKENS, _weights()), (["[CLS]", "sun", "[SEP]"], _weights()[..., :3, :3])]).data
    with browser.new_page(viewport={"width": 400, "height": 700}) as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_content(f"<!doctype html><html lang='en'><body>{picture}</body></html>")
        yield page
        assert not errors


def _shown(page):
    return page.locator(".ap-tokens small").all_text_contents()


def test_pointing_at_a_token_shows_what_it_takes(page):
    page.get_by_role("button", name="falls").hover()
    assert _shown(page) == ["0%", "0%", "100%", "0%"]
    assert "“falls” takes 100% from “falls”" in page.locator(".ap-said").text_content()


def test_the_keyboard_reaches_every_token_and_every_head(page):
    for _ in range(4):  # three choices, then the first token
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.firstChild.textContent") == "falls"
    assert _shown(page) == ["0%", "0%", "100%", "0%"]
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("button", name="rain").get_attribute("aria-pressed") == "true"


def test_another_layer_head_and_sentence(page):
    page.get_by_role("button", name="rain").click()
    page.get_by_label("layer").select_option("2")
    assert _shown(page) == ["100%", "0%", "0%", "0%"]
    page.get_by_label("head").select_option("2")
    assert _shown(page) == ["0%", "0%", "0%", "100%"]
    page.get_by_label("sentence").select_option(index=1)
    assert page.locator(".ap-tokens button").count() == 3


@pytest.mark.parametrize("mode", ["", "dark"])
def test_every_token_is_readable_in_light_and_dark(page, mode):
    page.evaluate(f"document.documentElement.dataset.theme = '{mode}'")
    dark = page.evaluate("getComputedStyle(document.querySelector('.attention-picture')).backgroundColor")
    assert (dark != "rgb(255, 255, 255)") == (mode == "dark")
    assert min(page.evaluate(COLOURS)) >= 4.5


def test_fits_a_narrow_window(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
