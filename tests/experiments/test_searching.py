import pandas as pd
import pytest

from experiments import chinese, mail, news, questions, reviews, run, searching
from helpers import Recipe
from helpers.book import ledger
from helpers.book.ledger import Results
from helpers.errors import InputError

TRAINED = {
    chinese.NAME: (chinese, "multilingual"),
    chinese.ENGLISH: (chinese, "english"),
    mail.NAME: (mail, "fine-tuned"),
    news.NAME: (news, "fine-tuned"),
    questions.NAME: (questions, "fine-tuned"),
    reviews.CURVE: (reviews, "random init"),
    reviews.DECODER: (reviews, "decoder"),
}


def recorded(name: str, system: str) -> dict:
    return next(row for row in run._done(name) if row["system"] == system and not row.get("change"))


@pytest.mark.parametrize("name", TRAINED)
def test_a_recorded_result_has_the_settings_that_its_search_chose(name):
    module, system = TRAINED[name]
    row = recorded(name, system)
    today = searching.complete(module.recipe(row)).to_dict()
    set_then = {key: value for key, value in today.items() if key in row["recipe"] and value is not None}
    assert {"learning_rate", "epochs", "seed"} <= set_then.keys()
    assert set_then == {key: row["recipe"][key] for key in set_then}


@pytest.mark.parametrize("name", TRAINED)
def test_a_result_at_a_former_rate_is_stale(name, monkeypatch):
    module, system = TRAINED[name]
    row, origin = recorded(name, system), {"data_sha256": 0, "model_sha256": 0}
    row = row | origin
    assert run._changed(row, origin | {"recipe": run._settings(module, row)}) == []
    other = {"learning_rate": 7e-3, "epochs": 19}
    monkeypatch.setattr(searching, "chosen", lambda _, *keys, **of: {key: other[key] for key in keys})
    assert "learning_rate" in run._changed(row, origin | {"recipe": run._settings(module, row)})


def test_nothing_is_chosen_until_the_search_is_recorded(monkeypatch):
    rows = [{"system": "search", "train_rows": n, "recipe": Recipe(learning_rate=n / 1e6).to_dict()} for n in (50, 90)]
    monkeypatch.setattr(ledger, "read", lambda name: Results(pd.DataFrame(rows)))
    where = {"system": "search", "train_rows": 90}
    assert searching.chosen("mine", "learning_rate", **where) == {"learning_rate": 9e-5}
    assert searching.chosen("mine", "learning_rate", system="search", train_rows=10) == {}
    with pytest.raises(InputError, match="the search for this system's learning rate is not recorded"):
        searching.complete({"epochs": 3})


def test_the_best_of_the_rates_is_found_and_recorded():
    best = searching.found(
        lambda tried: (1 - abs(tried.learning_rate - 2e-4), tried.epochs * 10),
        Recipe(epochs=3),
        (1e-4, 2e-4, 4e-4),
        metric="accuracy",
        rows=40,
    )
    assert best["n"] == 40 and best["recipe"]["learning_rate"] == 2e-4 and best["recipe"]["epochs"] == 3
    assert sorted(trial["learning_rate"] for trial in best["trials"]) == [1e-4, 2e-4, 4e-4]
