"""`--track tensorboard`: the curves are those of the history, also of a run that goes on."""

import sys

import pandas as pd
import pytest
import tiny
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from helpers.cli.main import main
from helpers.errors import InputError
from helpers.training import tracking

NAMES = {"loss": "loss", "learning/rate": "learning_rate", "gradient/norm": "gradient_norm", "tokens": "tokens"}


def curves(folder) -> dict[str, dict[int, float]]:
    """What TensorBoard would draw: a value by step of each curve."""
    found = EventAccumulator(str(folder)).Reload()
    return {tag: {event.step: event.value for event in found.Scalars(tag)} for tag in found.Tags()["scalars"]}


def test_the_curves_are_the_history(body, tmp_path, capsys):
    rows = tiny.rows(120).to_pandas()
    rows["label"] = rows["label"].map({0: "no", 1: "yes"})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    where = ["--data", str(tmp_path / "rows.csv"), "--model", body, "--output", str(tmp_path / "model")]
    assert main(["train", *where, "--epochs", "2", "--max-length", "32", "--track", "tensorboard"]) == 0
    history = pd.read_csv(tmp_path / "model" / "history.csv").set_index("step")
    drawn = curves(tmp_path / "model.tensorboard")
    scores = {name.replace("_", "/", 1): name for name in history if name.startswith("validation_")}
    assert "validation/accuracy" in scores
    assert set(drawn) == set(NAMES) | set(scores)
    for tag, column in (NAMES | scores).items():
        assert drawn[tag] == pytest.approx(history[column].dropna().to_dict(), rel=1e-6)
    assert f"tensorboard --logdir {tmp_path / 'model.tensorboard'}" in capsys.readouterr().err
    assert main(["train", *where, "--output", str(tmp_path / "again"), "--epochs", "1"]) == 0
    assert not (tmp_path / "again.tensorboard").exists()


def test_a_run_that_goes_on_hides_the_steps_that_it_repeats(tmp_path):
    for resume, steps, shift in ((False, (1, 2, 3), 0.0), (True, (3, 4), 10.0)):
        with tracking.tensorboard(tmp_path / "curves", resume=resume) as follow:
            for step in steps:
                follow({"step": step, "loss": step + shift})
    assert curves(tmp_path / "curves") == {"loss": {1: 1.0, 2: 2.0, 3: 13.0, 4: 14.0}}


def test_the_curves_of_another_run_are_never_mixed_in(tmp_path):
    (tmp_path / "model.tensorboard").mkdir()
    with pytest.raises(InputError, match="curves of another run"), tracking.tensorboard(tmp_path / "model.tensorboard"):
        pass
    assert tracking.folder_of(f"{tmp_path}/model/") == tmp_path / "model.tensorboard"


def test_nothing_is_made_before_the_first_step_or_in_another_process(tmp_path, monkeypatch):
    with tracking.tensorboard(tmp_path / "curves"):
        pass
    monkeypatch.setenv("RANK", "1")
    with tracking.tensorboard(tmp_path / "curves") as follow:
        follow({"step": 1, "loss": 1.0})
    assert not (tmp_path / "curves").exists()


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"), tracking.tensorboard(tmp_path / "curves"):
        pass
