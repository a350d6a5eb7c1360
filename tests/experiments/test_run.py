"""A result that stands in the ledger is not computed again, and every experiment can be found."""

import json
from types import SimpleNamespace

import pytest

from experiments import recording, run
from helpers.book import ledger


def test_only_what_is_missing_is_computed_and_a_long_one_is_told(monkeypatch, capsys, tmp_path):
    computed, file = [], tmp_path / "mine.jsonl"

    def experiment():
        for seed in range(3):
            yield {"system": "a", "seed": seed}, lambda seed=seed: computed.append(seed) or {"accuracy": 0.5 + seed}

    def recorded():
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    module = SimpleNamespace(CORPUS={"mine": "reviews"}, MODEL="encoder", EXPERIMENTS={"mine": experiment})
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(recording, "provenance", lambda _: {})
    file.write_text('{"system": "a", "seed": 9, "cpu_seconds": 40000}\n', encoding="utf-8")
    assert run.missing("mine", module) == [{"system": "a", "seed": seed} for seed in range(3)]
    run.run("mine", module)
    assert "more than the 30 that one result may take" in capsys.readouterr().out.splitlines()[0]
    assert run.missing("mine", module) == []
    run.run("mine", module)
    assert computed == [0, 1, 2]
    rows = recorded()[1:]
    assert [row["accuracy"] for row in rows] == [0.5, 1.5, 2.5]
    assert all(len(row["data_sha256"]) == 12 and row["data"] == "reviews" for row in rows)
    assert all(row["cpu_seconds"] >= 0 for row in rows)


def test_a_result_is_found_beside_others_with_changed_settings(monkeypatch, tmp_path):
    plain, changed = {"system": "a", "seed": 0}, {"system": "b", "seed": 0, "change": {"epochs": 1}}
    lines = "".join(json.dumps(row) + "\n" for row in (plain, changed))
    (tmp_path / "mine.jsonl").write_text(lines, encoding="utf-8")
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    module = SimpleNamespace(EXPERIMENTS={"mine": lambda: ((about, None) for about in (plain, changed))})
    assert run.missing("mine", module) == []


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A module with three results in a ledger of its own, and the seeds that were computed."""
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)
    monkeypatch.setattr(recording, "provenance", lambda _: {})
    computed = []

    def experiment():
        for seed in range(3):
            recipe = {"epochs": module.RECIPE["epochs"], "seed": seed, "clip": 1.0}
            told = {} if seed == 2 else {"recipe": recipe}
            yield {"seed": seed}, lambda seed=seed, told=told: computed.append(seed) or {"accuracy": 0.5, **told}

    module = SimpleNamespace(CORPUS="reviews", MODEL="encoder", EXPERIMENTS={"mine": experiment}, RECIPE={"epochs": 3})
    run.run("mine", module)
    return SimpleNamespace(module=module, computed=computed, file=tmp_path / "mine.jsonl")


def rewrite(file, seed: int, **changes) -> None:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row | (changes if row["seed"] == seed else {}) for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"data_sha256": "0" * 12}, {"model_sha256": "0" * 12}])
def test_a_result_of_other_data_or_weights_is_stale_and_replaced_only_on_request(recorded, capsys, changed):
    rewrite(recorded.file, 1, **changed)
    capsys.readouterr()
    run.run("mine", recorded.module)
    assert capsys.readouterr().out == f"mine {{'seed': 1}} is stale: {next(iter(changed))} changed since\n"
    assert recorded.computed == [0, 1, 2]
    run.run("mine", recorded.module, 0.0, stale=True)
    assert recorded.computed == [0, 1, 2], "there was no time"
    run.run("mine", recorded.module, stale=True)
    assert recorded.computed == [0, 1, 2, 1]
    rows = ledger.read("mine")
    assert rows["seed"].tolist() == [0, 2, 1] and rows["data_sha256"].nunique() == rows["model_sha256"].nunique() == 1


@pytest.mark.slow
def test_a_result_of_another_recipe_is_stale_where_the_recipe_was_recorded(recorded, capsys):
    run.run("mine", recorded.module)
    assert "stale" not in capsys.readouterr().out
    recorded.module.RECIPE["epochs"] = 4
    run.run("mine", recorded.module)
    told = capsys.readouterr().out.splitlines()
    assert told == [f"mine {{'seed': {seed}}} is stale: epochs changed since" for seed in (0, 1)]
    run.run("mine", recorded.module, stale=True)
    assert recorded.computed == [0, 1, 2, 0, 1]
    run.run("mine", recorded.module, stale=True)
    assert recorded.computed == [0, 1, 2, 0, 1]
    recorded.module.recipe = lambda about: {"epochs": 4, "clip": 1.0 + about["seed"]}
    capsys.readouterr()
    run.run("mine", recorded.module)
    assert capsys.readouterr().out == "mine {'seed': 1} is stale: clip changed since\n"


@pytest.mark.parametrize("name", ledger.experiments())
def test_every_result_of_the_ledger_can_be_computed_again(name):
    assert name in run.modules()


@pytest.mark.parametrize("name", ledger.experiments())
def test_the_settings_of_every_result_of_the_ledger_can_be_told(name):
    module = run.modules()[name]
    recorded = (ledger._folder() / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, recorded):
        settings = run._settings(module, row)
        known = {key for key in settings if isinstance(row.get("recipe"), dict) and key in row["recipe"]}
        assert {key: row["recipe"][key] for key in known} == {key: settings[key] for key in known}, row


@pytest.mark.parametrize("name", ledger.experiments())
def test_every_result_of_the_ledger_is_found_again_once(name):
    module = run.modules()[name]
    stated = [about for about, _ in module.EXPERIMENTS[name]()]
    for row in run._done(name):
        assert sum(run._is(row, about) for about in stated) == 1, {key: row.get(key) for key in stated[0]}


def test_a_result_with_changed_settings_is_another_one():
    plain, changed = {"system": "a", "seed": 0}, {"system": "a", "seed": 0, "change": {"epochs": 1}}
    assert run._is(plain | {"n": 5}, plain) and run._is(changed | {"n": 5}, changed)
    assert not run._is(changed, plain) and not run._is(plain, changed)
    assert run._is(plain | {"change": {}}, plain)
