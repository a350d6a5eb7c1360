"""Readings of texts by somebody are kept by hash, beside who wrote the texts, and each pair was read once."""

from importlib import resources

import pandas as pd


def test_readings_of_translations_are_as_many_of_each_writer():
    read = pd.read_csv(resources.files("helpers.book") / "translation_readings.csv")
    assert read["pair"].str.fullmatch("[0-9a-f]{12}").all()
    assert not read.duplicated(["pair", "system"]).any()
    assert set(read["reading"]) == {"right", "flawed", "wrong"}
    assert read["system"].value_counts().to_dict() == {"decoder": 50, "memory": 50, "reference": 50}
