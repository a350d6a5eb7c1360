"""`helpers predict` as a stream: whole lines whenever it stops, and word of where it stands."""

import io
import json
import os
import signal
import sys

import pandas as pd
import pytest
import tiny

from helpers import saving
from helpers.cli import predict
from helpers.cli.main import main
from helpers.data.corpus import DataCard
from helpers.tasks.base import Predictor
from helpers.workflow import predict as streaming


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    card = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {})
    predictor = Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer())
    folder = tmp_path_factory.mktemp("predict") / "model"
    return str(saving.save(folder, predictor, recipe={}, history=pd.DataFrame({"step": [1]}), card=card))


@pytest.fixture
def rows(tmp_path, monkeypatch) -> str:
    monkeypatch.setattr(streaming, "WINDOW", 4)
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"text": "w{i}", "n": {i}.0}}\n' for i in range(10)))
    return str(tmp_path / "rows.jsonl")


class Interrupting(io.StringIO):
    """Standard output that Ctrl-C reaches in the middle of a line."""

    def write(self, text: str) -> int:
        half = len(text) // 2
        super().write(text[:half])
        os.kill(os.getpid(), signal.SIGINT)
        return half + super().write(text[half:])


def test_ctrl_c_in_the_middle_of_a_line_leaves_whole_ones(model, rows, monkeypatch, capsys):
    out = Interrupting()
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["predict", model, "--data", rows]) == 1
    assert [json.loads(line)["row"] for line in out.getvalue().splitlines()] == [1, 2, 3, 4]
    assert out.getvalue().endswith("\n") and "interrupted" in capsys.readouterr().err


def test_without_a_terminal_there_are_lines_of_progress(model, rows, monkeypatch, capsys):
    monkeypatch.setattr(predict, "PAUSE", 0.0)
    assert main(["predict", model, "--data", rows, "--id", "n"]) == 0
    written = capsys.readouterr()
    assert [json.loads(line)["id"] for line in written.out.splitlines()] == [float(i) for i in range(10)]
    told = written.err.splitlines()
    assert len(told) == 3 and told[0].startswith("4 of 10 rows, ") and told[-1].startswith("10 rows, ")
    assert all("rows/s" in line for line in told) and "s left" in told[0]
