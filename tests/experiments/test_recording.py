"""What is recorded comes back from the ledger, with its origin."""

import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import recording
from helpers import Recipe
from helpers.book import ledger
from helpers.errors import InputError
from helpers.tasks.extraction.spans import Span


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("x==1\n", encoding="utf-8")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)
    return tmp_path


def test_results_come_back_with_the_rows_that_were_right(repository):
    right = np.random.default_rng(0).uniform(size=(2, 13)) < 0.5
    for seed in range(2):
        accuracy = right[seed].mean()
        recording.record(repository, "mine", system="a", seed=seed, n=13, accuracy=accuracy, correct=right[seed])
    results = ledger.read("mine")
    assert (results.correct() == right).all()
    assert results["accuracy"].tolist() == right.mean(1).tolist()
    assert ledger.experiments() == ["mine"]


def test_counts_of_rows_come_back(repository):
    counts = np.random.default_rng(0).integers(70, size=(2, 9, 3))
    counts[0, 0] = [0, 65535, 1]
    for seed in range(2):
        recording.record(repository, "mine", seed=seed, n=9, counts=counts[seed])
    assert (ledger.read("mine").counts() == counts).all()
    with pytest.raises(InputError, match="counts reach from 0 to 65536; the ledger keeps 0 to 65535"):
        recording.record(repository, "mine", seed=2, n=2, counts=np.array([[0], [65536]]))


def test_spans_probabilities_and_scores_come_back_as_they_were(repository):
    spans = [Span(3, 9, "text", -1.25), Span(0, 0, "", 0.0), Span(7, 70, "more", 1e9)]
    recording.record(repository, "spans", n=3, counts=recording.span_counts(spans))
    start, end, margin = ledger.read("spans").spans()
    assert list(zip(start[0], end[0], strict=True)) == [(3, 9), (0, 0), (7, 70)]
    assert margin[0].tolist() == [-1.25, 0.0, 327.67], "margins beyond what can be kept are the largest"
    values = np.array([0.0, 0.123456, 1.0])
    recording.record(repository, "shares", n=3, counts=recording.probability_counts(values))
    assert ledger.read("shares").probabilities()[0] == pytest.approx(values, abs=1e-5)
    rouge = np.concatenate([recording.score_counts(values / power) for power in (1, 2, 4)], axis=1)
    recording.record(repository, "rouge", n=3, counts=rouge)
    assert ledger.read("rouge").rouge()[0] == pytest.approx(values / 4, abs=1e-4)
    assert ledger.read("rouge").rouge("rouge1")[0] == pytest.approx(values, abs=1e-4)


def test_spans_are_scored_as_they_are_kept(repository):
    spans = [Span(3, 9, "text", -1.2549), Span(0, 4, "more", 0.1251), Span(7, 70, "most", 1e9)]
    kept = recording.as_kept(spans)
    assert [(span.start, span.end, span.text) for span in kept] == [(s.start, s.end, s.text) for s in spans]
    recording.record(repository, "spans", n=3, counts=recording.span_counts(spans))
    assert ledger.read("spans").spans()[2][0].tolist() == [span.margin for span in kept] == [-1.25, 0.13, 327.67]


def test_a_result_says_where_it_comes_from_and_whether_the_code_was_changed(repository):
    recording.record(repository, "mine", n=1)
    (repository / "requirements.lock").write_text("x==2\n", encoding="utf-8")
    recording.record(repository, "mine", n=1)  # this process still runs the code of before
    recording.provenance.cache_clear()
    recording.record(repository, "mine", n=1)
    clean, same, changed = ledger.read("mine").frame.to_dict("records")
    assert same == clean
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    assert head.startswith(clean["commit"])
    assert changed["commit"] == clean["commit"] + "+changes"
    assert clean["lock"] != changed["lock"]
    assert set(clean["versions"]) == {"torch", "transformers", "scikit-learn"}
    assert "cores" in clean["hardware"] or "NVIDIA" in clean["hardware"]


@pytest.mark.parametrize("count", [0.5, np.nan])
def test_fractions_are_refused_and_not_cut(repository, count):
    with pytest.raises(InputError, match="counts are no whole numbers"):
        recording.record(repository, "mine", n=2, counts=np.array([[1.0], [count]]))


ODD = [
    "",
    "naïve café",
    "行く",
    "😀 and \ud83d alone",
    "a\u0000b\r\n\u2028",
    '{"name": "x"}',
    "e\u0301",
    "\ud83d\ude00",
]


def test_texts_come_back_as_they_were_written(repository):
    recording.record(repository, "mine", seed=0, n=len(ODD), texts=ODD)
    recording.record(repository, "mine", seed=1, n=1, texts=["x"])
    assert ledger.read("mine").texts() == [ODD, ["x"]]
    assert len((repository / "mine.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_probabilities_of_classes_come_back_with_a_column_for_each(repository):
    shares = np.random.default_rng(0).dirichlet(np.ones(4), size=6)
    recording.record(repository, "mine", n=6, counts=recording.probability_counts(shares))
    assert ledger.read("mine").probabilities()[0] == pytest.approx(shares, abs=1e-5)


def busy(seconds: float) -> None:
    """Use the processor for so many seconds of its time, however many others want it."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def used(monkeypatch, *moments: tuple[float, float, float]) -> None:
    """Let the clock, this process's use of the processor and that of all be these, one after the other."""
    times = iter(moments)
    monkeypatch.setattr(recording, "_used", lambda: next(times))
    monkeypatch.setattr(recording.psutil, "cpu_count", lambda: 2)


def test_a_time_is_kept_only_where_others_left_the_machine_alone(monkeypatch):
    used(monkeypatch, (0.0, 0.0, 50.0), (10.0, 15.0, 65.9), (10.0, 15.0, 70.0), (20.0, 20.0, 77.0))
    with recording.Watch() as quiet:
        pass
    assert quiet.times(seconds=10.0) == {"others_used": 0.045, "seconds": 10.0}
    with recording.Watch() as loud:
        pass
    assert loud.times(seconds=10.0) == {"others_used": 0.1}


def test_of_several_blocks_the_busiest_counts(monkeypatch):
    used(monkeypatch, (0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (1.0, 0.0, 1.0), (2.0, 1.0, 2.0))
    watch = recording.Watch()
    for _ in range(2):
        with watch:
            pass
    assert watch.others == 0.5


def test_what_this_process_and_its_children_use_is_not_what_others_use():
    before = recording._used()
    busy(0.3)
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    seconds, own, every = np.subtract(recording._used(), before)
    assert 0.25 < own <= every + 0.1  # both are counted in hundredths of a second
    assert every <= seconds * recording.psutil.cpu_count() + 0.1


def test_without_a_watch_no_time_is_kept(monkeypatch):
    run = SimpleNamespace(seconds=3.0, rows_per_second=1.0, tokens_per_second=2.0, peak_memory_gb=1.0, precision="fp32")
    run.recipe = Recipe()
    used(monkeypatch, (0.0, 0.0, 0.0), (1.0, 2.0, 2.0))
    assert set(recording.cost(run)) == {"peak_memory_gb", "precision", "recipe"}
    with recording.Watch() as watch:
        pass
    timed = recording.cost(run, watch)
    assert timed["seconds"] == 3.0 and timed["others_used"] == 0.0 and timed["precision"] == "fp32"
