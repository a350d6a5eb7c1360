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
        ("epochs = ", "TOML"),
        ('epochs = "three"', "epochs 'three'"),
        ("seed = -1", "seed -1"),
        ('task = "classify"', "classify"),
    ],
)
def test_a_file_that_says_nothing_useful_is_named(tmp_path, capsys, text, said):
    path = written(tmp_path / "a.toml", text)
    assert said in refused(capsys, "--config", path, "--data", "x.csv", "--output", str(tmp_path / "y"))
    assert [found.name for found in tmp_path.iterdir()] == ["a.toml"]


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, capsys, name):
    assert f"'{tmp_path / name}'" in refused(capsys, "--config", str(tmp_path / name), "--output", "y")


def test_every_value_comes_back_as_it_was(tmp_path):
    letters = np.array([*string.printable, "é", "日", "😀", "\x7f", "\x00", "\x1f", "\u2028", "\\", '"'])
    draws = np.random.default_rng(0)
    settings = {f"t{i}": "".join(draws.choice(letters, draws.integers(0, 12))) for i in range(300)}
    settings |= {"a": 1e-05, "b": -0.0, "c": math.inf, "d": 3, "e": True, "f": False, "g": 1e22, "h": 5e-324}
    path = run_file.write(tmp_path, settings | {"none": None})
    assert tomllib.loads(path.read_bytes().decode("utf-8")) == settings
