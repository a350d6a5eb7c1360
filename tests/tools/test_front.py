"""The first page and the picture of README.md: what they say is today's, and each chapter has its card."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.book import ledger
from tools import book, front, thumbnails

ROOT = Path(__file__).resolve().parents[2]


def chapters() -> list[str]:
    return [name for part, names in front.parts(ROOT).items() if part not in front.NO_CARDS for name in names]


def test_the_picture_of_the_readme_is_todays():
    drawn = front.standing_alone(front.picture(front.curves()))
    drawn, kept = (re.sub(r"tip\d+", "tip", text) for text in (drawn, (ROOT / front.PICTURE).read_text("utf-8")))
    assert drawn == kept, "run: python -m tools.front"
    assert str(front.PICTURE) in (ROOT / "README.md").read_text(encoding="utf-8")
    assert ET.fromstring(kept).find("{http://www.w3.org/2000/svg}title").text


def test_the_worth_of_pretraining_is_where_the_line_between_two_sizes_has_the_accuracy():
    found = front.curves()
    results = ledger.read("reviews-curve")
    reached = results.where(system="fine-tuned", train_rows=front.FEW).correct().mean()
    below, above = [point for point in found.without if point[1] <= reached][-1], found.without[-1]
    share = np.log(found.worth / below[0]) / np.log(above[0] / below[0])
    assert below[1] + share * (above[1] - below[1]) == pytest.approx(reached, abs=0.002)
    assert f"{found.worth:,}" in front.caption(found) and f"{found.tested:,}" in front.caption(found)
    drawn = (
        results.frame[results.frame["system"].isin(["fine-tuned", "tf-idf"])].groupby(["system", "train_rows"]).size()
    )
    assert f"means of {drawn.min()} to {drawn.max()} runs a dot" in front.caption(found)


@pytest.mark.parametrize("name", chapters())
def test_each_chapter_has_a_card_with_a_question_and_a_picture(name):
    said = yaml.safe_load((ROOT / "book" / "cards.yml").read_text(encoding="utf-8"))
    assert said[name]["question"].endswith("?")
    assert said[name]["picture"] in thumbnails.PICTURES
    card = front.card(ROOT, name, said[name])
    assert said[name]["question"] in card and re.search(r"^\d+ min to read", card, re.MULTILINE)


def test_no_card_is_left_of_a_page_that_is_gone():
    said = yaml.safe_load((ROOT / "book" / "cards.yml").read_text(encoding="utf-8"))
    assert not set(said) - {name.removeprefix("book/") for name in book.documents(ROOT)}


@pytest.mark.parametrize("name", thumbnails.PICTURES)
def test_thumbnails_stay_in_their_frame(name):
    root = ET.fromstring(thumbnails.svg(name))
    for box in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, width, height = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= thumbnails.WIDTH and 0 <= y <= y + height <= thumbnails.HEIGHT


@pytest.fixture
def root(tmp_path):
    (tmp_path / "book" / "part").mkdir(parents=True)
    for name in ("a", "part/b"):
        cells = [{"cell_type": "markdown", "source": [f"# Title of {name}\n", "word " * 320]}]
        (tmp_path / "book" / f"{name}.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    files = [{"file": f"book/{name}"} for name in ("a", "part/b")]
    contents = {"root": "book/index", "parts": [{"caption": "A part", "chapters": files}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(contents), encoding="utf-8")
    (tmp_path / "executed").mkdir()
    entry = {"book/a.ipynb": {"seconds": 90.4, "day": "2026-11-29", "machine": "M, 2 cores"}}
    (tmp_path / "executed" / "record.json").write_text(json.dumps(entry), encoding="utf-8")
    return tmp_path


def test_minutes_are_those_of_reading_and_of_the_run(root):
    assert front.minutes(root, "a") == "3 min to read, 1.5 min to run"
    assert front.minutes(root, "part/b") == "3 min to read"


def test_the_status_of_a_notebook_is_what_was_recorded(root):
    text = front.status(root)
    assert "| notebook | status | seconds | day | machine |\n| --- | --- | --: | --- | --- |\n" in text
    assert "| [Title of a](../a.ipynb) | ran to its end | 90 | 2026-11-29 | M, 2 cores |" in text
    assert "| [Title of part/b](../part/b.ipynb) | has not run |  |  |  |" in text
    assert text.startswith("The times add up to 2 minutes.\n") and text.endswith("| all |  | 90 |  |  |")


def test_what_is_the_same_for_all_notebooks_is_said_once(root):
    kept = root / "executed" / "record.json"
    entries = json.loads(kept.read_text(encoding="utf-8"))
    entries["book/part/b.ipynb"] = entries["book/a.ipynb"] | {"seconds": 29.6}
    kept.write_text(json.dumps(entries), encoding="utf-8")
    text = front.status(root)
    assert text.startswith("**Each of the 2 notebooks ran to its end, on 2026-11-29, on a machine with M, 2 cores.**")
    assert "| notebook | seconds |\n" in text and "| [Title of part/b](../part/b.ipynb) | 30 |\n" in text
    assert text.endswith("| all | 120 |")
    entries["book/part/b.ipynb"] |= {"day": "2026-11-30"}
    kept.write_text(json.dumps(entries), encoding="utf-8")
    text = front.status(root)
    assert "ran to its end, on a machine with M, 2 cores.**" in text
    assert "| [Title of part/b](../part/b.ipynb) | 30 | 2026-11-30 |\n" in text


def test_the_citation_is_that_of_the_file():
    text = front.citation(ROOT)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f"title = {{{cited['title']}}}" in text and f"version {cited['version']}" in text
    assert ("url = " in text) == ("url" in cited)
