"""Progress is shown to those who watch, and to nobody else."""

import sys

import pytest

from helpers import progress as module
from helpers.progress import Progress, watched


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def watch(monkeypatch) -> Terminal:
    """Let standard error be a terminal; called inside a test, since pytest sets its own between set-up and test."""
    monkeypatch.delenv("HELPERS_PROGRESS", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def test_a_terminal_sees_rows_per_second_time_left_loss_and_tokens(monkeypatch):
    terminal = watch(monkeypatch)
    with Progress(100, 10, shown=True) as progress:
        progress.update({"rows": 30, "tokens": 900, "epoch": 1, "step": 1, "loss": 0.5})
        progress.note({"accuracy": 0.75})
        progress.update({"rows": 60, "tokens": 900, "epoch": 2, "loss": 0.25})
        progress.bar.refresh()
    assert "100/100" in terminal.text and "row/s" in terminal.text
    assert "loss=0.250" in terminal.text and "tokens/s=" in terminal.text and "accuracy=0.750" in terminal.text


def test_a_log_has_a_line_for_each_evaluation_where_nobody_watches(monkeypatch):
    watch(monkeypatch)
    monkeypatch.setenv("HELPERS_PROGRESS", "0")
    lines = []
    with Progress(100, 10, shown=True, told=lines.append) as progress:
        for step, loss in enumerate((0.5, 0.3, 0.2), start=1):
            progress.update({"rows": 30, "tokens": 900, "epoch": 1 + step // 3, "step": step, "loss": loss})
            if step > 1:
                progress.note({"accuracy": 0.75, "log_loss": 0.5})
    scores = "validation accuracy 0.750, log_loss 0.500"
    assert lines == [f"epoch 1, step 2: loss 0.400; {scores}", f"epoch 2, step 3: loss 0.200; {scores}"]


def test_a_slow_run_has_a_pace():
    assert [module.pace(speed) for speed in (0, 0.041, 0.96, 5.4, 1234)] == [
        "0 rows/min",
        "2 rows/min",
        "58 rows/min",
        "5 rows/s",
        "1234 rows/s",
    ]


def test_nobody_else_sees_anything(monkeypatch):
    terminal = watch(monkeypatch)
    monkeypatch.setenv("HELPERS_PROGRESS", "0")
    assert not watched()
    with Progress(10, 0, shown=True) as progress:
        progress.update({"rows": 10, "tokens": 10, "epoch": 1, "loss": 0.5})
    assert terminal.text == ""


def test_other_processes_of_a_run_are_silent(monkeypatch):
    terminal = watch(monkeypatch)
    with Progress(10, 0, shown=False) as progress:
        progress.update({"rows": 10, "tokens": 10, "epoch": 1, "loss": 0.5})
    assert terminal.text == ""


@pytest.mark.parametrize(("rows", "told"), [(100_000, True), (5_000, False)])
def test_a_long_run_says_once_how_long_and_what_is_shorter_even_if_nobody_watches(monkeypatch, capsys, rows, told):
    clock = iter(range(0, 1000, 15))  # an update every 15 seconds
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with Progress(rows, 1_000, shown=True) as progress:
        for _ in range(4):
            progress.update({"rows": 150, "tokens": 10, "epoch": 1, "loss": 0.5})
    # after two updates, 300 rows in 30 seconds: 98,700 rows are left at 10 rows/s, or 3,700
    sentence = "about 164 minutes are left at 10 rows/s; fewer rows (--rows) or passes (--epochs) take less\n"
    assert capsys.readouterr().err == (sentence if told else "")
