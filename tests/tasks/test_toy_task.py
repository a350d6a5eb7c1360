"""A task of its own in under sixty lines: a text and a number, such as its stars. Nothing else needs to change."""

from dataclasses import dataclass

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoModelForSequenceClassification

from helpers import finetune, load
from helpers.data.batching import padded_inputs
from helpers.data.corpus import Corpus, DataCard
from helpers.tasks import registry
from helpers.tasks.base import Task
from helpers.tasks.texts import encode_texts


@dataclass(frozen=True)
class Stars(Task):
    """The number of stars of a text."""

    max_length: int = 32
    name = "stars"
    auto_class = AutoModelForSequenceClassification
    pipeline_tag = "text-classification"
    selection_metric = "closeness"

    def configuration(self):
        return {"num_labels": 1}

    def encode(self, tokenizer, rows):
        columns = {"input_ids": encode_texts(tokenizer, rows["text"][:], self.max_length)}
        return Dataset.from_dict(columns | ({"stars": rows["stars"][:]} if "stars" in rows.column_names else {}))

    def collate(self, rows, pad_id):
        stars = {"stars": torch.tensor([row["stars"] for row in rows])} if "stars" in rows[0] else {}
        return padded_inputs([row["input_ids"] for row in rows], pad_id) | stars

    def loss_terms(self, encoded):
        return np.ones(len(encoded))

    def references(self, encoded):
        return np.array(encoded["stars"])

    def loss(self, model, batch):
        return ((self._stars(model, batch) - batch["stars"]) ** 2).sum()

    def outputs(self, model, batch):
        return self._stars(model, batch).cpu().numpy()

    def _stars(self, model, batch):
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]  # (B,)

    def per_row(self, predictions, references):
        return -np.abs(predictions - references)

    def score(self, predictions, references):
        return {"closeness": float(self.per_row(predictions, references).mean())}

    def answer(self, prediction, row):
        return {"stars": round(float(prediction), 2)}

    @property
    def limit(self):
        return "It knows stars and nothing else."


def rows(count: int, seed: int) -> Dataset:
    """A star for each word of the second half of the vocabulary, in texts of four."""
    places = np.random.default_rng(seed).integers(len(tiny.WORDS), size=(count, 4))
    stars = (places >= len(tiny.WORDS) // 2).sum(1).astype(float)
    return Dataset.from_dict(
        {"text": [" ".join(tiny.WORDS[i] for i in row) for row in places], "stars": stars.tolist()}
    )


@pytest.fixture
def corpus():
    splits = {
        name: rows(count, seed) for seed, (name, count) in enumerate((("train", 160), ("validation", 40), ("test", 40)))
    }
    card = DataCard("stars", "made", "none", "a text", "none", {name: len(part) for name, part in splits.items()}, {})
    return Corpus(DatasetDict(splits), card)


def test_a_task_of_ones_own_is_trained_scored_saved_and_used(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.TASKS, "stars", f"{__name__}:Stars")
    monkeypatch.setattr(registry, "import_module", lambda name: type("module", (), {"Stars": Stars}))
    body = tmp_path / "body"
    tiny.model(dropout=0.0).bert.save_pretrained(body)
    tiny.tokenizer().save_pretrained(body)
    recipe = tiny.recipe(learning_rate=1e-2, epochs=12, batch_rows=16)
    run = finetune(Stars(), corpus, recipe, tmp_path / "model", model=str(body))
    assert (
        run.scores["closeness"]
        > -0.5
        > Stars().score(np.full(40, 2.0), np.array(corpus.data["test"]["stars"]))["closeness"]
    )
    assert list(run.ladder.index) == ["fine-tuned"] and run.ladder["n"].iloc[0] == 40
    low, high = (answer["stars"] for answer in load(tmp_path / "model").answers(["w1 w2 w3 w4", "w58 w57 w56 w55"]))
    assert low < 1 and high > 3
