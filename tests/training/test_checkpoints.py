"""A run deletes only what a run has made, and two runs into one output exclude each other."""

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
