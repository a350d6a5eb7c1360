"""A result that stands in the ledger is not computed again, and every experiment can be found."""

from types import SimpleNamespace

import pandas as pd
import pytest

from helpers import ledger
from tools import results


def test_only_what_is_missing_is_computed(monkeypatch):
    recorded, computed = [], []

    def read(name):
        return pd.DataFrame([row for row in recorded if row["experiment"] == name])

    def experiment():
        for seed in range(3):
            yield {"system": "a", "seed": seed}, lambda seed=seed: computed.append(seed) or {"accuracy": 0.5 + seed}

    def record(_folder, name, **row):
        recorded.append({"experiment": name, **row})

    module = SimpleNamespace(CORPUS="reviews", MODEL="encoder", EXPERIMENTS={"mine": experiment})
    monkeypatch.setattr(ledger, "read", read)
    monkeypatch.setattr(ledger, "record", record)
    results.run("mine", module)
    results.run("mine", module)
    assert computed == [0, 1, 2]
    assert [row["accuracy"] for row in recorded] == [0.5, 1.5, 2.5]
    assert all(len(row["data_sha256"]) == 12 and row["data"] == "reviews" for row in recorded)


@pytest.mark.parametrize("name", ledger.experiments())
def test_every_result_of_the_ledger_can_be_computed_again(name):
    assert name in results.modules()
