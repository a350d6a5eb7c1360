"""A run deletes only what a run has made, and two runs into one output exclude each other."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny

from helpers import fit
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.training import checkpoints, job, loop, preparation

CARD = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {})
HOLDS = """\
import sys, time
from pathlib import Path
from helpers.training import checkpoints
with checkpoints.alone(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(60)"""


def run(output, **settings):
    return fit(
        tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), None, tiny.recipe(epochs=1), output=output, **settings
    )


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_the_user_where_checkpoints_go_is_refused_and_left_as_it_is(tmp_path, resume):
    own = tmp_path / "mail.training"
    own.mkdir()
    (own / "ham.txt").write_text("my only copy", encoding="utf-8")
    with pytest.raises(InputError, match=r"mail\.training', where checkpoints go, holds 'ham\.txt', which no run"):
        run(tmp_path / "mail", resume=resume)
    assert [path.name for path in own.iterdir()] == ["ham.txt"]
    assert (own / "ham.txt").read_text(encoding="utf-8") == "my only copy"


def test_a_file_that_a_browser_of_files_leaves_is_in_nobody_s_way(tmp_path):
    work = checkpoints.work_folder(tmp_path / "model")
    work.mkdir()
    (work / ".DS_Store").write_bytes(b"x")
    run(tmp_path / "model").save(tmp_path / "model", CARD)
    assert [path.name for path in work.iterdir()] == [".DS_Store"]


def test_saving_touches_no_folder_beside_its_own(tmp_path):
    beside = [tmp_path / name for name in ("mail.writing", "mail.old", "mail.1")]
    for folder in beside:
        folder.mkdir()
        (folder / "draft.txt").write_text("my only copy", encoding="utf-8")
    run(tmp_path / "mail").save(tmp_path / "mail", CARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail", "mail.1", "mail.old", "mail.writing"]
    assert all((folder / "draft.txt").read_text(encoding="utf-8") == "my only copy" for folder in beside)


def test_what_is_put_beside_checkpoints_while_a_run_lasts_stays(tmp_path):
    trained = run(tmp_path / "model")
    work = checkpoints.work_folder(tmp_path / "model")
    assert checkpoints.newest(work) is not None
    (work / "notes.txt").write_text("mine", encoding="utf-8")
    trained.save(tmp_path / "model", CARD)
    assert [path.name for path in work.iterdir()] == ["notes.txt"]


def test_a_run_that_saved_leaves_nothing_beside_its_model(tmp_path):
    run(tmp_path / "deep" / "model").save(tmp_path / "deep" / "model", CARD)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model"]
    assert (tmp_path / "deep" / "model" / "model.safetensors").stat().st_mode & 0o044 == 0o044


def test_two_runs_into_one_output_exclude_each_other(tmp_path):
    work = checkpoints.work_folder(tmp_path / "model")
    command = [sys.executable, "-c", HOLDS, str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as other:
        assert other.stdout.readline() == "holds\n"
        with pytest.raises(InputError, match=r"another run trains into .* now; wait for it"):
            run(tmp_path / "model")
        other.kill()
    time.sleep(0.1)
    assert run(tmp_path / "model").history["step"].iloc[-1] == 1  # a killed run holds nothing


@pytest.mark.parametrize("beside", [True, False])
def test_the_moments_of_the_optimiser_are_gone_before_the_best_weights_come(tmp_path, monkeypatch, beside):
    held = []

    def watched(run, weights):
        held.append(len(run.optimizer.state))
        return load(run, weights)

    load = job.Job.load_weights
    monkeypatch.setattr(job.Job, "load_weights", watched)
    work = tmp_path / "m.training" if beside else None
    rows = tiny.rows(32), tiny.rows(16)
    prepared = preparation.prepare(tiny.TASK, tiny.model(), tiny.tokenizer(), *rows, tiny.recipe(), work)
    loop.carry_out(prepared)
    assert held == [0]


def stopped_here(*_):
    raise AssertionError("a step was trained again")


@pytest.mark.parametrize("validation", [None, tiny.rows(40, 1)], ids=["the last weights", "the best weights"])
@pytest.mark.parametrize("patience", [None, 1])
def test_a_finished_run_that_was_not_saved_is_taken_up_without_a_step(tmp_path, monkeypatch, validation, patience):
    changes = {"epochs": 12, "checkpoint_steps": 1000, "patience": patience, "learning_rate": 2e-2}
    arguments = tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), validation, tiny.recipe(**changes)
    first = fit(*arguments, output=tmp_path / "model")
    work = checkpoints.work_folder(tmp_path / "model")
    assert checkpoints.newest(work).name == f"step-{first.history['step'].iloc[-1]:09d}"
    kept = sum(path.stat().st_size for path in {p.stat().st_ino: p for p in work.rglob("*.safetensors")}.values())
    assert kept < 1.1 * 4 * sum(p.numel() for p in first.model.parameters()) + 20_000, "one copy of the weights"
    monkeypatch.setattr(job, "backward", stopped_here)
    again = tiny.model()
    second = fit(arguments[0], again, *arguments[2:], output=tmp_path / "model", resume=True)
    assert second.history.equals(first.history) and second.best == first.best
    for (name, one), other in zip(first.model.named_parameters(), again.parameters(), strict=True):
        assert (one == other).all(), name


def test_a_model_that_cannot_be_saved_is_kept_and_saved_as_another_output(tmp_path, monkeypatch):
    rows, recipe = (tiny.rows(8), None), tiny.recipe(epochs=1, checkpoint_steps=1000)
    trained = fit(tiny.TASK, tiny.model(), tiny.tokenizer(), *rows, recipe, output=tmp_path / "model")
    (tmp_path / "model").mkdir()
    with pytest.raises(InputError, match=r"exists already; .* the training is kept: the same command with --resume"):
        trained.save(tmp_path / "model", CARD)
    checkpoints.work_folder(tmp_path / "model").rename(tmp_path / "other.training")
    monkeypatch.setattr(job, "backward", stopped_here)
    again = fit(tiny.TASK, tiny.model(), tiny.tokenizer(), *rows, recipe, output=tmp_path / "other", resume=True)
    again.save(tmp_path / "other", CARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "other"]


def test_a_last_checkpoint_that_cannot_be_written_costs_nobody_the_model(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoints, "save", full)
    recipe = tiny.recipe(epochs=1, checkpoint_steps=1000)
    with pytest.warns(UserWarning, match=r"the last checkpoint could not be written \(No space .*\); save the model"):
        trained = fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), None, recipe, output=tmp_path / "model")
    trained.save(tmp_path / "model", CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("shard", [True, False])
def test_a_checkpoint_of_two_processes_has_one_remedy_in_one(tmp_path, shard):
    run(tmp_path / "model")
    work = checkpoints.work_folder(tmp_path / "model")
    file = checkpoints.newest(work) / checkpoints.STATE
    about = json.loads(file.read_text(encoding="utf-8"))
    about["identity"] |= {"shard": True, "processes": 2}
    file.write_text(json.dumps(about), encoding="utf-8")
    recipe = tiny.recipe(epochs=1, shard=shard)
    sentence = r"is of 2 processes; start as many with torchrun --nproc-per-node 2 .*, or delete '.*' to start anew$"
    with pytest.raises(InputError, match=sentence):
        fit(
            tiny.TASK,
            tiny.model(),
            tiny.tokenizer(),
            tiny.rows(8),
            None,
            recipe,
            output=tmp_path / "model",
            resume=True,
        )


def state_of(output) -> Path:
    return checkpoints.newest(checkpoints.work_folder(output)) / checkpoints.STATE


@pytest.mark.parametrize(
    "change",
    [lambda about: about | {"step": 13}, lambda about: about | {"best": None, "sha256": None}, lambda about: [about]],
)
def test_what_a_checkpoint_says_of_itself_cannot_be_edited(tmp_path, change):
    run(tmp_path / "model")
    file = state_of(tmp_path / "model")
    about = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(change(about)), encoding="utf-8")
    with pytest.raises(InputError, match=r"the checkpoint '.*' cannot be read \(.*; delete '.*' to start anew$"):
        run(tmp_path / "model", resume=True)
    about.pop("seal")  # as earlier versions wrote it
    file.write_text(json.dumps(about), encoding="utf-8")
    run(tmp_path / "model", resume=True)


def test_a_folder_that_is_no_checkpoint_hides_none(tmp_path):
    run(tmp_path / "model")
    work = checkpoints.work_folder(tmp_path / "model")
    (work / "step-000000099").mkdir()
    assert checkpoints.newest(work).name == "step-000000001"
    run(tmp_path / "model", resume=True)


def test_a_disk_without_room_takes_the_last_checkpoint_for_which_it_was_kept(tmp_path, monkeypatch):
    work, write = checkpoints.work_folder(tmp_path / "model"), Path.write_text

    def full(self, *arguments, **settings):
        if self.name == checkpoints.STATE and (work / checkpoints.ROOM).exists():
            raise OSError(28, "No space left on device")
        return write(self, *arguments, **settings)

    monkeypatch.setattr(Path, "write_text", full)
    trained = fit(
        tiny.TASK,
        tiny.model(),
        tiny.tokenizer(),
        tiny.rows(8),
        tiny.rows(8, 1),
        tiny.recipe(epochs=1, checkpoint_steps=1000),
        output=tmp_path / "model",
    )
    assert checkpoints.newest(work) is not None and not (work / checkpoints.ROOM).exists()
    trained.save(tmp_path / "model", CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_disk_that_is_full_in_the_middle_says_from_where_the_run_goes_on(tmp_path, monkeypatch):
    save, saved = checkpoints.save_file, []

    def full(tensors, path):
        if saved:
            raise OSError(28, "No space left on device")
        saved.append(path)
        save(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    recipe = tiny.recipe(epochs=4, checkpoint_steps=2)
    with pytest.raises(
        OSError, match=r"cannot be written .*; here the same command with --resume goes on from step 2$"
    ):
        fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(32), None, recipe, output=tmp_path / "model")


def test_a_search_that_chose_the_recipe_moves_with_its_run(tmp_path):
    trained = run(tmp_path / "model")
    (tmp_path / "model").mkdir()
    (tmp_path / "model.tuning").mkdir()
    with pytest.raises(InputError, match=r"model.training' is called NAME.training, and '.*model.tuning' NAME.tuning$"):
        trained.save(tmp_path / "model", CARD)
