"""An exported graph answers in the shell as the model does that it was made of, or says why not."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
from cases import CASES
from tiny_export import exported, of_case

from helpers.cli.main import main
from helpers.errors import InputError
from helpers.export import formats, opening
from helpers.export.exporting import CERTIFICATE


@pytest.fixture(scope="module", params=["onnx", "onnx-int8"])
def folder(request, tmp_path_factory):
    """The folder of a tiny classifier and of its graph."""
    place = tmp_path_factory.mktemp(request.param)
    bounds = {"loss": 2.0} if request.param == "onnx-int8" else {}  # a tiny model that nobody trained
    with pytest.MonkeyPatch.context() as patch:
        form = formats.FORMATS[request.param]
        patch.setitem(formats.FORMATS, request.param, replace(form, **bounds))
        exported(place, of_case("classification"), request.param, CASES["classification"].rows(40))
    return place


def asked(model, data, capsys) -> list[dict]:
    """The lines that `helpers predict` writes."""
    assert main(["predict", str(model), "--data", str(data)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_predict_answers_with_a_graph_as_with_the_model(folder, tmp_path, capsys):
    rows = tiny.rows(60, 3)
    pd.DataFrame({"text": rows["text"]}).to_csv(tmp_path / "rows.csv", index=False)
    ours, theirs = (asked(folder / name, tmp_path / "rows.csv", capsys) for name in ("model", "out"))
    assert [line["row"] for line in ours] == [line["row"] for line in theirs] == list(range(1, 61))
    rounded = "int8" in folder.name
    for one, other in zip(ours, theirs, strict=True):
        values = (list(line["probabilities"].values()) for line in (one, other))
        np.testing.assert_allclose(*values, rtol=0, atol=0.05 if rounded else 2e-3)


def test_a_row_is_answered_alike_whatever_stands_beside_it(folder):
    predictor, rows = opening.opened(folder / "out"), tiny.rows(30, 4)
    together = predictor.predict(rows)
    apart = np.concatenate([predictor.predict(rows.select([i])) for i in range(len(rows))])
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-6)


@pytest.mark.parametrize("task", formats.ENCODERS)
def test_rows_that_a_graph_reads_one_by_one_have_the_outputs_of_a_batch(task, tmp_path):
    rows = CASES[task].rows(20)
    exported(tmp_path, of_case(task), "onnx", rows)
    predictor = opening.opened(tmp_path / "out")
    encoded = predictor.encode(rows)
    together = predictor.task.infer(predictor.model, encoded)
    predictor.model.apart = True
    for one, other in zip(together, predictor.task.infer(predictor.model, encoded), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-4, atol=1e-4)


def test_evaluate_scores_a_graph(folder, tmp_path, capsys):
    rows = tiny.rows(40, 5)
    table = {"text": rows["text"], "label": [("no", "yes")[label] for label in rows["label"]]}
    pd.DataFrame(table).to_csv(tmp_path / "rows.csv", index=False)
    scores = []
    for name in ("model", "out"):
        assert main(["evaluate", str(folder / name), "--data", str(tmp_path / "rows.csv")]) == 0
        scores.append(float(capsys.readouterr().out.split()[1]))  # accuracy 0.425 [0.270, 0.591] ...
    assert scores[0] == pytest.approx(scores[1], abs=0.1 if "int8" in folder.name else 0)


def test_a_graph_that_was_changed_afterwards_is_refused(tmp_path):
    exported(tmp_path, of_case("classification"), "onnx", CASES["classification"].rows(20))
    graph = tmp_path / "out" / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"model.onnx' is not the file that was tried; export the model again"):
        opening.opened(tmp_path / "out")
    graph.unlink()
    with pytest.raises(InputError, match="is not the file that was tried"):
        opening.opened(tmp_path / "out")


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        ("{", "the certificate '.*' cannot be read"),
        ('{"format": "onyx", "sha256": "0"}', "the certificate '.*' cannot be read"),
        ("[]", "the certificate '.*' cannot be read"),
        ('{"format": "gguf", "sha256": "0"}', "is a model for llama.cpp and Ollama, which answer with it"),
    ],
)
def test_a_folder_that_cannot_be_asked_is_one_sentence(tmp_path, certificate, message):
    (tmp_path / CERTIFICATE).write_text(certificate, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        opening.opened(tmp_path)


def test_without_onnxruntime_it_is_named(folder, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"'onnxruntime' is missing; the graph in '.*' needs pip install onnxruntime"):
        opening.opened(folder / "out")
