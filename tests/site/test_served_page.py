"""The page of `helpers serve` in a browser: each task's answer as a person reads it, and nobody's text as code."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_decoder
import tiny_extraction
import uvicorn
from playwright.sync_api import Browser

from helpers import Classification, MultiLabel, Tagging
from helpers.cli import server
from helpers.tasks.base import Predictor

HOSTILE = "<img src=x onerror=alert(1)> 👩‍👩‍👧 "
CONTEXT = f"{HOSTILE}Zoë Miller lives\nin São Paulo."
SPANS = [("person", "Zoë Miller"), ("place", "São Paulo")]


def places(kind: str, text: str) -> dict:
    start = CONTEXT.index(text)
    return {"kind": kind, "start": start, "end": start + len(text), "text": text}


# For each task: what is typed, what the model answers, and what a person sees marked or written.
CASES = {
    "classification": (
        Classification(("ham", "<b>spam</b>")),
        {"text": HOSTILE},
        {"label": "<b>spam</b>", "probabilities": {"ham": 0.25, "<b>spam</b>": 0.75}},
        ["✓ <b>spam</b>", "75.0 %", "25.0 %", "Given: <b>spam</b>"],
        [],
    ),
    "multilabel": (
        MultiLabel(("a", "b")),
        {"text": "x"},
        {"labels": [], "probabilities": {"a": 0.1, "b": 0.4}},
        ["No label is given.", "40.0 %"],
        [],
    ),
    "spans": (
        Tagging(("O", "B-person", "B-place")),
        {"text": CONTEXT},
        {"text": CONTEXT, "tokens": [], "tags": [], "spans": [places(*span) for span in SPANS]},
        ["2 found", HOSTILE.strip()],
        ["Zoë Millerperson", "São Pauloplace"],
    ),
    "tags": (
        Tagging(("noun", "verb")),
        {"text": "👩 sings"},
        {"text": "👩 sings", "tokens": ["👩", "sings"], "tags": ["noun", "verb"]},
        [],
        ["👩noun", "singsverb"],
    ),
    "extraction": (
        tiny_extraction.TASK,
        {"question": "Who?", "context": CONTEXT},
        {"answer": "Zoë Miller", **{key: places(*SPANS[0])[key] for key in ("start", "end")}, "margin": 3.0},
        ["Zoë Miller", HOSTILE.strip()],
        ["Zoë Miller"],
    ),
    "no answer": (
        tiny_extraction.TASK,
        {"question": "Who?", "context": "Nobody."},
        {"answer": "", "margin": -3.0},
        ["No answer stands in this context."],
        [],
    ),
    "generation": (
        tiny_decoder.PLAIN,
        {"prompt": "Write."},
        {"completion": f"{HOSTILE}\n- one\n- two"},
        [HOSTILE.strip(), "- two"],
        [],
    ),
}


@pytest.fixture(params=CASES)
def served(request) -> Iterator[tuple[str, dict, list, list]]:
    """The address of a server whose model answers as a case says, and the rest of the case."""
    task, typed, answer, written, marked = CASES[request.param]

    class Canned(Predictor):
        def answers(self, rows):
            return [answer] * len(rows)

    app = server.app(Canned(task, None, None), "a <i>model</i>")
    with socket.socket() as probe:
        probe.bind((server.HOST, 0))
        port = probe.getsockname()[1]
    running = uvicorn.Server(uvicorn.Config(app, host=server.HOST, port=port, log_level="error"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield f"http://{server.HOST}:{port}/", typed, written, marked
    running.should_exit = True
    thread.join()


def test_an_answer_is_shown_as_a_person_reads_it(served, browser: Browser, request):
    address, typed, written, marked = served
    for scheme, width in (("light", 1280), ("dark", 390)):
        page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
        wrong = []
        page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
        page.on("console", lambda said, wrong=wrong: wrong.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog, wrong=wrong: (wrong.append("a script ran"), dialog.dismiss()))
        page.goto(address)
        for field, text in typed.items():
            page.get_by_label(field).fill(text)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Predict", "the keyboard suffices"
        page.keyboard.press("Enter")
        page.wait_for_selector("section:not([hidden])")
        shown = page.locator("#shown").inner_text()
        assert all(text in shown for text in written)
        assert page.locator("#shown mark").all_text_contents() == marked
        assert page.locator("main img, main b, main i").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("details").get_attribute("open") is None
        assert wrong == []
        if folder := os.environ.get("SCREENSHOTS"):
            name = f"{request.node.callspec.id}-{scheme}-{width}.png"
            page.screenshot(path=Path(folder) / name, full_page=True)
        page.close()
