"""Error analysis: its counts are those of independent libraries, its files hold each row once, its page is safe."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from sklearn.metrics import precision_recall_fscore_support
from tiny_decoder import PLAIN, tokenizer

from helpers import Classification, Extraction, MultiLabel, Tagging
from helpers.data.bio import spans
from helpers.evaluation.classes import NOTHING
from helpers.metrics import span_counts
from helpers.tasks.extraction.spans import Span
from helpers.workflow import report
from helpers.workflow.analysis import analyse

HOSTILE = ("<script>alert(1)</script>", "a|b\nc", "$\\frac$", "日本 👩", "plain")
SECRET = "the user's own <b>words</b> & \x07 more"
LADDER = pd.DataFrame(
    {"accuracy": [0.5, 0.8], "low": [0.4, 0.7], "high": [0.6, 0.9], "n": [40, 40]},
    index=pd.Index(["<i>majority</i>", "fine-tuned"], name="system"),
)
TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


def drawn(seed: int, rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(classes), rows), random.integers(classes, size=rows)


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_of_each_class_are_those_of_scikit_learn(seed):
    probabilities, labels = drawn(seed, 40, 5)
    made = analyse(Classification(HOSTILE), probabilities, labels)
    expected = precision_recall_fscore_support(labels, probabilities.argmax(1), labels=range(5), zero_division=0)
    assert pytest.approx(np.array(expected)) == made.classes[["precision", "recall", "f1", "n"]].to_numpy().T
    assert made.confusion.to_numpy().sum() == len(made.rows) == 40
    losses = -np.log(probabilities[np.arange(40), labels])
    assert [row["loss"] for row in made.rows] == pytest.approx(losses)

    several = probabilities > 0.2
    true = np.random.default_rng(seed).random((40, 5)) > 0.5
    made = analyse(MultiLabel(HOSTILE, thresholds=(0.2,) * 5), probabilities, true)
    expected = precision_recall_fscore_support(true, several, zero_division=0)
    assert pytest.approx(np.array(expected)) == made.classes[["precision", "recall", "f1", "n"]].to_numpy().T
    assert (made.confusion.sum(axis=1) == 40).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_spans_of_each_kind_are_counted_once(seed):
    random = np.random.default_rng(seed)
    task = Tagging(TAGS)
    true, found = ([random.integers(5, size=n) for n in range(12)] for _ in range(2))
    made = analyse(task, found, true)
    named = [(task.names(a), task.names(b)) for a, b in zip(found, true, strict=True)]
    right, predicted, gold = np.sum([span_counts(*pair) for pair in named], axis=0)
    assert made.classes["n"].sum() == gold
    assert (made.classes["recall"] * made.classes["n"]).sum() == pytest.approx(right)
    assert made.confusion.drop(columns=NOTHING).to_numpy().sum() == predicted
    assert made.confusion.drop(index=NOTHING).to_numpy().sum() == gold
    for row, a, b in zip(made.rows, found, true, strict=True):
        own, theirs = spans(task.names(a)), spans(task.names(b))
        assert (row["loss"] == 0) == (own == theirs)
    words = analyse(Tagging(("noun", "verb")), [np.array([0, 1])], [np.array([1, 1])])
    assert words.confusion.loc["verb"].tolist() == [1, 1] and words.rows[0]["loss"] == 1


def test_questions_and_texts_are_ranked_by_what_they_lack():
    found = [Span(0, 3, "Ann", 5.0), Span(0, 3, "Bob", -5.0), Span(0, 3, "Eve", 9.0)]
    made = analyse(Extraction(threshold=0.0), found, [["Ann"], [], []])
    assert [row["loss"] for row in made.rows] == [0, 0, 1] and made.private
    assert made.classes["n"].to_dict() == {"answerable": 1, "not answerable": 2}
    texts = PLAIN.reported_task(tokenizer())
    made = analyse(texts, ["same", "other"], ["same", "wholly"])
    assert made.rows[0]["loss"] == pytest.approx(0) and made.rows[1]["loss"] > 0.5 and made.private
    assert made.classes["n"].unique() == [2]


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.tags, self.links, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]

    def handle_data(self, data):
        self.text += data


def written(folder, *, texts: bool = True) -> dict[str, str]:
    probabilities, labels = drawn(3, 40, 5)
    rows = Dataset.from_dict({"text": [f"{SECRET} {i}" for i in range(40)], "row": range(2, 42)})
    made = analyse(Classification(HOSTILE), probabilities, labels)
    history = pd.DataFrame({"step": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "validation_accuracy": [None, 0.5, 0.7]})
    report.write(folder, made, rows, title="a <model>", ladder=LADDER, history=history, texts=texts)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_each_row_is_written_once_and_the_hardest_by_their_loss(tmp_path):
    files = written(tmp_path)
    assert set(files) == {"predictions.jsonl", "hardest.jsonl", "classes.csv", "confusion.csv", "report.html"}
    rows = [json.loads(line) for line in files["predictions.jsonl"].splitlines()]
    assert [row["row"] for row in rows] == list(range(2, 42)) and rows[5]["text"] == f"{SECRET} 5"
    hardest = [json.loads(line) for line in files["hardest.jsonl"].splitlines()]
    assert hardest == sorted(rows, key=lambda row: -row["loss"])[: report.HARDEST]
    counts = pd.read_csv(tmp_path / "confusion.csv", index_col=0)
    assert counts.to_numpy().sum() == 40 and tuple(counts.columns) == HOSTILE


def test_the_page_shows_texts_as_texts_and_asks_nobody_for_anything(tmp_path):
    page = Page(written(tmp_path)["report.html"])
    assert not {"script", "b", "i", "img", "iframe", "link", "object"} & set(page.tags)
    assert page.tags.count("svg") == 5 and all(link.startswith(("#", "data:image/png")) for link in page.links)
    for shown in ("the user's own <b>words</b> &", HOSTILE[0], "<i>majority</i>", "a <model>"):
        assert shown in page.text
    assert not re.search(r"@import|url\((?!#)", (tmp_path / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("private", [False, True])
def test_texts_are_left_out_of_all_files_where_asked(tmp_path, private):
    if private:
        found = [Span(0, 3, SECRET, 5.0)]
        rows = Dataset.from_dict({"question": [SECRET], "context": [SECRET], "answers": [{"text": [SECRET]}]})
        made = analyse(Extraction(), found, [[SECRET]])
        report.write(tmp_path, made, rows, title="t", ladder=LADDER, texts=False)
    else:
        written(tmp_path, texts=False)
    for path in tmp_path.iterdir():
        assert "own" not in path.read_text(encoding="utf-8").replace("unknown", ""), path.name
