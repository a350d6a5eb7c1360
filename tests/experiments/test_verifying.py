"""A result that is computed again must fall into the recorded band, and one of another method does not."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments import recording, run, verifying
from helpers.book import ledger
from helpers.errors import InputError

N = 400


def outcome(accuracy: float, seed: int) -> dict:
    right = np.random.default_rng(seed).permutation(N) < round(accuracy * N)
    return {"n": N, "correct": right, "accuracy": float(right.mean())}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """An experiment with three seeds of two systems, of which one trains, and what a repeated run of that reaches."""
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)
    monkeypatch.setattr(recording, "provenance", lambda _: {})
    state, computed = SimpleNamespace(accuracy=0.82), []

    def again(about: dict) -> dict:
        computed.append(about)
        return outcome(state.accuracy, 9)

    def experiment():
        for system in ("counted", "trained"):
            for seed in range(3):
                about = {"system": system, "train_rows": 8, "seed": seed}
                yield about, lambda about=about: again(about)

    for system, scores in (("counted", (0.6, 0.61, 0.62)), ("trained", (0.80, 0.82, 0.84))):
        more = {"recipe": {"epochs": 3}} if system == "trained" else {}
        for seed, accuracy in enumerate(scores):
            about = {"system": system, "train_rows": 8, "seed": seed}
            recording.record(tmp_path, "mine", **about, **outcome(accuracy, seed), **more, cpu_seconds=10.0)
    return SimpleNamespace(
        module=SimpleNamespace(EXPERIMENTS={"mine": experiment}), computed=computed, state=state, folder=tmp_path
    )


def test_the_band_is_that_of_the_seeds_and_half_an_interval_beyond(recorded):
    (verdict,) = verifying.verify("mine", recorded.module, {})
    assert recorded.computed == [{"system": "trained", "train_rows": 8, "seed": 0}], "what trains comes first"
    assert verdict.holds and verdict.low < 0.80 and verdict.high > 0.84
    assert (0.80 - verdict.low) == pytest.approx(verdict.high - 0.84)
    assert "accuracy 0.8200 is within the recorded band" in verdict.sentence()


@pytest.mark.parametrize(("accuracy", "code"), [(0.82, 0), (0.84, 0), (0.60, 1), (0.99, 1)])
def test_the_exit_code_tells_whether_the_score_is_within(recorded, capsys, accuracy, code):
    recorded.state.accuracy = accuracy
    assert run._verify({"mine": recorded.module}, "mine") == code
    assert ("OUTSIDE" in capsys.readouterr().out) == bool(code)
    assert len((recorded.folder / "mine.jsonl").read_text(encoding="utf-8").splitlines()) == 6, "nothing is recorded"


def test_a_setting_chooses_what_is_computed_again(recorded):
    recorded.state.accuracy = 0.61
    (verdict,) = verifying.verify("mine", recorded.module, {"system": "counted", "seed": "2"})
    assert verdict.holds and recorded.computed == [{"system": "counted", "train_rows": 8, "seed": 2}]


def test_what_was_not_recorded_cannot_be_verified(recorded, capsys):
    with pytest.raises(InputError, match=r"nothing of .mine. with .*other.* is recorded"):
        verifying.verify("mine", recorded.module, {"system": "other"})
    assert run._verify({"mine": recorded.module}, "mine", "train_rows=9") == 2
