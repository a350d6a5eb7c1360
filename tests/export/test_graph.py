"""An ONNX graph answers as PyTorch does, for any number of rows and tokens, or is not handed over."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import tiny
import torch
from cases import CASES
from datasets import Dataset
from huggingface_hub import ModelCard
from tiny_export import exported, of_case, saved

from helpers import fit, saving
from helpers.errors import InputError
from helpers.export import exporting, formats, graph
from helpers.tasks.base import Predictor
from helpers.tasks.tagging.heads import TransitionScores

ZEROS = {"start": [0.0] * 3, "between": [[0.0] * 3] * 3, "end": [0.0] * 3}
ONNX = formats.FORMATS["onnx"]


@pytest.fixture(scope="module", params=formats.ENCODERS)
def task(request, tmp_path_factory) -> tuple:
    """A task, the folder of its graph, and its certificate."""
    rows = CASES[request.param].rows(30)
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder / "out", exported(folder, of_case(request.param), "onnx", rows)


def test_a_graph_answers_as_pytorch_does(task):
    name, folder, certificate = task
    assert (certificate.equal, certificate.n) == (1.0, 30)
    assert certificate.largest < 1e-4 and certificate.difference.value == 0
    plain, loaded, rows = of_case(name), graph.load(folder, ONNX), CASES[name].rows(30)
    for some in (rows, rows.select([3])):  # a batch of many, and a row alone
        ours, theirs = (each.task.infer(each.model, each.encode(some)) for each in (plain, loaded))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-5)


def test_the_folder_holds_what_it_takes_and_proves_what_it_says(task):
    name, folder, certificate = task
    names = {path.name for path in folder.iterdir()}
    assert {"model.onnx", "config.json", "tokenizer.json", "task.json", "certificate.json", "README.md"} <= names
    told = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    assert told["sha256"] == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert (told["format"], told["n"], told["equal"]) == ("onnx", 30, certificate.equal)
    assert told["bounds"] == {"nats": 0.05, "equal": 0.99} and set(told["difference"]) >= {"value", "low", "high"}
    card = ModelCard.load(folder / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag) == ("onnx", CASES[name].task.pipeline_tag)
    assert certificate.sentence() in card.text and "## Limits" in card.text


def test_a_row_may_be_longer_than_those_that_were_traced(tmp_path):
    short, long = Dataset.from_list([{"text": "w1", "label": 0}]), Dataset.from_list([{"text": "w1 " * 40}])
    exported(tmp_path, of_case("classification"), "onnx", short)
    loaded, plain = graph.load(tmp_path / "out", ONNX), of_case("classification")
    np.testing.assert_allclose(loaded.predict(long), plain.predict(long), atol=1e-6)


def with_transitions() -> Predictor:
    """A tagger with a CRF whose transition scores are far from zero."""
    plain = of_case("tagging")
    plain.model.crf = TransitionScores(len(plain.task.tags))
    random = torch.Generator().manual_seed(0)
    for score in plain.model.crf.parameters():
        score.data = 3 * torch.randn(score.shape, generator=random)
    return Predictor(replace(plain.task, head="crf"), plain.model, plain.tokenizer)


def test_a_crf_decodes_with_the_transitions_beside_the_graph(tmp_path):
    rows, tagger = CASES["tagging"].rows(30), with_transitions()
    assert exported(tmp_path, tagger, "onnx", rows).equal == 1.0
    told = json.loads((tmp_path / "out" / graph.TRANSITIONS).read_text(encoding="utf-8"))
    np.testing.assert_array_equal(np.float32(told["between"]), tagger.model.crf.between.detach())


def test_a_crf_that_loses_its_transitions_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "transition_scores", lambda model: ZEROS)
    with pytest.raises(InputError, match="of the answers are PyTorch's, and 99% must be"):
        exported(tmp_path, with_transitions(), "onnx", CASES["tagging"].rows(30))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_eight_bits_are_judged_by_the_answers(tmp_path):
    case, rows = CASES["classification"], tiny.rows(300)
    run = fit(case.task, case.model(), case.tokenizer(), rows, None, tiny.recipe(learning_rate=1e-2, epochs=6))
    learnt = Predictor(case.task, run.model.cpu().eval(), case.tokenizer())
    certificate = exported(tmp_path, learnt, "onnx-int8", rows)
    assert certificate.largest > 1e-4 and certificate.equal > 0.98 and certificate.difference.low > -0.02
    kinds = {each.data_type for each in onnx.load(tmp_path / "out" / "model.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".onnx", ".json", ".md"}


def test_sums_of_8_bit_products_are_not_cut_off(tmp_path):
    """On x86 processors without VNNI they are by default, so there the sum tells; elsewhere the option alone does."""
    tensor, width = onnx.helper.make_tensor_value_info, 64
    node = onnx.helper.make_node("MatMulInteger", ["a", "b"], ["sum"])
    largest = onnx.numpy_helper.from_array(np.full((width, 8), 127, np.int8), "b")
    inputs = [tensor("a", onnx.TensorProto.UINT8, ["rows", width])]
    outputs = [tensor("sum", onnx.TensorProto.INT32, ["rows", 8])]
    model = onnx.helper.make_graph([node], "product", inputs, outputs, [largest])
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(model, opset_imports=[opset], ir_version=8), tmp_path / "model.onnx")
    tiny.model().config.save_pretrained(tmp_path)
    session = graph.Graph(tmp_path / "model.onnx").session
    assert session.run(None, {"a": np.full((1, width), 255, np.uint8)})[0].tolist() == [[width * 127 * 255] * 8]
    assert session.get_session_options().get_session_config_entry("session.x64quantprecision") == "1"


@pytest.mark.parametrize("to", ["onnx", "onnx-int8"])
def test_a_graph_that_answers_otherwise_is_refused_and_leaves_nothing(to, tmp_path, monkeypatch):
    other, traced = tiny.model(dropout=0.0, initializer_range=0.5).eval(), graph._traced
    monkeypatch.setattr(graph, "_traced", lambda model, *given: traced(other, *given))
    with pytest.raises(InputError, match=f"'{to}' of '.*' is not handed over"):
        exported(tmp_path, of_case("classification"), to, tiny.rows(200))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


MISTAKES = {
    "a task without a form": (("seq2seq", {}), "'onnx' holds no models for seq2seq; no format"),
    "no rows": (("classification", {"count": 0}), "an export is tried on at least one labelled row"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake, tmp_path):
    (name, more), sentence = MISTAKES[mistake]
    with pytest.raises(InputError, match=sentence):
        exported(tmp_path, of_case(name), "onnx", CASES[name].rows(8), **more)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_output_that_exists_stays_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        exported(tmp_path, of_case("classification"), "onnx", tiny.rows(8))
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_module_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(InputError, match=r"'onnxscript' is missing; .* needs pip install onnx onnxruntime onnxscript"):
        exported(tmp_path, of_case("classification"), "onnx", tiny.rows(8))


def test_onnxruntime_keeps_no_id_of_the_machine_and_sends_nothing(tmp_path):
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    quiet = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | places
    subprocess.run([sys.executable, "-c", "import helpers.export, onnxruntime"], env=quiet, check=True)
    assert list(tmp_path.iterdir()) == []


def test_rows_are_drawn():
    assert len(exporting._drawn(tiny.rows(50), 20, "x")) == 20
    assert exporting._drawn(tiny.rows(5), 20, "x")["text"][:] == tiny.rows(5)["text"][:]


def test_rows_that_cannot_show_it_are_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_written", None)
    with pytest.raises(
        InputError, match=r"^120 rows of rows.jsonl cannot show that 'onnx-int8' loses less than 0.02: "
    ):
        exported(tmp_path, of_case("classification"), "onnx-int8", tiny.rows(120))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("count", [1, 2, 60])
def test_so_many_rows_as_are_asked_for_are_enough_and_one_less_is_not(count):
    form = formats.FORMATS["onnx-int8"]
    with pytest.raises(InputError, match=r"give at least \d+ labelled rows$") as found:
        exporting._check_before(of_case("classification"), form, tiny.rows(count), "x")
    enough = int(str(found.value).split()[-3])
    exporting._check_before(of_case("classification"), form, tiny.rows(enough), "x")
    with pytest.raises(InputError, match="cannot show"):
        exporting._check_before(of_case("classification"), form, tiny.rows(enough - 1), "x")
    assert ("1 row of x" in str(found.value)) == (count == 1)
    grouped = tiny.rows(enough).add_column("group", [str(number % 9) for number in range(enough)])
    exporting._check_before(of_case("classification"), form, grouped, "x")


def test_folders_that_were_made_for_a_refused_export_go_again(tmp_path, monkeypatch):
    def refused(*_):
        raise InputError("refused")

    monkeypatch.setattr(exporting, "_written", refused)
    model = saved(tmp_path / "model", of_case("classification"))
    (tmp_path / "own").mkdir()
    for output in (tmp_path / "a" / "b" / "out", tmp_path / "own" / "out"):
        with pytest.raises(InputError, match="refused"):
            exporting.export(saving.load(model), "onnx", tiny.rows(8), output, model=model, data="x")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_dir()) == ["model", "own"]
