"""A saved model is complete, loads without this package, and overwrites nothing."""

import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
from cases import CASES
from safetensors.torch import load_file, save_file
from tiny_export import of_case, saved
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from helpers import saving
from helpers.data.corpus import text_corpus
from helpers.errors import InputError
from helpers.saving import folder, manifest
from helpers.training import checkpoints, loop

FRAME = pd.DataFrame({"text": ["w1 w2", "w40 w41"], "label": ["no", "yes"]})
CARD = text_corpus(
    {"train": FRAME}, ["no", "yes"], name="x", source="y", licence="z", unit="row", split_rule="none"
).card


@pytest.fixture
def run(tmp_path):
    return loop.fit(
        tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(), None, tiny.recipe(epochs=1), output=tmp_path / "model"
    )


def test_a_saved_model_predicts_the_same_and_loads_with_plain_transformers(tmp_path, run):
    data = tiny.rows(20, 3)
    folder = replace(run, scores={"accuracy": 0.5}).save(tmp_path / "model", CARD)
    expected = tiny.TASK.predict(run.model.cpu(), tiny.TASK.encode(tiny.tokenizer(), data))  # where loading puts it
    loaded = saving.load(folder)
    task, model, tokenizer = loaded.task, loaded.model, loaded.tokenizer
    assert task == tiny.TASK
    np.testing.assert_array_equal(task.predict(model, task.encode(tokenizer, data)), expected)

    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)(
        list(data["text"]), padding=True, truncation=True, return_tensors="pt"
    )
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    np.testing.assert_allclose(plain(**inputs).logits.softmax(-1).detach(), expected, atol=1e-6)
    assert plain.config.id2label == {0: "no", 1: "yes"}


def test_a_saved_model_carries_how_it_came_to_be(tmp_path, run):
    folder = replace(run, scores={"accuracy": 0.5}).save(tmp_path / "model", CARD)
    told = {
        path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in (".json", ".csv")
    }
    assert json.loads(told["recipe.json"]) == run.recipe.to_dict()
    assert json.loads(told["data_card.json"])["sha256"] == CARD.sha256
    assert json.loads(told["scores.json"]) == {"accuracy": 0.5}
    assert len(told["history.csv"].splitlines()) == 1 + len(run.history)
    assert not list(folder.glob("*.bin")) and (folder / "model.safetensors").is_file()
    assert not checkpoints.work_folder(folder).exists()


def test_an_output_that_exists_is_not_touched(tmp_path, run):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"the output folder '.*model' exists already; choose another name"):
        run.save(tmp_path / "model", CARD)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["mine.txt"]
    assert checkpoints.newest(tmp_path / "model.training") is not None


def test_an_output_below_missing_folders_is_free_and_one_below_a_file_is_one_sentence(tmp_path):
    saving.check_free(tmp_path / "a" / "b" / "model")
    (tmp_path / "a").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be made, because '.*a' is a file; choose another folder"):
        saving.check_free(tmp_path / "a" / "b" / "model")


def test_a_link_that_leads_nowhere_and_a_name_that_no_disk_takes_are_in_the_way(tmp_path):
    (tmp_path / "model").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"the output folder '.*model' exists already"):
        saving.check_free(tmp_path / "model")
    saving.check_free(tmp_path / ("é" * 115))
    for name in ("é" * 116, "a" * 300):
        with pytest.raises(InputError, match=r"has (232|300) bytes, and .* takes 230; choose a shorter one"):
            saving.check_free(tmp_path / name)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_every_file_of_a_saved_model_has_the_mode_that_the_umask_gives(tmp_path, run, umask):
    before = os.umask(umask)
    try:
        folder = run.save(tmp_path / "model", CARD)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o666 & ~umask}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask


KILLED = """
import os, sys, signal
from pathlib import Path
from helpers.saving import folder
with folder.scratch_folder(Path(sys.argv[1])) as scratch:
    scratch.mkdir()
    (scratch / "model.safetensors").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_save_left_goes_with_the_next_and_nothing_else_does(tmp_path, run):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "model")], check=False)
    (left,) = tmp_path.glob("model.saving-*")
    kept = ["model.saving-notes/lock", "model.saving-notes/mine.txt", "model.saving-2/model/a", "model2.saving-3/lock"]
    for name in kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with folder.scratch_folder(tmp_path / "model") as other:  # a save that goes on elsewhere
        run.save(tmp_path / "model", CARD)
        assert other.parent.is_dir() and not left.exists()
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*.saving-*/**/*") if path.is_file()}
    assert files == set(kept)


def earlier(model: Path) -> Path:
    """A saved model as earlier versions left it, without the hashes of its files."""
    (model / manifest.NAME).unlink()
    return model


def test_a_file_that_decides_answers_and_was_changed_or_lost_is_refused_before_it_is_read(tmp_path, run):
    model = run.save(tmp_path / "model", CARD)
    hashes = json.loads((model / manifest.NAME).read_text(encoding="utf-8"))
    assert set(hashes) == {path.name for path in model.iterdir()} - {manifest.NAME, *manifest.TOLD}
    for name in hashes:
        before = (model / name).read_bytes()
        (model / name).write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        with pytest.raises(InputError, match=rf"^{name} in '.*model' is not the file that was saved there; bring"):
            saving.load(model)
        (model / name).unlink()
        with pytest.raises(InputError, match=rf"^'.*model' lacks {name}, without which .*; bring that file back"):
            saving.load(model)
        (model / name).write_bytes(before)
    for name in manifest.TOLD:
        (model / name).write_text("", encoding="utf-8")
    saving.load(model)
    (model / manifest.NAME).write_text("[", encoding="utf-8")
    with pytest.raises(InputError, match=r"files.json', which says what the files of the model are, cannot be read"):
        saving.load(model)


@pytest.mark.parametrize("stopped_at", range(5))
def test_scores_that_are_added_leave_a_model_that_can_be_read_wherever_it_stops(tmp_path, run, monkeypatch, stopped_at):
    model, steps, move = run.save(tmp_path / "model", CARD), iter(range(100)), Path.replace

    def replace(self, target):
        if next(steps) == stopped_at:
            raise KeyboardInterrupt
        return move(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with suppress(KeyboardInterrupt):
        saving.add_scores(model, run.task, {"accuracy": 0.75})
    monkeypatch.undo()
    saving.load(model)
    saving.add_scores(model, run.task, {"accuracy": 0.75})
    saving.load(model)
    assert json.loads((model / "scores.json").read_text(encoding="utf-8")) == {"accuracy": 0.75}


def test_weights_that_a_folder_lacks_are_not_drawn(tmp_path, run):
    model = earlier(run.save(tmp_path / "model", CARD))
    weights = load_file(model / "model.safetensors")
    save_file({name: each for name, each in weights.items() if "classifier.bias" not in name},
              model / "model.safetensors", {"format": "pt"})  # fmt: skip
    with pytest.raises(InputError, match=r"^the weights in '.*model' have no classifier.bias that fits, which would"):
        saving.load(model)


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"is not a model that helpers has saved .*give its folder"):
        saving.load(tmp_path)


def test_a_model_of_another_version_is_told_as_such(tmp_path, run):
    model = earlier(run.save(tmp_path / "model", CARD))
    about = json.loads((model / "task.json").read_text(encoding="utf-8"))
    (model / "task.json").write_text(json.dumps(about | {"colour": 1}), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"saved by another version of helpers, .*'colour'\); take the version that saved"
    ):
        saving.load(model)


def test_a_model_without_weights_is_one_sentence(tmp_path, run):
    folder = earlier(run.save(tmp_path / "model", CARD))
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"the model in '.*' cannot be read .*train it again"):
        saving.load(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_that_was_put_beside_a_model_is_refused(tmp_path, run, name):
    folder = run.save(tmp_path / "model", CARD)
    saving.load(folder)
    (folder / name).write_text("{}")
    with pytest.raises(InputError, match=rf"holds {name}, which no saved model of helpers has; move it elsewhere"):
        saving.load(folder)


@pytest.mark.parametrize("name", folder.TOKENIZER)
def test_a_tokenizer_that_lost_a_file_is_not_made_up(tmp_path, run, name):
    model = earlier(run.save(tmp_path / "model", CARD))
    (model / name).unlink()
    with pytest.raises(InputError, match=rf"^'.*model' lacks {name}, without which .*; bring that file back, or make"):
        saving.load(model)


def test_a_tokenizer_that_is_damaged_is_one_sentence(tmp_path, run):
    model = earlier(run.save(tmp_path / "model", CARD))
    for name in folder.TOKENIZER:
        before = (model / name).read_bytes()
        (model / name).write_text("{", encoding="utf-8")
        with pytest.raises(
            InputError, match=r"^the model in '.*' cannot be read \(its tokenizer: .*\); train it again$"
        ):
            saving.load(model)
        (model / name).write_bytes(before)
    saving.load(model)


@pytest.mark.parametrize("task", ["classification", "multilabel", "tagging"])
def test_labels_that_are_not_the_model_s_are_refused(tmp_path, task):
    case = CASES[task]
    predictor = of_case(task)
    predictor.model.config.update(case.task.configuration())
    model = earlier(saved(tmp_path / "model", predictor))
    about = json.loads((model / "task.json").read_text(encoding="utf-8"))
    key = "tags" if task == "tagging" else "labels"
    (model / "task.json").write_text(json.dumps(about | {key: about[key][::-1]}), encoding="utf-8")
    first, last = about[key][0], about[key][-1]
    with pytest.raises(InputError, match=rf"label 0 is '{last}' in task.json of '.*model' and '{first}' in its config"):
        saving.load(model)
    (model / "task.json").write_text(json.dumps(about | {key: about[key] + ["B-more"]}), encoding="utf-8")
    with pytest.raises(InputError, match=rf"label {len(about[key])} is 'B-more' in task.json .* missing in its config"):
        saving.load(model)
    (model / "task.json").write_text(json.dumps(about), encoding="utf-8")
    assert saving.load(model).task == case.task


MISFITS = [
    ("config.json", {"hidden_act": "foo"}),
    ("config.json", {"hidden_size": 24}),
    ("config.json", {"vocab_size": 7}),
    ("config.json", {"id2label": ["no", "yes"]}),
    ("tokenizer_config.json", {"model_max_length": "x"}),
]


@pytest.mark.parametrize(("name", "change"), MISFITS, ids=str)
def test_files_that_do_not_fit_each_other_are_one_sentence(tmp_path, run, name, change):
    model = earlier(run.save(tmp_path / "model", CARD))
    about = json.loads((model / name).read_text(encoding="utf-8"))
    (model / name).write_text(json.dumps(about | change), encoding="utf-8")
    with pytest.raises(InputError, match=r"'.*model'"):
        saving.load(model).answers(["w1 w2"])


def test_weights_that_are_no_numbers_and_tokens_without_a_vector_have_no_answers(tmp_path, run):
    model = earlier(run.save(tmp_path / "model", CARD))
    weights = load_file(model / "model.safetensors")
    name = "classifier.bias"
    save_file(weights | {name: weights[name] * np.nan}, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=rf"^the weights '{name}' in '.*model' are not all finite"):
        saving.load(model)
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["one", "more"])
    tokenizer.save_pretrained(model)
    with pytest.raises(
        InputError, match=r"^the tokenizer in '.*model' has the token \d+, and its model \d+ embeddings"
    ):
        saving.load(model)


@pytest.mark.parametrize("name", [b"caf\xe9", b".."])
def test_a_name_that_could_not_be_written_at_the_end_is_refused_at_the_start(tmp_path, name):
    with pytest.raises(InputError, match=r"is not in UTF-8; rename it|ends without a name of its own"):
        saving.check_free(tmp_path / os.fsdecode(name))
