"""What every notebook begins with, and what reaches its text."""

import numpy as np
import pytest

from helpers.book import notebook
from helpers.errors import InputError


@pytest.fixture
def shown(monkeypatch):
    sentences = []
    monkeypatch.setattr(notebook, "display", lambda made: sentences.append(made.data))
    return sentences


def test_a_claim_that_does_not_hold_stops_the_page_with_its_sentence(shown):
    with pytest.raises(AssertionError, match="does not hold in this run: water is dry"):
        notebook.claim(False, "water is dry")
    notebook.claim(np.bool_(True), "water is wet")
    assert shown == ["water is wet"]


def test_a_claim_on_one_scale_must_hold_there_and_is_told_from_what_holds_at_another(shown, monkeypatch):
    monkeypatch.setenv("SFT_SCALE", "laptop")
    with pytest.raises(AssertionError, match="water is dry"):
        notebook.claim(False, "water is dry", on="laptop")
    monkeypatch.setenv("SFT_SCALE", "gpu")
    notebook.claim(True, "Water is wet.", on="laptop")
    notebook.claim(False, "Water is dry.", on="laptop")
    assert shown == ["Water is wet.", "Water is dry. *In this run that is not so: it is said of the scale laptop.*"]


def test_a_sentence_is_shown_as_it_is_said(shown):
    notebook.say("The gain is 0.1.")
    assert shown == ["The gain is 0.1."]


def test_findings_stand_in_one_box_and_one_that_does_not_hold_stops_the_page(shown):
    notebook.findings([(True, "A beats B by 0.1."), (np.bool_(True), "C costs nothing.")], "Try A.")
    assert "- A beats B by 0.1.\n- C costs nothing.\n\n**Rule.** Try A." in shown[0]
    with pytest.raises(AssertionError, match="does not hold in this run: C is free"):
        notebook.findings([(True, "A."), (False, "C is free.")], "Try A.")
    assert len(shown) == 1


def test_a_question_has_feedback_on_each_option_and_one_that_is_right(shown):
    notebook.predict("Which is <larger>?", {"A & B": "it is smaller", "C": "by a factor"}, right="C")
    assert shown[0].count("<details>") == 2 and shown[0].count("<strong>Right.</strong> by a factor") == 1
    assert "&lt;larger&gt;" in shown[0] and "A &amp; B" in shown[0]
    with pytest.raises(InputError, match="'D' is none of the options A, C"):
        notebook.predict("?", {"A": "", "C": ""}, right="D")


def test_a_transcript_shows_each_command_and_what_it_printed(shown, monkeypatch):
    class Kept:
        def texts(self):
            return [["old", "old"], ["helpers check a.csv", "1 < 2\nready", "helpers card m/", "m/README.md"]]

    monkeypatch.setattr(notebook.ledger, "read", lambda name: Kept())
    notebook.transcript("shell-a")
    assert "<b>$ helpers check a.csv</b>\n1 &lt; 2\nready\n\n<b>$ helpers card m/</b>\nm/README.md" in shown[0]
    assert "old" not in shown[0], "the newest record counts"
    notebook.transcript("shell-a", start=1)
    assert "<b>$ helpers card m/</b>\nm/README.md" in shown[1] and "check" not in shown[1]


def test_start_tells_the_scale_and_seeds(monkeypatch):
    monkeypatch.setenv("SFT_SCALE", "laptop")
    assert notebook.start(3) == "laptop"
    first = np.random.random()
    notebook.start(3)
    assert np.random.random() == first
