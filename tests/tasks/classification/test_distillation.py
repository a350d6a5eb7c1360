"""Distillation: the loss against its definition, what a student begins as, and rows that hold a teacher's words."""

import re

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset

from helpers.errors import InputError
from helpers.tasks.base import Predictor
from helpers.tasks.classification import distillation
from helpers.tasks.classification.distillation import Distilled


def teacher() -> Predictor:
    return Predictor(tiny.TASK, tiny.model(), tiny.tokenizer())


def told_batch(temperature: float = 2.0) -> tuple[Distilled, dict]:
    task = Distilled(tiny.TASK.labels, tiny.TASK.max_length, temperature)
    encoded = task.encode(tiny.tokenizer(), distillation.told(teacher(), tiny.rows(9)))
    return task, task.collate(encoded.to_list(), 0)


def test_eq_distillation_is_the_divergence_of_softened_probabilities():
    random = np.random.default_rng(0)
    student, taught = random.normal(size=(2, 5, 3))
    for temperature in (0.5, 1.0, 3.0):
        p, q = (np.exp(z / temperature) / np.exp(z / temperature).sum(1, keepdims=True) for z in (taught, student))
        expected = temperature**2 * (p * np.log(p / q)).sum()
        found = distillation.soft_loss(torch.tensor(student), torch.tensor(taught), temperature)
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_at_temperature_one_the_gradient_is_that_of_cross_entropy():
    z = torch.randn(6, 3, requires_grad=True)
    taught = torch.randn(6, 3)
    (ours,) = torch.autograd.grad(distillation.soft_loss(z, taught, 1.0), z)
    (theirs,) = torch.autograd.grad(torch.nn.functional.cross_entropy(z, taught.softmax(-1), reduction="sum"), z)
    torch.testing.assert_close(ours, theirs)


def test_the_gradient_of_a_hot_loss_is_as_large_as_that_of_a_cool_one():
    z, taught = 0.05 * torch.randn(200, 3, dtype=torch.double), 0.05 * torch.randn(200, 3, dtype=torch.double)
    z.requires_grad_()
    norms = [torch.autograd.grad(distillation.soft_loss(z, taught, t), z)[0].norm().item() for t in (1.0, 4.0)]
    assert norms[1] == pytest.approx(norms[0], rel=0.1)


def test_a_temperature_that_is_given_is_used():
    task, batch = told_batch(4.0)
    assert task.temperature == 4.0 and task.lora_rank is None
    model = tiny.model(seed=1).eval()
    losses = [told_batch(temperature)[0].loss(model, batch).item() for temperature in (1.0, 4.0)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_a_student_that_is_its_teacher_has_no_loss():
    task, batch = told_batch()
    model = tiny.model().eval()
    assert task.loss(model, batch).item() == pytest.approx(0, abs=1e-6)
    model.classifier.weight.data *= 40
    assert task.loss(model, batch).item() > 1e-3
    assert "teacher" in batch, "the batch stays as it was"


def test_rows_are_told_without_their_labels():
    rows = tiny.rows(7)
    found = distillation.told(teacher(), rows)
    assert found.column_names == ["text", "teacher"] and found["text"][:] == rows["text"][:]
    np.testing.assert_allclose(np.exp(found["teacher"][:]), teacher().predict(rows), rtol=1e-6)
    without = Dataset.from_dict({"text": rows["text"][:]})
    assert distillation.told(teacher(), without).to_list() == found.to_list()


def test_a_probability_of_zero_stays_a_finite_number(monkeypatch):
    monkeypatch.setattr(Predictor, "predict", lambda self, rows: np.array([[0.0, 1.0]] * len(rows)))
    assert np.isfinite(distillation.told(teacher(), tiny.rows(2))["teacher"][:]).all()


def test_labelled_rows_score_a_student_like_any_classifier():
    task, _ = told_batch()
    encoded = task.encode(tiny.tokenizer(), tiny.rows(20))
    plain = tiny.TASK.encode(tiny.tokenizer(), tiny.rows(20))
    model = tiny.model()
    np.testing.assert_array_equal(task.predict(model, encoded), tiny.TASK.predict(model, plain))
    assert task.plain() == tiny.TASK


@pytest.mark.parametrize(("layers", "of", "kept"), [(3, 6, [0, 2, 5]), (2, 6, [0, 5]), (6, 6, [0, 1, 2, 3, 4, 5])])
def test_kept_layers_are_spread(layers, of, kept):
    assert distillation.spread(layers, of) == kept


def test_a_shallow_model_has_the_weights_that_it_keeps_and_its_own():
    model = _four_layers()
    small = distillation.shallow(model, 3)
    theirs, ours = tiny.weights(model), tiny.weights(small)
    assert small.config.num_hidden_layers == 3 and model.config.num_hidden_layers == 4
    places = dict(enumerate(distillation.spread(3, 4)))
    for name, weight in ours.items():
        there = re.sub(r"layer\.(\d)\.", lambda found: f"layer.{places[int(found[1])]}.", name)
        assert torch.equal(weight, theirs[there]), name
    with torch.no_grad():
        next(small.parameters()).zero_()
    assert torch.equal(next(model.parameters()), theirs[next(iter(theirs))]), "the teacher is untouched"


def test_a_model_with_all_its_layers_says_the_same():
    model, encoded = _four_layers().eval(), tiny.TASK.encode(tiny.tokenizer(), tiny.rows(6))
    same = distillation.shallow(model, 4)
    np.testing.assert_array_equal(tiny.TASK.predict(model, encoded), tiny.TASK.predict(same, encoded))


@pytest.mark.parametrize("layers", [1, 5])
def test_a_number_of_layers_that_is_not_there_gets_one_sentence(layers):
    with pytest.raises(InputError, match=f"cannot give {layers}; take a number from 2 to 4"):
        distillation.shallow(_four_layers(), layers)


def test_another_architecture_gets_one_sentence():
    with pytest.raises(InputError, match="are not where those of a BERT are"):
        distillation.shallow(torch.nn.Linear(2, 2), 2)


def test_a_temperature_of_zero_gets_one_sentence():
    with pytest.raises(InputError, match="temperature 0 must be above 0"):
        Distilled(("no", "yes"), temperature=0)


def _four_layers():
    model = tiny.model()
    other = tiny.model(seed=5)
    model.bert.encoder.layer.extend(other.bert.encoder.layer)
    model.config.num_hidden_layers = 4
    return model
