"""A search keeps the better settings, goes on where it was killed, and never looks at the test rows."""

import json
import math
from dataclasses import replace

import pytest
import tiny
from cases import CASES
from datasets import DatasetDict

import helpers
from helpers import Classification, Recipe
from helpers.cli.main import main
from helpers.data.corpus import Corpus
from helpers.errors import InputError, TrainingError
from helpers.saving import model_card
from helpers.tasks.classification import files
from helpers.training import job
from helpers.workflow.tune import MOST, TRIALS, enough_epochs, search, tune

RECIPE = tiny.recipe(learning_rate=1e-3, epochs=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    frame = tiny.rows(160).to_pandas()
    frame["label"] = frame["label"].map({0: "ham", 1: "spam"})
    frame.to_csv(folder / "mail.csv", index=False)
    return files.corpus(folder / "mail.csv")


def searched(scores, rates, lengths, **more):
    """A search whose runs score what `scores` says of rate and length, at ten steps an epoch."""
    ran = []

    def compute(recipe):
        ran.append((recipe.learning_rate, recipe.epochs))
        return scores(*ran[-1]), 10 * recipe.epochs

    return search(compute, RECIPE, rates, lengths, metric="accuracy", **more), ran


def test_each_length_keeps_the_better_half_of_the_rates():
    found, ran = searched(lambda rate, epochs: rate * epochs, [0.1, 0.3, 0.2, 0.4], [4, 1, 2])
    assert ran == [(0.1, 1), (0.3, 1), (0.2, 1), (0.4, 1), (0.4, 2), (0.3, 2), (0.4, 4)]
    assert (found.recipe.learning_rate, found.recipe.epochs) == (0.4, 4)
    assert [trial.steps for trial in found.trials] == [10 * epochs for _, epochs in ran]
    assert found.recipe == replace(RECIPE, learning_rate=0.4, epochs=4)


def test_the_best_of_all_trials_is_chosen_even_if_it_is_short_and_of_equal_ones_the_cheapest():
    found, _ = searched(lambda rate, epochs: rate / epochs, [0.1, 0.2], [1, 2])
    assert (found.recipe.learning_rate, found.recipe.epochs) == (0.2, 1)
    found, _ = searched(lambda rate, epochs: 0.5, [0.3, 0.1], [5, 2])
    assert (found.recipe.learning_rate, found.recipe.epochs) == (0.3, 2), "the first of the shorter ones"
    assert [row["chosen"] for row in found.rows()] == [True, False, False]


@pytest.mark.parametrize("end", [math.nan, math.inf, TrainingError("the loss of step 7 is nan")])
def test_a_trial_that_does_not_end_loses_with_a_sentence(end):
    told = []

    def scores(rate, epochs):
        if rate == 0.4 and isinstance(end, Exception):
            raise end
        return end if rate == 0.4 else rate

    found, ran = searched(scores, [0.4, 0.1, 0.2], [1, 2], note=told.append)
    assert ran == [(0.4, 1), (0.1, 1), (0.2, 1), (0.2, 2), (0.1, 2)]
    assert found.recipe.learning_rate == 0.2
    assert told[0].startswith("trial with learning_rate 0.4 and 1 epoch loses: ") and str(end) in told[0]
    json.dumps(found.rows(), allow_nan=False)
    assert found.table()["accuracy"].isna().tolist() == [True, False, False, False, False]


def test_where_no_trial_ends_there_is_nothing_to_choose():
    with pytest.raises(TrainingError, match=r"none of 2 trials ended, the first because its score .* is nan"):
        searched(lambda rate, epochs: math.nan, [0.4, 0.1], [1, 2])


@pytest.mark.parametrize(
    ("rates", "lengths", "says"),
    [
        ([0.1], [2, 2], "leave nothing to choose"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [1, 2, 3], f"5 learning rates and 3 lengths make 10 trials, and more than {MOST}"),
        ([0.1, 7.0], [1], "learning_rate 7.0 of the recipe must lie above 0"),
        ([0.1], [0, 1], "epochs 0 of the recipe must be at least 1"),
    ],
)
def test_a_grid_that_cannot_be_searched_is_refused_before_anything_runs(rates, lengths, says):
    with pytest.raises(InputError, match=says):
        searched(lambda rate, epochs: pytest.fail("ran"), rates, lengths)


@pytest.mark.parametrize(("steps", "epochs"), [(1, 150), (2, 75), (13, 12), (64, 3), (300, 3)])
def test_the_shortest_length_has_at_least_150_steps(steps, epochs):
    assert enough_epochs(steps) == epochs and steps * epochs >= 150


def test_by_default_the_rates_lie_around_the_size_s_own_and_two_lengths_are_tried(body, corpus, monkeypatch):
    seen = []
    monkeypatch.setattr("helpers.workflow.tune.search", lambda compute, recipe, *grid, **more: seen.append(grid))
    task = Classification.for_corpus(corpus, max_length=32)
    tune(task, corpus, model=body)
    tune(task, corpus, RECIPE, model=body)
    steps = math.ceil(len(corpus.data["train"]) / 32)
    assert seen[0] == ([1e-4, 5e-5, 2e-4], [enough_epochs(steps), 2 * enough_epochs(steps)])
    assert seen[1] == ([1e-3, 5e-4, 2e-3], [1, 2])


def test_a_real_search_prefers_the_rate_that_learns_and_reads_no_test_row(body, corpus):
    held = Corpus(DatasetDict({name: corpus.data[name] for name in ("train", "validation")}), corpus.card)
    task = Classification.for_corpus(corpus, max_length=32)
    assert helpers.tune is tune
    found = tune(task, held, RECIPE, model=body, learning_rates=[1e-6, 1e-2], epochs=[10, 20])
    assert found.recipe.learning_rate == 1e-2 and found.metric == "accuracy"
    again = helpers.fit(
        task, task.build(body), tiny.tokenizer(), held.data["train"], held.data["validation"], found.recipe
    )
    assert again.best["validation_accuracy"] == max(trial.score for trial in found.trials)


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_search_takes_any_task(name, monkeypatch):
    case = CASES[name]
    tokenizer = case.tokenizer()
    monkeypatch.setattr(type(case.task), "build", lambda *_, **__: case.model())
    monkeypatch.setattr("helpers.workflow.tune.models.tokenizer", lambda _: tokenizer)
    rows = Corpus(DatasetDict({"train": case.rows(24), "validation": case.rows(12)}), None)
    found = tune(case.task, rows, replace(RECIPE, batch_rows=8), learning_rates=[1e-3, 1e-2], epochs=[1])
    assert found.metric == case.task.selection_metric and len(found.trials) == 2


class Killed(BaseException):
    """Ends a process where it stands, as far as a test can."""


@pytest.mark.parametrize("step", [2, 9, 13])
def test_a_killed_search_goes_on_and_chooses_the_same_to_the_last_bit(body, corpus, tmp_path, monkeypatch, step):
    task = Classification.for_corpus(corpus, max_length=32)
    grid = {"learning_rates": [1e-3, 1e-2, 1e-4], "epochs": [1, 2]}
    whole = tune(task, corpus, RECIPE, tmp_path / "whole", model=body, **grid)
    seed_step, seen = job.seed_step, []

    def counted(run, number):
        seen.append((run.recipe.learning_rate, run.recipe.epochs, number))
        if len(seen) == step:
            raise Killed
        seed_step(run, number)

    monkeypatch.setattr(job, "seed_step", counted)
    with pytest.raises(Killed):
        tune(task, corpus, RECIPE, tmp_path / "search", model=body, **grid)
    found = tune(task, corpus, RECIPE, tmp_path / "search", model=body, **grid)
    assert found == whole
    twice = [place for place in set(seen) if seen.count(place) > 1]
    assert twice == [seen[step - 1]], "only the step that was killed is computed again"
    lines = [(tmp_path / name / TRIALS).read_text(encoding="utf-8") for name in ("whole", "search")]
    assert lines[0] == lines[1]
    assert sorted(path.name for path in (tmp_path / "search").iterdir()) == ["recipe.json", TRIALS]
    assert Recipe(**json.loads((tmp_path / "search" / "recipe.json").read_text(encoding="utf-8"))) == found.recipe


def test_trials_of_other_rows_or_settings_are_not_taken_for_these(body, corpus, tmp_path):
    task = Classification.for_corpus(corpus, max_length=32)
    grid = {"learning_rates": [1e-3, 1e-2], "epochs": [1], "model": body}
    tune(task, corpus, RECIPE, tmp_path / "search", **grid)
    for changed, says in (
        ((task, corpus.drawn(40), RECIPE), "were made with rows "),
        ((task, corpus, replace(RECIPE, seed=1)), "were made with recipe "),
        ((replace(task, max_length=16), corpus, RECIPE), "were made with task "),
    ):
        with pytest.raises(InputError, match=says):
            tune(*changed, tmp_path / "search", **grid)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something and no search"):
        tune(task, corpus, RECIPE, tmp_path / "other", **grid)
    with pytest.raises(InputError, match="is a file"):
        tune(task, corpus, RECIPE, tmp_path / "other" / "mine.txt", **grid)
    (tmp_path / "search" / TRIALS).write_text("[]\n")
    with pytest.raises(InputError, match="is not what a search has written"):
        tune(task, corpus, RECIPE, tmp_path / "search", **grid)


def shell(body, folder, verb, output, *more) -> int:
    frame = tiny.rows(160).to_pandas()
    frame["label"] = frame["label"].map({0: "ham", 1: "spam"})
    frame.to_csv(folder / "mail.csv", index=False)
    fast = ["--model", body, "--max-length", "32", "--learning-rate", "3e-3", "--epochs", "1"]
    return main([verb, "--data", str(folder / "mail.csv"), "--output", str(folder / output), *fast, *more])


def test_the_shell_prints_the_trials_and_the_options_of_the_best(body, tmp_path, capsys):
    assert shell(body, tmp_path, "tune", "search", "--rates", "1e-5,1e-2", "--lengths", "10,20") == 0
    printed = capsys.readouterr()
    assert "learning_rate" in printed.out and printed.out.count("\n") == 4
    assert "train with --learning-rate 0.01 --epochs " in printed.err
    for wrong in ("1,x", ""):
        assert shell(body, tmp_path, "tune", "search", "--lengths", wrong) == 2
        assert f"--lengths {wrong!r} is no list of numbers" in capsys.readouterr().err


def test_training_after_a_search_keeps_the_trials_in_the_card_alone(body, tmp_path, capsys):
    assert shell(body, tmp_path, "train", "model", "--tune") == 0
    assert "chosen of 5 trials: learning_rate " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.csv", "model"]
    trials = json.loads((tmp_path / "model" / "scores.json").read_text(encoding="utf-8"))["trials"]
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))
    (chosen,) = [trial for trial in trials if trial["chosen"]]
    assert (chosen["learning_rate"], chosen["epochs"]) == (recipe["learning_rate"], recipe["epochs"])
    card = model_card.build(tmp_path / "model").text
    assert "The settings were chosen among these" in card
    assert all(f"| {trial['learning_rate']:g} | {trial['epochs']} | {trial['steps']} |" in card for trial in trials)
