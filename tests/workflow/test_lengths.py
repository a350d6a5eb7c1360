"""What a model really reads is told before it is trained."""

from dataclasses import replace

import pytest
import tiny
from datasets import Dataset, DatasetDict

from helpers import Classification
from helpers.data.corpus import Corpus, DataCard
from helpers.workflow.finetune import finetune

CARD = DataCard("x", "y", "z", "row", "none", rows={}, labels={}, words={})


@pytest.mark.parametrize(
    "length, told", [(9999, "32 tokens; the model reads no more"), (9, "9 tokens; raise max_length")]
)
def test_the_length_that_a_model_reads_is_named(body, monkeypatch, length, told):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Classification, "build", stopped)
    rows = Dataset.from_dict({"text": ["w1 " * 60, "w2"], "label": [0, 1]})
    corpus, said = Corpus(DatasetDict(train=rows, validation=rows, test=rows), CARD), []
    with pytest.raises(KeyboardInterrupt):
        finetune(replace(tiny.TASK, max_length=length), corpus, tiny.recipe(), model=body, note=said.append)
    assert f"1 of 2 training texts were cut to {told}" in said[0]
