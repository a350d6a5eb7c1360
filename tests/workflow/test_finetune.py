"""The main path tells what it expects, what each epoch brought and what looks wrong, which the saved model keeps."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import tiny
from transformers import PreTrainedTokenizerFast

from helpers import Classification, Recipe, finetune
from helpers.cli import train as command_train
from helpers.cli.main import main
from helpers.errors import InputError
from helpers.tasks.classification import files
from helpers.training import checkpoints, job
from helpers.training.loop import Run
from helpers.workflow import finetune as finetuning


def corpus(folder, odd: str = ""):
    frame = tiny.rows(160).to_pandas()
    frame["label"] = frame["label"].map({0: "ham", 1: "spam"})
    frame["text"] += odd
    frame.to_csv(folder / "mail.csv", index=False)
    return files.corpus(folder / "mail.csv")


def told(body, folder, recipe, odd: str = ""):
    rows, sentences = corpus(folder, odd), []
    task = Classification.for_corpus(rows, max_length=32)
    run = finetune(task, rows, recipe, folder / "model", model=body, note=sentences.append)
    return run, sentences, json.loads((folder / "model" / "scores.json").read_text(encoding="utf-8"))


def test_a_run_tells_its_plan_its_epochs_and_its_memory(body, tmp_path):
    run, sentences, saved = told(body, tmp_path, Recipe(learning_rate=3e-3, epochs=8, precision="fp32"))
    assert re.match(
        r"training 8 epochs of \d+ rows in \d+ steps; expected are about \d+ s and a peak of \d", sentences[0]
    )
    lines = [line for line in sentences if line.startswith("epoch ")]
    assert len(lines) == 8
    for line, (_, entry) in zip(lines, run.history.dropna().iterrows(), strict=True):
        assert line.startswith(f"epoch {entry['epoch']:.0f}, step {entry['step']:.0f}: loss ")
        assert f"accuracy {entry['validation_accuracy']:.3f}" in line
    assert any(f"at most {run.peak_memory_gb:.1f} GB" in line for line in sentences)
    assert saved["signs"] == list(run.signs)


def test_what_looks_wrong_is_told_and_saved_with_the_model(body, tmp_path):
    recipe = Recipe(learning_rate=1e-7, epochs=3, precision="fp32")
    run, sentences, saved = told(body, tmp_path, recipe, odd=" never seen words" * 3)
    assert run.signs[0].endswith("which reads about 100 languages")
    assert any("chance is log 2 = 0.69" in sign for sign in run.signs)
    assert any(sign.startswith("the highest probability") for sign in run.signs)
    assert saved["signs"] == list(run.signs) and set(run.signs) <= set(sentences)


def test_the_numbers_that_a_run_took_are_saved(body, tmp_path):
    run, _, _ = told(body, tmp_path, Recipe(batch_rows=64, learning_rate=1e-3))
    saved = json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))
    assert saved == run.recipe.to_dict() and saved["epochs"] == run.history["epoch"].max() == 20
    assert Recipe(**saved) == run.recipe


@pytest.mark.parametrize(("rows", "held"), [(300, 158), (100, 53), (30, 50)])
def test_rows_are_drawn_from_all_splits_at_one_share_but_not_below_fifty(tmp_path, rows, held):
    texts = [f"text number {i}" for i in range(1900)]
    frame = pd.DataFrame({"text": texts, "label": ["no", "yes"] * 950})
    parts = {"train": frame[:300], "validation": frame[300:458], "test": frame[458:616]}
    for name, part in parts.items():
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    whole = files.corpus(tmp_path / "train.csv", validation=tmp_path / "validation.csv", test=tmp_path / "test.csv")
    drawn = whole.drawn(rows, 1, held_out=True)
    assert drawn.card.rows == {"train": rows, "validation": held, "test": held}
    assert {name: len(split) for name, split in drawn.data.items()} == drawn.card.rows
    assert all(sum(drawn.card.labels[name].values()) == count for name, count in drawn.card.rows.items())
    gone = drawn.card.removed.get("not drawn for validation and test", 0)
    assert gone == 2 * (158 - held)
    assert whole.drawn(rows, 1).card.rows == {"train": rows, "validation": 158, "test": 158}


def test_nobody_else_trains_into_an_output_until_the_model_is_saved(body, tmp_path, monkeypatch):
    work, found, save = checkpoints.work_folder(tmp_path / "model"), [], Run.save

    def another():
        with checkpoints.alone(work):
            pass

    def saved(run, *arguments):
        with ThreadPoolExecutor() as pool:
            found.append(pool.submit(another).exception())
        return save(run, *arguments)

    monkeypatch.setattr(Run, "save", saved)
    told(body, tmp_path, Recipe(learning_rate=3e-3, epochs=1, precision="fp32"))
    assert "another run trains into" in str(found[0])
    another()
    assert not work.exists()


def train(body, folder, *more: str) -> int:
    """The exit code of the command that trains on the rows of `corpus`."""
    corpus(folder)
    places = ["--data", str(folder / "mail.csv"), "--model", body, "--output", str(folder / "model")]
    return main(["train", *places, "--epochs", "2", "--learning-rate", "3e-3", "--max-length", "32", *more])


def in_the_way(folder, patch):
    """Somebody makes a folder of the same name while the last step is computed; it can be moved away."""
    step = job.check_finite

    def made(*arguments):
        (folder / "model").mkdir(exist_ok=True)
        step(*arguments)

    patch.setattr(job, "check_finite", made)
    return lambda: (folder / "model").rmdir()


def full_disk(folder, patch):
    """The disk is full when the tokenizer is written, which tokenizers tells by a plain Exception."""

    def full(*_args, **_options):
        raise Exception("No space left on device (os error 28)")

    patch.setattr(PreTrainedTokenizerFast, "save_pretrained", full)
    return lambda: None


@pytest.mark.parametrize("mishap", [in_the_way, full_disk])
def test_a_model_that_cannot_be_saved_is_saved_later_without_training_again(
    body, tmp_path, capsys, monkeypatch, mishap
):
    for name in ("unbroken", "late"):
        (tmp_path / name).mkdir()
    assert train(body, tmp_path / "unbroken") == 0
    with monkeypatch.context() as patch:
        mend = mishap(tmp_path / "late", patch)
        assert train(body, tmp_path / "late") in (1, 2)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("helpers: ") and "the same command with --resume" in said
    mend()
    monkeypatch.setattr(job, "backward", None)
    assert train(body, tmp_path / "late", "--resume") == 0
    models = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("unbroken", "late")]
    assert models[0] == models[1]
    assert sorted(path.name for path in (tmp_path / "late").iterdir()) == ["mail.csv", "model"]


@pytest.fixture
def several(body, tmp_path):
    """A call that trains a model of several labels, whose thresholds validation chooses."""
    rows = tiny.rows(160).to_pandas()
    names = rows["label"].map({0: "ham", 1: "ham|late"})
    pd.DataFrame({"text": rows["text"], "labels": names}).to_csv(tmp_path / "mail.csv", index=False)
    return ["train", "--task", "multilabel", "--data", str(tmp_path / "mail.csv"), "--model", body, "--epochs", "1"]


def saved_task(folder):
    return json.loads((folder / "task.json").read_text(encoding="utf-8"))


def test_thresholds_are_saved_before_anything_is_scored(several, tmp_path, capsys, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    assert main([*several, "--output", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "_scored", stopped)
        assert main([*several, "--output", str(tmp_path / "model")]) == 1
    assert "without scores, and 'helpers evaluate' gives its scores" in capsys.readouterr().err
    assert saved_task(tmp_path / "model") == saved_task(tmp_path / "whole")
    assert saved_task(tmp_path / "model")["thresholds"] is not None
    monkeypatch.setattr(finetuning, "_calibrated", stopped)
    assert main([*several, "--output", str(tmp_path / "early")]) == 1
    assert "without thresholds and scores" in capsys.readouterr().err
    assert saved_task(tmp_path / "early")["thresholds"] is None


def test_a_disk_that_is_full_after_saving_says_that_the_model_is_there(body, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    corpus(tmp_path)
    command = ["train", "--data", str(tmp_path / "mail.csv"), "--model", body, "--epochs", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(finetuning.run_file, "write", full)
        assert main([*command, "--output", str(tmp_path / "model")]) == 0
    assert "has no run.toml, which could not be written" in capsys.readouterr().err
    assert (tmp_path / "model" / "scores.json").exists() and not (tmp_path / "model" / "run.toml").exists()
    monkeypatch.setattr(finetuning.report, "write", full)
    assert main([*command, "--output", str(tmp_path / "other")]) == 1
    assert "the model itself is saved in '" in capsys.readouterr().err


def test_a_data_file_whose_name_is_no_utf_8_is_refused_before_any_work(tmp_path):
    corpus(tmp_path)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    os.rename(tmp_path / "mail.csv", odd)
    with pytest.raises(InputError, match=r"caf\\xe9.csv' is not in UTF-8; rename it"):
        files.corpus(odd)


def test_curves_of_a_run_that_was_stopped_at_once_are_named_as_in_the_way(tmp_path):
    (tmp_path / "model.tensorboard").mkdir()
    sentence = command_train._interrupted(str(tmp_path / "model"))
    assert sentence.endswith(f"begins anew, once '{tmp_path / 'model.tensorboard'}' is moved away")
