"""The ledger hands out the results that are asked for, decoded."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.recording import QUIET
from helpers import Recipe, corpora
from helpers.book import ledger
from helpers.errors import InputError


def results(*rows: dict) -> ledger.Results:
    return ledger.Results(pd.DataFrame(list(rows)))


def test_an_unknown_experiment_is_named_with_those_there_are(tmp_path, monkeypatch):
    (tmp_path / "mine.jsonl").write_text(json.dumps({"n": 1}) + "\n", encoding="utf-8")
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="the ledger holds no experiment 'yours'; it has mine"):
        ledger.read("yours")
    assert len(ledger.read("mine")) == 1


def test_where_keeps_the_rows_that_have_all_values():
    mine = results(
        {"system": "a", "seed": 0, "train_rows": 5.0},
        {"system": "b", "seed": 1},
        {"system": "b", "seed": 0, "train_rows": 8.0},
    )
    assert mine.where(system="b", seed=0)["train_rows"].tolist() == [8]
    assert mine.where(train_rows=None)["seed"].tolist() == [1]
    both = mine.where(train_rows=[8, 5])
    assert both["system"].tolist() == ["a", "b"] and both.frame.index.tolist() == [0, 1]
    assert len(mine.where(train_rows=(None, 8))) == 2
    assert len(results({"change": {}}, {"change": {"epochs": 1}}).where(change={})) == 1


def test_where_nothing_is_left_the_column_and_its_values_are_named():
    mine = results({"system": "a", "seed": 0, "train_rows": 5.0}, {"system": "b", "seed": 1})
    with pytest.raises(InputError, match="no result has system 'c'; there are a, b"):
        mine.where(system="c")
    with pytest.raises(InputError, match="no result has train_rows 6; there are 5, None"):
        mine.where(train_rows=6)
    with pytest.raises(InputError, match=r"no result has seed 1; there are 0$"):
        mine.where(system="a", seed=1)
    with pytest.raises(InputError, match="no column 'size'; they have system, seed, train_rows"):
        mine.where(size=1)


def test_groups_come_in_the_order_of_their_first_result():
    mine = results(
        {"system": "b", "change": {"epochs": 1}, "seed": 0},
        {"system": "a", "change": {}, "seed": 1},
        {"system": "b", "change": {"epochs": 1}, "seed": 2},
        {"system": "b", "seed": 3},
    )
    assert [(key, group["seed"].tolist()) for key, group in mine.by("system")] == [("b", [0, 2, 3]), ("a", [1])]
    assert [key for key, _ in mine.by("change", "system")] == [("epochs 1", "b"), ("recipe", "a"), (None, "b")]
    assert sum(len(group) for _, group in mine.by("change")) == 4


def test_the_counts_of_stacked_sets_come_apart(monkeypatch):
    counts = np.arange(2 * 6 * 6).reshape(2, 6, 6)
    mine = results({"rows_of": ["seen", "test"]}, {"rows_of": ["seen", "test"]})
    monkeypatch.setattr(ledger.Results, "counts", lambda self: counts)
    assert (mine.span_counts("seen") == counts[:, :3, :3]).all()
    assert (mine.span_counts("test", constrained=True) == counts[:, 3:, 3:]).all()
    with pytest.raises(InputError, match="no counts of 'dev'; there are seen, test"):
        mine.span_counts("dev")
    monkeypatch.setattr(ledger.Results, "counts", lambda self: counts[..., :3])
    with pytest.raises(InputError, match="decoded in one way alone"):
        mine.span_counts("test", constrained=True)


def test_the_recipe_of_results_is_the_one_that_they_share():
    first, second = Recipe(epochs=2, seed=3), Recipe(epochs=2, seed=1)
    rows = [{"system": "a"}, *({"system": "b", "recipe": recipe.to_dict()} for recipe in (first, second))]
    assert results(*rows).recipe() == first
    with pytest.raises(InputError, match="differ in learning_rate, epochs"):
        results(*rows, {"recipe": Recipe(epochs=3, learning_rate=1e-3).to_dict()}).recipe()
    with pytest.raises(InputError, match="none of these results was trained"):
        results(*rows).where(system="a").recipe()


def test_the_recipes_of_results_show_what_is_not_the_default():
    rows = []
    for system, seed, changed in (("b", 0, {"epochs": 2}), ("b", 1, {"epochs": 4}), ("a", 0, {"learning_rate": 5e-5})):
        recipe = Recipe(**changed, seed=seed, dropout=0.0 if system == "a" else None)
        recipe = recipe.resolved(10**5, 10**7, lora=False, device="cpu")
        rows.append({"system": system, "seed": seed, "recipe": recipe.to_dict()})
    table = results(*rows, {"system": "untrained", "seed": 0}).recipes("system")
    assert table.index.tolist() == ["b", "a"]
    assert table.to_dict("list") == {
        "seeds": [2, 1],
        "learning_rate": ["0.0001", "5e-05"],
        "epochs": ["2 or 4", "3"],
        "dropout": ["None", "0"],
    }


IDENTIFY = (
    "system",
    "right",
    "edit",
    "form",
    "own",
    "train_rows",
    "change",
    "changes",
    "split",
    "misspelled",
    "words",
    "tokens",
    "drawn",
    "posts",
    "of",
    "part",
    "rate",
    "decoding",
    "shots",
)
# Experiments with times from before it was measured whether others used the machine. The list may only shrink.
TIMED_UNWATCHED = {"brown-crf", "reviews-ablations", "reviews-curve", "strings-ablations"}


@pytest.mark.parametrize("experiment", ledger.experiments())
def test_every_shipped_result_is_complete(experiment):
    frame = ledger.read(experiment).frame
    needed = ["commit", "lock", "hardware", "day", "n", "model_sha256", "data_sha256"]
    assert frame[needed].notna().all().all()
    assert not frame["commit"].str.endswith("+changes").any(), "made from code that no commit holds"
    trained = frame[[isinstance(recipe, dict) for recipe in frame.get("recipe", [None] * len(frame))]]
    if "precision" in trained:
        assert trained["precision"].dropna().isin(["fp32", "bf16"]).all()
    kept = ledger.Results(frame[frame["correct"].notna()]) if "correct" in frame else None
    for i in kept.frame.index if kept else ():  # test sets may differ in length
        one = ledger.Results(frame.loc[[i]])
        assert one.correct().shape == (1, frame["n"][i])
        assert one.correct().mean() == pytest.approx(frame["accuracy"][i])


@pytest.mark.parametrize("experiment", ledger.experiments())
def test_systems_can_be_compared_seed_by_seed(experiment):
    frame = ledger.read(experiment).frame
    named = [name for name in IDENTIFY if name in frame]
    frame = frame if "seed" in frame else frame.assign(seed=0)  # nothing in it is drawn
    keys = frame[[*named, "seed"]].astype(str)
    assert not keys.duplicated().any()
    seeds = frame.assign(**keys[named]).groupby(named)["seed"] if named else [(experiment, frame["seed"])]
    assert all(group.dropna().is_monotonic_increasing for _, group in seeds)


def test_a_time_is_kept_only_from_a_machine_that_others_left_alone():
    unwatched = set()
    for experiment in ledger.experiments():
        frame = ledger.read(experiment).frame
        timed = frame[frame[[name for name in ("seconds", "generation_seconds") if name in frame]].notna().any(axis=1)]
        watched = timed["others_used"] if "others_used" in timed else pd.Series(np.nan, index=timed.index)
        assert (watched.dropna() < QUIET).all(), experiment
        unwatched |= {experiment} if watched.isna().any() else set()
    assert unwatched == TIMED_UNWATCHED


@pytest.mark.parametrize(("experiment", "name"), [("docstrings", "docstrings"), ("gpt-json", "parameters")])
def test_the_results_on_sources_of_libraries_are_of_the_texts_that_every_machine_reads(experiment, name):
    card, recorded = corpora.load(name).card, ledger.read(experiment)
    assert recorded.same_data(card), f"libraries.toml has changed {name}: run make results {experiment}"
    assert not recorded.same_data(replace(card, sha256="0" * 64))
