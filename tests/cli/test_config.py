"""`--config` and `run.toml`: a model says how it was made, and the same rows make it again bit by bit."""

import math
import string
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tiny
from safetensors.torch import load_file

from helpers.cli.main import main, parser
from helpers.saving import run_file

COLUMNS = ["--text", "body", "--label", "folder"]


@pytest.fixture(scope="module")
def given(tmp_path_factory, body) -> Path:
    """A folder with a file of rows, and a model that was trained on these."""
    folder = tmp_path_factory.mktemp("given")
    rows = tiny.rows(120).to_pandas().rename(columns={"text": "body", "label": "folder"})
    rows["folder"] = rows["folder"].map({0: "ham", 1: "-spam"})
    rows.to_csv(folder / "mail.csv", index=False)
    settings = ["--learning-rate", "3e-3", "--epochs", "3", "--max-length", "32", "--clip", "inf", "--no-texts"]
    where = ["--data", str(folder / "mail.csv"), "--model", body, "--output", str(folder / "model")]
    assert main(["train", *where, *COLUMNS, *settings]) == 0
    return folder


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(capsys, *arguments: str) -> str:
    """The one sentence with which a command line is refused."""
    capsys.readouterr()
    try:
        code = main(["train", *arguments])
    except SystemExit as exit:
        code = exit.code
    printed = capsys.readouterr()
    assert code == 2 and printed.out == "" and printed.err.count("\n") == 1
    return printed.err


def test_a_model_is_made_again_from_its_run_file(given, tmp_path):
    again = tmp_path / "again"
    assert main(["train", "--config", str(given / "model" / "run.toml"), "--output", str(again)]) == 0
    old, new = (load_file(folder / "model.safetensors") for folder in (given / "model", again))
    assert old.keys() == new.keys() and all((old[name] == new[name]).all() for name in old)
    assert (again / "run.toml").read_text() == (given / "model" / "run.toml").read_text()
    assert (again / "scores.json").read_text() == (given / "model" / "scores.json").read_text()


def test_the_run_file_holds_what_the_run_took(given):
    settings = tomllib.loads((given / "model" / "run.toml").read_text(encoding="utf-8"))
    assert settings["text"] == "body" and settings["label"] == "folder" and settings["no_texts"] is True
    assert settings["piece_tokens"] > 0 and settings["scale"] == "laptop" and settings["clip"] == math.inf
    assert not {"output", "config", "resume", "tune"} & set(settings)
    options = vars(parser().parse_args(["train", "--data", "x", "--output", "y"]))
    assert set(settings) <= set(options) | {"text", "label"}


def test_the_command_line_counts_more_than_the_file(tmp_path):
    path = written(tmp_path / "a.toml", 'epochs = 2\nlearning-rate = 1e-4\ndata = "x"\ntext = "-body"\nresume = true\n')
    for arguments in (["--config", path, "--epochs", "5"], ["--epochs", "5", f"--config={path}"]):
        options = parser().parse_args(["train", "--output", "y", *arguments])
        assert options.epochs == 5 and options.learning_rate == 1e-4 and options.resume
        assert options.data == "x" and options.text == "-body"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch = 3", "'epoch'"),
        ('config = "b.toml"', "'config'"),
        ("help = true", "'help'"),
        ("epochs = [1, 2]", "a list"),
        ("[recipe]\nepochs = 1", "'recipe'"),
        ("epochs = {a = 1}", "a table"),
        ("epochs = true", "true or false"),
        ("epochs = 2026-01-02", "2026"),
        ('resume = "yes"', "'yes'"),
        ("resume = 1", "switch"),
        ("max_length = 3.5", "a.toml' gives max_length as '3.5'; write a whole number"),
        ('rows = "many"', "a.toml' gives rows as 'many'; write a whole number"),
        ('scale = "huge"', "a.toml' gives scale as 'huge'; choose one of laptop, gpu"),
        (
            "learning_rate = 1e-4\nlearning-rate = 2e-4",
            "gives learning-rate, which is --learning-rate, in two spellings",
        ),
        ('"a\\nb" = 1', r"has the key 'a\nb', and"),
        ("epochs = ", "TOML"),
        ("epochs = ", "; write lines such as epochs = 3"),
        (r'data = "C:\users\x.csv"', r"); write paths in single quotes, as in data = 'C:\new\file.csv'"),
        (r'data = "C:\mail.csv"', r"); write paths in single quotes, as in data = 'C:\new\file.csv'"),
        (r'data = "C:\new\file.csv"', r"gives data as 'C:\new\x0cile.csv', which no file is called; write paths in"),
        (r'validation = "C:\temp.csv"', r"gives validation as 'C:\temp.csv', which no file is called; write paths in"),
        ('epochs = "three"', "epochs 'three'"),
        ("seed = -1", "seed -1"),
        ('task = "classify"', "classify"),
    ],
)
def test_a_file_that_says_nothing_useful_is_named(tmp_path, capsys, text, said):
    path = written(tmp_path / "a.toml", text)
    assert said in refused(capsys, "--config", path, "--data", "x.csv", "--output", str(tmp_path / "y"))
    assert [found.name for found in tmp_path.iterdir()] == ["a.toml"]


def test_paths_in_single_quotes_and_texts_with_line_ends_are_taken_as_they_are(tmp_path):
    path = written(tmp_path / "a.toml", 'data = \'C:\\new\\file.csv\'\nsystem = "one\\ntwo"\ntext = "a\\tb"\n')
    options = parser().parse_args(["train", "--output", "y", "--config", path])
    assert (options.data, options.system, options.text) == ("C:\\new\\file.csv", "one\ntwo", "a\tb")


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_cannot_be_read_is_named_with_a_remedy(tmp_path, capsys, name):
    said = refused(capsys, "--config", str(tmp_path / name), "--output", "y")
    assert f"'{tmp_path / name}' cannot be read (" in said and "; give a TOML file, such as the run.toml in" in said


def test_a_config_without_its_file_is_one_sentence(capsys):
    said = refused(capsys, "--output", "y", "--config")
    assert said == "helpers: argument --config: expected one argument; see 'helpers train --help'\n"


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_its_first_key(tmp_path):
    path = written(tmp_path / "a.toml", "\ufeffepochs = 2\n")
    assert parser().parse_args(["train", "--data", "x", "--output", "y", "--config", path]).epochs == 2


@pytest.mark.parametrize(
    ("key", "undo"),
    [("no_texts", "--texts"), ("resume", "--no-resume"), ("tune", "--no-tune"), ("shard", "--no-shard")],
)
def test_each_switch_of_a_file_is_turned_off_on_the_command_line(tmp_path, key, undo):
    path, words = written(tmp_path / "a.toml", f"{key} = true\n"), ["train", "--data", "x", "--output", "y", "--config"]
    assert getattr(parser().parse_args([*words, path]), key) is True
    for arguments in ([*words, path, undo], ["train", undo, *words[1:], path]):
        assert getattr(parser().parse_args(arguments), key) is False
    assert getattr(parser().parse_args(["train", "--data", "x", "--output", "y"]), key) is False


def test_every_switch_of_the_command_can_be_turned_off():
    actions = parser()._subparsers._group_actions[0].choices["train"]._actions
    on, off = ({a.dest for a in actions if a.nargs == 0 and a.const is value} for value in (True, False))
    assert on == off and on


def test_every_value_comes_back_as_it_was(tmp_path):
    letters = np.array([*string.printable, "é", "日", "😀", "\x7f", "\x00", "\x1f", "\u2028", "\\", '"'])
    draws = np.random.default_rng(0)
    settings = {f"t{i}": "".join(draws.choice(letters, draws.integers(0, 12))) for i in range(300)}
    settings |= {"a": 1e-05, "b": -0.0, "c": math.inf, "d": 3, "e": True, "f": False, "g": 1e22, "h": 5e-324}
    path = run_file.write(tmp_path, settings | {"none": None})
    assert tomllib.loads(path.read_bytes().decode("utf-8")) == settings
