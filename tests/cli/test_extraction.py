"""Extraction in the shell: train, evaluate, predict, and the mistakes."""

import io
import json
import sys
from pathlib import Path

import pytest
import tiny_extraction as tiny

from helpers import saving
from helpers.cli.main import main


def questions(path, count: int = 60, start: int = 0) -> str:
    """Rows of other people's: their own column names, one answer as text, none as an empty one."""
    rows = [
        {"q": row["question"], "passage": row["context"], "gold": "".join(row["answers"]["text"][:1])}
        for row in tiny.rows(start + count).select(range(start, start + count))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


COLUMNS = ["--question", "q", "--context", "passage"]


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    """A folder with the rows and a model trained on them in the shell."""
    folder = tmp_path_factory.mktemp("finder")
    tiny.model().save_pretrained(folder / "body")
    tiny.tokenizer().save_pretrained(folder / "body")
    fast = ["--learning-rate", "1e-2", "--epochs", "6", "--batch-rows", "8", "--max-length", "48", "--dropout", "0"]
    arguments = ["--data", questions(folder / "rows.jsonl"), *COLUMNS, "--answer", "gold"]
    made = ["--model", str(folder / "body"), "--output", str(folder / "model")]
    assert main(["train", "--task", "extraction", *arguments, *made, *fast]) == 0
    return folder


def test_training_chooses_a_threshold_and_saves_the_ladder(finder):
    task = saving.load(finder / "model").task
    assert task.max_length == 48 and task.threshold is not None
    scores = json.loads((finder / "model" / "scores.json").read_text(encoding="utf-8"))
    systems = ["no answer", "random span", "overlapping sentence", "fine-tuned"]
    assert [row["system"] for row in scores["ladder"]] == systems
    assert all(row["low"] <= row["f1"] <= row["high"] for row in scores["ladder"])


def test_evaluation_gives_an_interval_and_on_request_the_ladder(finder, capsys):
    arguments = ["evaluate", str(finder / "model"), "--data", questions(finder / "new.jsonl", 9, start=60), *COLUMNS]
    assert main([*arguments, "--answer", "gold"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("f1 ") and "n=9" in printed and "exact_match" in printed
    assert "random span" not in printed
    assert main([*arguments, "--answer", "gold", "--baselines", str(finder / "rows.jsonl")]) == 0
    assert "random span" in capsys.readouterr().out
    leaky = questions(finder / "leaky.jsonl", 3, start=58)
    assert main([*arguments, "--answer", "gold", "--baselines", leaky]) == 2
    assert "contexts of '" in (said := capsys.readouterr().err) and "too (1 of them)" in said


def test_questions_on_one_context_are_drawn_together(finder, capsys):
    once, twice = (Path(questions(finder / f"{name}.jsonl", 9, start=60)) for name in ("once", "twice"))
    twice.write_text(2 * once.read_text(encoding="utf-8"), encoding="utf-8")
    arguments = [*COLUMNS, "--answer", "gold", "--baselines", str(finder / "rows.jsonl")]
    ends = []
    for data in (once, twice):
        assert main(["evaluate", str(finder / "model"), "--data", str(data), *arguments]) == 0
        printed = capsys.readouterr().out
        cells = next(line.split()[2:5] for line in printed.splitlines() if line.startswith("no answer"))
        ends.append([float(cell) for cell in cells])
        assert "groups 9" in printed
    (value, low, high), (again, lower, higher) = ends
    assert value == again and low < high
    # A second copy of each row tells nothing new, so nothing narrows; independent rows would, to 0.71 of the width.
    # It widens a little, since rows of which each is a group of its own have the exact interval.
    assert lower <= low and high <= higher and (higher - lower) / (high - low) < 1.15


def test_predictions_are_pieces_of_the_context_or_empty(finder, capsys, monkeypatch):
    model, data = str(finder / "model"), questions(finder / "unseen.jsonl", 12)
    assert main(["predict", model, "--data", data, *COLUMNS]) == 0
    from_file = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    content = Path(data).read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    assert main(["predict", model, *COLUMNS]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == from_file
    rows = [json.loads(line) for line in content.splitlines()]
    for row, found in zip(rows, from_file, strict=True):
        assert found["answer"] == (row["passage"][found["start"] : found["end"]] if found["answer"] else "")
    assert {bool(found["answer"]) for found in from_file} == {True, False}


def test_half_a_character_on_standard_input_is_one_sentence(finder, capsys, monkeypatch):
    line = b'{"question": "Who?", "context": "Ann\\ud800"}\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert main(["predict", str(finder / "model")]) == 3
    assert "line 1 holds half a character" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b'{"question": "Who?"}\n', 2, "has no column 'context'"),
        (b'{"question": "Who?", "context": ["a"]}\n', 3, "is a list or an object"),
        (b"Who?\n", 3, "line 1 is not JSON"),
    ],
)
def test_standard_input_that_is_no_question_is_told(finder, capsys, monkeypatch, line, code, says):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert main(["predict", str(finder / "model")]) == code
    assert says in "".join(capsys.readouterr())
