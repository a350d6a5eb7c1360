"""`helpers export` as it is typed: what it prints, and one sentence for a mistake."""

import json

import pytest
import tiny
from tiny_export import of_case, saved

from helpers.cli.main import main


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
