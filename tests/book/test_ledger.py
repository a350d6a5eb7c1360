"""The ledger gives back what was recorded, with its origin."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from helpers import Recipe, corpora
from helpers.book import ledger
from helpers.errors import InputError


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
        ledger.record(repository, "mine", system="a", seed=seed, n=13, accuracy=right[seed].mean(), correct=right[seed])
    found = ledger.read("mine")
    assert (ledger.correct(found) == right).all()
    assert found["accuracy"].tolist() == right.mean(1).tolist()
    assert ledger.experiments() == ["mine"]


def test_a_result_says_where_it_comes_from_and_whether_the_code_was_changed(repository):
    ledger.record(repository, "mine", n=1)
    (repository / "requirements.lock").write_text("x==2\n", encoding="utf-8")
    ledger.record(repository, "mine", n=1)  # this process still runs the code of before
    ledger.provenance.cache_clear()
    ledger.record(repository, "mine", n=1)
    clean, same, changed = ledger.read("mine").to_dict("records")
    assert same == clean
    head = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    assert head.startswith(clean["commit"])
    assert changed["commit"] == clean["commit"] + "+changes"
    assert clean["lock"] != changed["lock"]
    assert set(clean["versions"]) == {"torch", "transformers", "scikit-learn"}
    assert "cores" in clean["hardware"] or "NVIDIA" in clean["hardware"]


def test_an_unknown_experiment_is_named_with_those_there_are(repository):
    ledger.record(repository, "mine", n=1)
    with pytest.raises(InputError, match="the ledger holds no experiment 'yours'; it has mine"):
        ledger.read("yours")


def test_the_recipes_of_results_show_what_is_not_the_default(repository):
    for system, seed, changed in (("b", 0, {"epochs": 2}), ("b", 1, {"epochs": 4}), ("a", 0, {"learning_rate": 5e-5})):
        recipe = Recipe(**changed, seed=seed, dropout=0.0 if system == "a" else None)
        ledger.record(repository, "mine", system=system, seed=seed, recipe=recipe.to_dict())
    ledger.record(repository, "mine", system="untrained", seed=0)
    table = ledger.recipes(ledger.read("mine"), "system")
    assert table.index.tolist() == ["b", "a"]
    assert table.to_dict("list") == {
        "seeds": [2, 1],
        "learning_rate": ["0.0001", "5e-05"],
        "epochs": ["2 or 4", "3"],
        "dropout": ["None", "0"],
    }


def test_every_shipped_result_is_complete():
    for experiment in ledger.experiments():
        found = ledger.read(experiment)
        needed = ["commit", "lock", "hardware", "day", "n", "model_sha256", "data_sha256"]
        assert found[needed].notna().all().all()
        assert not found["commit"].str.endswith("+changes").any(), "made from code that no commit holds"
        if "correct" in found:
            right = [ledger.correct(found.loc[[i]]).mean() for i in found.index]  # test sets may differ in length
            assert right == pytest.approx(found["accuracy"].to_list())
        else:  # systems of one experiment may keep different counts of a row
            assert [ledger.counts(found.loc[[i]]).shape[1] for i in found.index] == found["n"].tolist()
        named = [name for name in ("change", "changes", "split", "misspelled", "words") if name in found]
        keys = found[["system", "train_rows", "seed", *named]].astype(str)
        assert not keys.duplicated().any()


@pytest.mark.parametrize(("experiment", "name"), [("docstrings", "docstrings"), ("gpt-json", "parameters")])
def test_the_results_on_texts_of_installed_libraries_are_of_the_locked_versions(experiment, name):
    card, results = corpora.load(name).card, ledger.read(experiment)
    assert ledger.same_data(results, card), f"{name} changed with its libraries: run make results {experiment}"
    assert not ledger.same_data(results, replace(card, sha256="0" * 64))


def test_counts_of_rows_come_back(repository):
    counts = np.random.default_rng(0).integers(70, size=(2, 9, 3))
    counts[0, 0] = [0, 65535, 1]
    for seed in range(2):
        ledger.record(repository, "spans", seed=seed, n=9, counts=counts[seed])
    assert (ledger.counts(ledger.read("spans")) == counts).all()
