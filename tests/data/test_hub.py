"""A data set of the Hub arrives, or one sentence says why not."""

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from helpers.data import hub
from helpers.data.splits import normalised
from helpers.errors import AssetError


def test_the_gpu_scale_without_network_is_one_sentence():
    with pytest.raises(AssetError, match=r"data set 'stanfordnlp/imdb' could not be loaded at scale 'gpu' .*SFT_SCALE"):
        hub.load("stanfordnlp/imdb", scale="gpu")


def test_a_published_test_set_stays_row_by_row_and_train_gives_way():
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})

    def part(texts: list[str], shift: int = 0) -> Dataset:
        labels = [(i + shift) % 2 for i in range(len(texts))]
        return Dataset.from_dict({"text": texts, "label": labels}, features=features)

    train = [f"text {i}" for i in range(100)] + ["Text 3!", "text 4"]  # one repeats another, one contradicts it
    test = [f"seen {i}" for i in range(40)] + [f"TEXT {i}." for i in range(50, 60)] + ["seen 1"]
    data = DatasetDict({"train": part(train), "test": part(test, shift=1)})
    corpus = hub.published(data, name="x", source="x", licence="x", unit="x")
    assert corpus.data["test"]["text"][:] == test and corpus.data["test"]["label"][:] == data["test"]["label"][:]
    rest = [*corpus.data["train"]["text"], *corpus.data["validation"]["text"]]
    keys = [set(normalised(pd.Series(texts))) for texts in (rest, test)]
    assert len(rest) == len(keys[0]) and not keys[0] & keys[1]
    assert corpus.card.removed["train row that stands in test"] == 10
    assert sum(corpus.card.removed.values()) + len(rest) == len(train)
