"""Files in public shapes hold the rows that they were made of, and what was printed came of today's commands."""

import json
import shlex
from pathlib import Path

import pytest

from experiments import shell
from helpers import corpora, sample
from helpers.book import ledger
from helpers.cli.main import parser
from helpers.tasks import registry

RECORDED = [name for name in shell.CORPUS if name in ledger.experiments()]


def rows(name: str, count: int = 30):
    return sample(corpora.load(shell.CORPUS[name]).data["train"], count, 0)


def trained(commands: list[str]):
    """The options of the command that trains, once or in a search."""
    (command,) = [command for command in commands if command.startswith(("helpers train", "helpers tune"))]
    return parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("name", shell.CORPUS)
def test_a_file_of_a_shape_holds_the_rows_that_it_was_made_of(tmp_path, name):
    given = rows(name)
    options = trained(shell.WRITERS[name](tmp_path, given))
    columns = {key: vars(options)[key] for key in ("text", "label") if key in vars(options)}
    found = registry.wing(options.task, "files").read(tmp_path / options.data, **columns)
    if name in ("shell-dotted", "shell-onnx", "shell-tune"):
        labels = given.features["label"]
        assert found["text"].tolist() == given["text"][:]
        assert found["label"].tolist() == [labels.int2str(label) for label in given["label"]]
    elif name == "shell-doccano":
        texts = ["".join(words) for words in found["tokens"]]
        assert texts == ["".join(words) for words in given["tokens"]], "the same characters, in words of its own"
        spans = [sum(tag.startswith("B-") for tag in tags) for tags in found["tags"]]
        names = given.features["tags"].feature
        assert spans == [sum(names.int2str(tag).startswith("B-") for tag in tags) for tags in given["tags"]]
    elif name == "shell-squad":
        keys = [sorted(zip(part["question"], part["context"], strict=True)) for part in (given, found)]
        assert keys[0] == keys[1]
        assert sorted(str(a["text"]) for a in found["answers"]) == sorted(str(a["text"]) for a in given["answers"])
    else:
        assert found["prompt"].tolist() == given["prompt"][:] and found["completion"].tolist() == given["completion"][:]


@pytest.mark.parametrize("name", RECORDED)
def test_commands_that_are_recorded_are_those_of_today_and_printed_something(tmp_path, name):
    kept = ledger.read(name).texts()[-1]
    commands = shell.WRITERS[name](tmp_path, rows(name, 9))
    assert kept[::2] == commands
    assert all(printed.strip() for printed in kept[1::2]) and "Traceback" not in "".join(kept)
    assert trained(commands).run


def test_what_depends_on_the_clock_or_on_colours_is_left_out(tmp_path, monkeypatch):
    said = "expected are about 3 min and a peak\nabout 2 minutes are left\n"
    said += "\x1b[31mone\x1b[0m: 12.5 rows/s, after 41 s\n"
    program = Path(tmp_path / "say.py")
    program.write_text(f"print({json.dumps(said)})", encoding="utf-8")
    monkeypatch.setattr(shell.shlex, "split", lambda command: ["say"])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    shown = shell.run("helpers say", tmp_path)
    assert "\x1b" not in shown and "41 s" not in shown and "12.5" not in shown
    assert shown.splitlines()[:2] == ["expected are about ... and a peak", "about ... are left"]
