"""An exported graph answers in the shell as the model does that it was made of, or says why not."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
from cases import CASES
from tiny_export import exported, of_case

from helpers.cli.main import main
from helpers.errors import InputError
from helpers.export import formats, graph, opening
from helpers.export.exporting import CERTIFICATE
from helpers.saving import manifest
from helpers.saving.folder import TOKENIZER


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


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    """The folder of the graph of a tagger."""
    place = tmp_path_factory.mktemp("tagger")
    predictor = of_case("tagging")
    predictor.model.config.update(predictor.task.configuration())
    exported(place, predictor, "onnx", CASES["tagging"].rows(20))
    return place / "out"


@pytest.fixture
def own(tagger, tmp_path):
    """A copy of that folder, which a test may spoil."""
    return shutil.copytree(tagger, tmp_path / "out")


def test_each_file_that_answers_is_the_one_that_was_tried(tagger, own):
    opening.opened(own)
    names = {path.name for path in own.iterdir()} - {CERTIFICATE, "README.md"}
    assert {"model.onnx", "task.json", "config.json", *TOKENIZER} <= names
    for name in names:
        before = (own / name).read_bytes()
        for changed in (before + b" ", None):
            (own / name).unlink() if changed is None else (own / name).write_bytes(changed)
            with pytest.raises(InputError, match=rf"{name}' is not the file that was tried; export the model again"):
                opening.opened(own)
            (own / name).write_bytes(before)
    (own / "README.md").unlink()  # the card is for people, who may change it
    (own / "notes.md").write_text("mine", encoding="utf-8")
    opening.opened(own)
    (own / graph.TRANSITIONS).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds transitions.json, which was not there when the model was tried; move"):
        opening.opened(own)


def test_a_certificate_that_was_changed_is_told(own):
    about = json.loads((own / CERTIFICATE).read_text(encoding="utf-8"))
    (own / CERTIFICATE).write_text(json.dumps(about), encoding="utf-8")  # laid out otherwise, and the same
    opening.opened(own)
    (own / CERTIFICATE).write_text(json.dumps(about | {"format": "onnx-int8"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be read \(it is not as it was written\); export the model again"):
        opening.opened(own)
    later = about | {"version": 3, "format": "later"}  # whose seal may be made otherwise, or be none
    (own / CERTIFICATE).write_text(json.dumps(later), encoding="utf-8")
    with pytest.raises(InputError, match=r"is of version 3, and this version of helpers reads 2; take the version"):
        opening.opened(own)
    (own / CERTIFICATE).unlink()
    with pytest.raises(InputError, match=r"holds an exported model without its certificate.json.*bring that file back"):
        opening.opened(own)


def test_a_folder_of_an_earlier_version_opens_with_a_warning_and_is_checked_as_far_as_can_be(own):
    about = json.loads((own / CERTIFICATE).read_text(encoding="utf-8"))
    old = {name: value for name, value in about.items() if name not in ("version", "files", "seal")}
    (own / CERTIFICATE).write_text(json.dumps(old), encoding="utf-8")
    with pytest.warns(UserWarning, match="vouches for model.onnx alone and not for the tokenizer and the labels"):
        opening.opened(own)
    for name, content, sentence in DAMAGES:
        before = (own / name).read_bytes()
        (own / name).unlink() if content is None else (own / name).write_text(content, encoding="utf-8")
        with pytest.warns(UserWarning, match="earlier version"), pytest.raises(InputError, match=sentence):
            opening.opened(own)
        (own / name).write_bytes(before)
    (own / "model.onnx").write_bytes(b"no graph")
    (own / CERTIFICATE).write_text(json.dumps(old | {"sha256": manifest.digest(own / "model.onnx")}), "utf-8")
    with pytest.warns(UserWarning), pytest.raises(InputError, match=r"cannot be read \(.*; export it again"):
        opening.opened(own)


DAMAGES = [
    ("task.json", "{", r"the exported model in '.*' cannot be read \(JSONDecodeError: .*\); export it again"),
    ("task.json", '{"name": "tagging", "tags": ["O"], "colour": 1}', r"cannot be read \(TypeError: .*colour"),
    ("task.json", '{"name": "tagging", "tags": ["O", "B-X"]}', r"label 2 is missing in task.json of '.*' and 'I-X' in"),
    ("config.json", "[]", r"the exported model in '.*' cannot be read"),
    ("tokenizer.json", None, r"lacks tokenizer.json, without which its model would read other tokens; bring"),
    ("tokenizer_config.json", None, r"lacks tokenizer_config.json, without which its model would read"),
    ("tokenizer.json", "{", r"the exported model in '.*' cannot be read"),
]


def test_a_graph_of_another_width_than_the_labels_is_told(own):
    for name in ("task.json", "config.json"):
        about = json.loads((own / name).read_text(encoding="utf-8"))
        about |= {"tags": ["O", "B-X"]} if name == "task.json" else {"id2label": {"0": "O", "1": "B-X"}}
        (own / name).write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(InputError, match=r"the graph in '.*' gives 3 scores, and its task.json names 2 labels; export"):
        graph.load(own, formats.FORMATS["onnx"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the certificate '.*' cannot be read"),
        ('{"format": "onyx", "sha256": "0"}', "the certificate '.*' cannot be read"),
        ("[]", "the certificate '.*' cannot be read"),
        ('{"format": "gguf", "sha256": "0"}', "is a model for llama.cpp and Ollama, which answer with it"),
    ],
)
def test_a_folder_that_cannot_be_asked_is_one_sentence(tmp_path, text, message):
    (tmp_path / CERTIFICATE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        opening.opened(tmp_path)


def test_without_onnxruntime_it_is_named(folder, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"'onnxruntime' is missing; the graph in '.*' needs pip install onnxruntime"):
        opening.opened(folder / "out")
