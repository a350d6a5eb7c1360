"""The classifier in the page: its tokens and logits are Python's, by keyboard, on a phone, and from a disk."""

import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset

from helpers import corpora, load, models
from helpers.book.widgets import classifier
from helpers.export import graph
from helpers.export.formats import FORMATS
from tools import page_model

START = "The plot is thin, but the actors are wonderful."
# Of a logit in 8 bits, on 100 reviews; measured were 0.06 between onnxruntime in the browser and for Python, and 0.36
# to PyTorch, with 98 of 100 answers equal.
IN_PYTHON, OF_PYTORCH = 0.2, 0.8


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A page with the model beside it."""
    root = tmp_path_factory.mktemp("page")
    page_model.place(root / "_static")
    page = classifier.model_in_the_page(START, 33).data
    head = "<title>x</title><link rel='icon' href='data:,'>"
    text = f"<!doctype html><html lang='en' data-content_root='./'>{head}<body>{page}</body></html>"
    (root / "index.html").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def served(folder, serve) -> str:
    """The address of that page."""
    return f"{serve(folder)}/"


@pytest.fixture
def page(browser):
    """An empty tab of a phone, which must see no error."""
    with browser.new_page(viewport={"width": 390, "height": 800}) as page:
        errors, page.asked = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: page.asked.append(request.url))
        yield page
        assert not errors


def loaded(page, address: str) -> dict:
    """Open a page, start the model by keyboard, and give what it says."""
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.widget').dataset.values", timeout=120_000)
    return said(page)


def said(page) -> dict:
    return json.loads(page.locator(".widget").get_attribute("data-values"))


def asked(page, texts: list[str], of: str) -> list:
    """What the functions of the widget give for texts: their numbers, or the logits of these."""
    use = {"numbers": "numbers(tokens(text))", "logits": "await logits(numbers(tokens(text)))"}[of]
    return page.evaluate(
        "async texts => { const {tokens, numbers, logits} = document.querySelector('.widget').reader; const found = [];"
        f"for (const text of texts) found.push({use}); return found; }}",
        texts,
    )


def odd_texts(count: int) -> list[str]:
    """Words with characters of all scripts, planes and kinds, and pieces of no word at all."""
    draw = random.Random(0)
    planes = [range(0x80), range(0x250), range(0x3100), range(0x4E00, 0x4F00), range(0xF900, 0xFFFE)]
    planes += [range(0x1D400, 0x1D500), range(0x1F300, 0x1FAFF), range(0x20000, 0x20100), range(0xE0000, 0xE0200)]
    words = ["The", "plot", "isn't", "naïve", "Straße", "ΣΑΣ", "İstanbul", "[SEP]", "[MASK]", "##ing", "re-make"]
    words += ["$3.50", "\ufb01n", "ǅ", "吃饭", "한국어", "नमस्ते"]

    def character() -> str:
        return chr(draw.choice(draw.choice(planes)))

    kinds = (
        lambda: "".join(character() for _ in range(draw.randint(0, 40))),
        lambda: " ".join(draw.choice(words) + character() * draw.randint(0, 2) for _ in range(draw.randint(0, 15))),
        lambda: "".join(draw.choice("abcdeé ") for _ in range(draw.randint(0, 1500))),
    )
    return [draw.choice(kinds)() for _ in range(count)]


def test_tokens_are_the_library_s_whatever_is_typed(page, served):
    loaded(page, served)
    texts = odd_texts(1000)
    task, tokenizer = load(page_model.made() / page_model.SAVED).task, models.tokenizer()
    wanted = task.encode(tokenizer, Dataset.from_dict({"text": texts}))["input_ids"][:]
    assert max(map(len, wanted)) == task.max_length
    assert asked(page, texts, "numbers") == wanted


def test_logits_are_those_of_pytorch_before_the_weights_are_rounded(page, served, tmp_path):
    student, rows = load(page_model.made() / page_model.SAVED), reviews(100)
    graph.write(student, FORMATS["onnx"], rows, tmp_path)
    page.route("**/model.onnx?*", lambda route: route.fulfill(path=tmp_path / "model.onnx"))
    loaded(page, served)
    assert np.abs(np.array(asked(page, rows["text"][:], "logits")) - logits_of(student, rows)).max() < 1e-3


def test_logits_in_8_bits_are_as_near_as_was_measured(page, served, tmp_path):
    student, rows = load(page_model.made() / page_model.SAVED), reviews(100)
    loaded(page, served)
    found = np.array(asked(page, rows["text"][:], "logits"))
    assert np.abs(found - logits_of(exported(student, tmp_path), rows)).max() < IN_PYTHON
    wanted = logits_of(student, rows)
    assert np.abs(found - wanted).max() < OF_PYTORCH
    assert np.mean(found.argmax(-1) == wanted.argmax(-1)) >= 0.95


def reviews(count: int) -> Dataset:
    """The first test reviews of the laptop."""
    return corpora.load("reviews", scale="laptop").data["test"].select(range(count))


def exported(student, folder: Path):
    """The graph in the page, run by onnxruntime for Python."""
    graph.write(student, FORMATS["onnx"], reviews(2), folder)
    shutil.copyfile(page_model.made() / classifier.GRAPH, folder / "model.onnx")
    return graph.load(folder, FORMATS["onnx-int8"])


def logits_of(predictor, rows) -> np.ndarray:
    """What a classifier says of rows one by one, (N, C)."""
    encoded = predictor.task.encode(predictor.tokenizer, rows)
    inputs = [torch.tensor([ids]) for ids in encoded["input_ids"]]
    with torch.no_grad():
        return np.concatenate(
            [
                predictor.model(
                    input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids)
                ).logits.numpy()
                for ids in inputs
            ]
        )


def test_nothing_is_loaded_before_the_click_and_nothing_from_elsewhere_after_it(page, served, folder):
    page.goto(served)
    assert [url for url in page.asked if "/_static/model/" in url] == []
    loaded(page, served)
    assert all(url.startswith((served, "blob:")) for url in page.asked)
    sizes = {name: (folder / "_static" / "model" / name).stat().st_size for name in classifier.FILES}
    asked_for = [url.rpartition("/")[2].partition("?") for url in page.asked if "/_static/model/" in url]
    assert {name for name, _, _ in asked_for} == set(sizes)
    for name, _, version in asked_for:  # no older file that a browser kept can answer instead
        digest = page_model.sha256(folder / "_static" / "model" / name)
        assert version == ("" if name == classifier.ABOUT else digest[:16])
    assert sum(sizes.values()) < 35e6


def test_a_typed_text_is_judged_anew_and_fits_a_phone(page, served):
    before = loaded(page, served)
    assert sum(before["probabilities"]) == pytest.approx(1) and before["tokens"][1] == "the"
    assert len(before["carried"]) == len(START.split())
    page.get_by_label("A review of a film").fill("Dull, and far too long.")
    page.wait_for_function(f"document.querySelector('.widget').dataset.values !== {json.dumps(json.dumps(before))}")
    page.wait_for_function("JSON.parse(document.querySelector('.widget').dataset.values).tokens[1] === 'dull'")
    after = said(page)
    rest = asked(page, ["and far too long."], "logits")[0]
    best = int(np.argmax(after["probabilities"]))
    without = np.exp(rest[best]) / np.exp(rest).sum()
    assert after["carried"][0] == pytest.approx(after["probabilities"][best] - without, abs=1e-5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert page.locator(".said").first.is_visible()


def test_the_page_answers_while_words_are_left_out_and_an_empty_field_is_not_judged(page, served):
    loaded(page, served)
    field = page.get_by_label("A review of a film")
    page.evaluate(
        """() => { globalThis.seen = []; const widget = document.querySelector('.widget');
        new MutationObserver(() => seen.push((JSON.parse(widget.dataset.values).tokens ?? []).length))
            .observe(widget, {attributeFilter: ['data-values']}); }"""
    )
    field.fill("so " * 55 + "good")
    page.wait_for_timeout(400)  # the long text is being read, with each of its words left out
    field.fill("Dull.")
    page.wait_for_function("globalThis.seen.length > 0")
    assert page.evaluate("globalThis.seen") == [len(["[CLS]", "dull", ".", "[SEP]"])]
    field.fill("  ")
    page.wait_for_function("document.querySelector('.said').textContent.includes('empty')")
    assert said(page) == {}


def test_a_page_from_a_disk_reads_the_script_beside_it(page, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "book.zip", "w") as archive:
        archive.write(folder / "index.html", "book/index.html")
        page_model.pack(archive, "book", folder / "_static" / classifier.FOLDER)
    zipfile.ZipFile(tmp_path / "book.zip").extractall(tmp_path)
    for place in (tmp_path / "book", folder):  # out of the archive, and as it was built
        found = loaded(page, (place / "index.html").as_uri())
        assert found["logits"] == pytest.approx(asked(page, [START], "logits")[0])
    assert all(url.startswith(("file:", "blob:")) for url in page.asked)


def test_without_webassembly_or_outside_the_book_it_says_so(page, served):
    page.add_init_script("delete globalThis.WebAssembly;")
    page.goto(served)
    assert "no WebAssembly" in page.locator(".said").first.text_content()
    assert page.get_by_role("button").is_disabled()
