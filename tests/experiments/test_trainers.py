"""The experiment on trainers: given the same they do the same, and what they do by themselves is what they do today."""

from itertools import pairwise

import numpy as np
import pytest
import tiny
import torch
from transformers import Trainer, TrainingArguments
from trl import SFTConfig

from experiments import trainers
from helpers import Recipe, fit


@pytest.fixture
def small(monkeypatch):
    """Tiny rows and a tiny model in place of the real ones."""
    corpus = type("Tiny", (), {"labels": ("no", "yes"), "data": {"train": tiny.rows(64), "test": tiny.rows(30, 1)}})
    monkeypatch.setattr(trainers.corpora, "load", lambda *_, **__: corpus)
    monkeypatch.setattr(trainers.models, "tokenizer", lambda *_, **__: tiny.tokenizer())
    monkeypatch.setattr(trainers, "_encoder", lambda dropout, seed: tiny.model(seed, dropout=dropout))
    monkeypatch.setattr(trainers, "LENGTH", 32)


def test_a_plain_loop_a_trainer_and_the_package_take_the_same_steps(small):
    runs = [trainers._classified(system, None, 0) for system in ("plain", "Trainer", "helpers")]
    assert [len(run["losses"]) for run in runs] == 3 * [3 * 64 // trainers.BATCH_ROWS]
    for one, other in pairwise(runs):
        np.testing.assert_allclose(one["losses"], other["losses"], atol=1e-5)
        np.testing.assert_array_equal(one["correct"], other["correct"])


@pytest.mark.parametrize("own", [*trainers.OWN, "all"])
def test_each_default_put_back_changes_the_steps(small, own):
    told, likes = (trainers._classified("Trainer", choice, 0)["losses"] for choice in (None, own))
    assert not np.allclose(told[:3], likes[:3], atol=1e-6)


def test_what_a_trainer_does_by_itself_is_what_today_s_does(tmp_path):
    today = TrainingArguments(str(tmp_path), use_cpu=True)
    own = {name: value for name, value in trainers.OWN.items() if name != "dropout"}  # the model's, not the trainer's
    assert {name: getattr(today, name) for name in own} == own
    assert tiny.model().config.to_dict()["hidden_dropout_prob"] == trainers.OWN["dropout"]
    told = (
        today.warmup_steps,
        today.weight_decay,
        today.lr_scheduler_type,
        today.max_grad_norm,
        today.num_train_epochs,
    )
    assert told == (0, 0, "linear", Recipe().clip, trainers.RECIPE["epochs"]), "what nobody has to tell it"
    assert SFTConfig(str(tmp_path), use_cpu=True).bf16, "it has to be told"


def test_the_losses_of_a_trainer_are_those_of_its_steps(tmp_path):
    rows = trainers.Classification(("no", "yes"), max_length=32).encode(tiny.tokenizer(), tiny.rows(20))

    def collator(batch):
        return tiny.TASK.collate(batch, 0)

    settings = {"per_device_train_batch_size": 4, "num_train_epochs": 1, "data_collator": collator}
    losses = trainers.by_trainer(
        Trainer, TrainingArguments, tiny.model(dropout=0.0), rows, learning_rate=0.0, **settings
    )
    whole = fit(tiny.TASK, tiny.model(dropout=0.0), tiny.tokenizer(), tiny.rows(20), None, tiny.recipe(batch_rows=20))
    assert len(losses) == 5
    assert np.mean(losses) == pytest.approx(whole.history["loss"].iloc[0], abs=1e-4)


def test_a_pair_becomes_two_lists_of_turns():
    turns = trainers.as_turns({"prompt": "a?", "completion": "b", "group": "c"})
    assert turns == {
        "prompt": [{"role": "user", "content": "a?"}],
        "completion": [{"role": "assistant", "content": "b"}],
    }


def test_the_schedule_falls_to_zero_and_steps_are_clipped():
    model = torch.nn.Linear(1, 1, bias=False)
    rates = []
    forward = model.forward

    def told(x):
        rates.append(model.weight.item())
        return type("Out", (), {"loss": 1e6 * forward(x).sum()})

    model.forward = told
    trainers.plain_loop(model, 4 * [{"x": torch.ones(1, 1)}], 0.1)
    moved = -np.diff([*rates, model.weight.item()])
    np.testing.assert_allclose(moved, 0.1 * np.array([1, 0.75, 0.5, 0.25]), rtol=1e-3)
