"""`helpers export` as it is typed: what it prints, and one sentence for a mistake."""

import json
import shutil
from pathlib import Path

import pytest
import tiny
from tiny_export import of_case, saved

from helpers.cli.main import main
from helpers.export import exporting


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(saved(tmp_path_factory.mktemp("export") / "model", of_case("classification")))


@pytest.fixture
def rows(tmp_path) -> str:
    named = [{"body": row["text"], "verdict": ["no", "yes"][row["label"]]} for row in tiny.rows(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    return str(tmp_path / "rows.jsonl")


def test_it_prints_the_certificate_and_says_where_the_file_is(model, rows, tmp_path, capsys):
    out, columns = str(tmp_path / "made" / "out"), ["--text", "body", "--label", "verdict"]
    assert main(["export", model, "--to", "onnx", "--data", rows, "--output", out, "--rows", "10", *columns]) == 0
    written = capsys.readouterr()
    assert written.out.startswith("100.0% of the answers on 10 rows of rows.jsonl are PyTorch's; accuracy 0.")
    assert f"model.onnx in {out}, with its certificate and its card" in written.err
    assert main(["export", model, "--to", "onnx", "--data", rows, "--output", out, *columns]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.fixture
def own(model, tmp_path) -> Path:
    """A copy of the folder of the model, which a test may damage."""
    return Path(shutil.copytree(model, tmp_path / "own"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("scores.json", None, "is not a model that helpers has saved"),
        ("data_card.json", "{}", "holds settings that this version of helpers does not read (KeyError: 'name')"),
    ],
)
def test_a_model_without_a_card_is_told_before_the_work(
    name, content, sentence, own, rows, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(exporting, "_written", None)
    (own / name).unlink() if content is None else (own / name).write_text(content, encoding="utf-8")
    where = ["--data", rows, "--output", str(tmp_path / "out"), "--text", "body", "--label", "verdict"]
    assert main(["export", str(own), "--to", "onnx", *where]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not (tmp_path / "out").exists()


def test_an_exported_model_is_not_exported_again(own, rows, tmp_path, capsys):
    (own / "model.safetensors").unlink()
    (own / exporting.CERTIFICATE).write_text("{}", encoding="utf-8")
    assert main(["export", str(own), "--to", "onnx", "--data", rows, "--output", str(tmp_path / "out")]) == 2
    assert (
        capsys.readouterr().err
        == f"helpers: '{own}' is an exported model itself; give the folder that it was made of\n"
    )


MISTAKES = {
    "no model": (["--to", "onnx"], "somewhere", "is not a model that helpers has saved"),
    "another task's form": (["--to", "gguf"], None, "'gguf' holds no models for classification; choose onnx or"),
    "another task's column": (["--to", "onnx", "--prompt", "body"], None, "--prompt is an option of generation"),
    "no such column": (["--to", "onnx"], None, "has no column 'text'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(mistake, model, rows, tmp_path, capsys):
    given, folder, sentence = MISTAKES[mistake]
    assert main(["export", folder or model, *given, "--data", rows, "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("helpers: ") and sentence in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
