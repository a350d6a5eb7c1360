"""A run inherits nothing: no state of another loop in the process, and no variable of the environment."""

import os

import numpy as np
import pytest
import tiny
import tiny_decoder
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import nn
from transformers import Trainer, TrainingArguments

from helpers import fit
from helpers.errors import InputError, TrainingError
from helpers.models.fast import RandomBits, cheap_dropout
from helpers.tasks.classification.task import Classification
from helpers.tasks.generation.likelihood import likelihood


def trained(**changes) -> dict[str, torch.Tensor]:
    run = fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(), None, tiny.recipe(clip=0.05, **changes))
    return tiny.weights(run.model)


@pytest.fixture(scope="module")
def undisturbed():
    """The weights after a run in a process where nothing else has trained."""
    return trained()


def interrupted_trainer(folder) -> None:
    """Somebody's Trainer that ends between two updates."""

    class Stopped(Trainer):
        steps = 0

        def training_step(self, *arguments, **settings):
            Stopped.steps += 1
            if Stopped.steps == 3:
                raise KeyboardInterrupt
            return super().training_step(*arguments, **settings)

    arguments = TrainingArguments(str(folder), gradient_accumulation_steps=4, use_cpu=True, report_to=[])
    data = tiny.TASK.encode(tiny.tokenizer(), tiny.rows(64))
    with pytest.raises(KeyboardInterrupt):
        Stopped(
            model=tiny.model(), args=arguments, train_dataset=data, data_collator=lambda r: tiny.TASK.collate(r, 0)
        ).train()


def finished_loop(_folder) -> None:
    """Somebody's loop that ends as it should, after a number of batches that is no multiple of its accumulation."""
    machine = Accelerator(gradient_accumulation_steps=4, cpu=True)
    model = machine.prepare(nn.Linear(2, 2))
    for _ in range(10):
        with machine.accumulate(model):
            machine.backward(model(torch.ones(1, 2)).sum())


@pytest.mark.parametrize("before", [interrupted_trainer, finished_loop])
def test_another_loop_of_the_process_changes_no_bit(before, undisturbed, tmp_path):
    before(tmp_path)
    after = trained()
    assert all(torch.equal(after[name], weight) for name, weight in undisturbed.items())


@pytest.mark.parametrize(
    "name, value",
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"),
        ("ACCELERATE_MIXED_PRECISION", "bf16"),
        ("ACCELERATE_SPLIT_BATCHES", "true"),
        ("ACCELERATE_DISPATCH_BATCHES", "true"),
        ("ACCELERATE_EVEN_BATCHES", "false"),
        ("ACCELERATE_USE_SEEDABLE_SAMPLER", "false"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR"),
        ("ACCELERATE_DOWNCAST_BF16", "true"),
    ],
)
def test_a_variable_of_the_environment_changes_no_bit_and_stays_as_it_is(name, value, undisturbed, monkeypatch):
    monkeypatch.setenv(name, value)
    after = trained()
    assert all(torch.equal(after[name], weight) for name, weight in undisturbed.items())
    assert os.environ[name] == value


def test_what_the_caller_froze_stays_frozen_and_the_next_run_chooses_anew():
    model, embeddings = tiny.model(dropout=0.0), "bert.embeddings.word_embeddings.weight"
    model.get_parameter(embeddings).requires_grad_(False)
    before = tiny.weights(model)
    fit(tiny.TASK, model, tiny.tokenizer(), tiny.rows(), None, tiny.recipe(trainable="head"))
    body_after_head = tiny.weights(model)
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(body_after_head[name], before[name])
    fit(tiny.TASK, model, tiny.tokenizer(), tiny.rows(), None, tiny.recipe())
    after = tiny.weights(model)
    assert torch.equal(after[embeddings], before[embeddings])
    assert not torch.equal(after[name], before[name])


def test_layers_that_are_computed_again_get_the_same_dropout():
    def gradients(again: bool) -> torch.Tensor:
        model = tiny.model(dropout=0.3)
        if again:
            model.gradient_checkpointing_enable()
        model.train()
        batch = tiny.TASK.collate(tiny.TASK.encode(tiny.tokenizer(), tiny.rows(8)).to_list(), 0)
        bits = RandomBits()
        with cheap_dropout(model, bits) if again else cheap_dropout(nn.Linear(1, 1), bits):
            torch.manual_seed(0)
            tiny.TASK.loss(model, batch).backward()
        return model.bert.encoder.layer[0].attention.self.query.weight.grad

    assert torch.allclose(gradients(True), gradients(False), rtol=1e-4, atol=1e-7)


# Validation rows that cannot choose


class Undecided(Classification):
    """Scores that are no numbers."""

    def score(self, predictions, references):
        return super().score(predictions, references) | {"accuracy": float("nan")}


def test_a_score_that_is_not_finite_stops_the_run():
    task = Undecided(("no", "yes"), 32)
    with pytest.raises(TrainingError, match=r"accuracy on the validation rows is nan after step 3 and cannot"):
        fit(task, tiny.model(), tiny.tokenizer(), tiny.rows(), tiny.rows(8), tiny.recipe())


@pytest.mark.parametrize(
    "rows, sentence",
    [
        (tiny.rows(8).select([]), "the validation data hold no rows"),
        (Dataset.from_dict({"text": ["w1"]}), "the rows hold no labels to compare with"),
    ],
)
def test_validation_rows_that_cannot_be_scored_are_refused_before_training(rows, sentence):
    model = tiny.model()
    before = tiny.weights(model)
    with pytest.raises(InputError, match=sentence):
        fit(tiny.TASK, model, tiny.tokenizer(), tiny.rows(), rows, tiny.recipe())
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.weights(model).items())


def test_a_run_goes_on_only_with_the_same_configuration(tmp_path):
    recipe = tiny.recipe(epochs=1)
    fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(), None, recipe, output=tmp_path / "model")
    with pytest.raises(InputError, match="was made with model"):
        fit(
            tiny.TASK, tiny.model(dropout=0.5), tiny.tokenizer(), tiny.rows(), None, recipe,
            output=tmp_path / "model", resume=True,
        )  # fmt: skip
    moved = tiny.model()
    moved.config._name_or_path = "/elsewhere"  # where a model lies changes nothing
    fit(tiny.TASK, moved, tiny.tokenizer(), tiny.rows(), None, recipe, output=tmp_path / "model", resume=True)
    assert np.isfinite(fit(
        tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(), None, recipe, output=tmp_path / "model", resume=True
    ).history["loss"]).all()  # fmt: skip


def test_validation_rows_without_completions_are_refused_before_training():
    model = tiny_decoder.model()
    before = tiny.weights(model)
    bare = tiny_decoder.rows(4).remove_columns("completion")
    with pytest.raises(InputError, match="the rows hold no labels to compare with"):
        fit(tiny_decoder.PLAIN, model, tiny_decoder.tokenizer(), tiny_decoder.rows(), bare, tiny_decoder.recipe())
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.weights(model).items())


def test_a_dropout_that_reaches_nothing_is_refused_before_training(tmp_path):
    arguments = (tiny_decoder.PLAIN, tiny_decoder.model(), tiny_decoder.tokenizer(), tiny_decoder.rows(), None)
    with pytest.raises(InputError, match=r"dropout of the recipe reaches nothing in this model \(llama\)"):
        fit(*arguments, tiny_decoder.recipe(dropout=0.1), output=tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_likelihood_of_a_text_of_one_token_has_no_tokens():
    sums = likelihood(tiny_decoder.model(), tiny_decoder.tokenizer(), ["a", "abc"])
    assert sums[0].tolist() == [0.0, 0.0] and sums[1, 0] < 0 and sums[1, 1] == 2
