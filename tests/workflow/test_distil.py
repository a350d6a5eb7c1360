"""The way from a classifier to a smaller one: it comes to answer like its teacher, and is saved like any other."""

import numpy as np
import tiny
from datasets import Dataset
from tiny_export import saved

from helpers import saving
from helpers.tasks.base import Predictor
from helpers.tasks.classification.distillation import shallow
from helpers.workflow.distil import distil


def test_a_student_learns_to_answer_like_its_teacher_from_rows_without_labels(tmp_path):
    model = tiny.model(dropout=0.0)
    model.bert.encoder.layer.extend(tiny.model(seed=3, dropout=0.0).bert.encoder.layer)
    model.config.num_hidden_layers = 4
    model.classifier.weight.data *= 40  # so that it has something to say
    teacher, rows, unseen = Predictor(tiny.TASK, model, tiny.tokenizer()), tiny.rows(200), tiny.rows(100, seed=1)
    before = tiny.weights(model)
    texts = Dataset.from_dict({"text": rows["text"][:]})
    run = distil(teacher, texts, 2, recipe=tiny.recipe(epochs=40))

    def off(student: Predictor) -> float:
        return float(np.abs(student.predict(unseen) - teacher.predict(unseen)).mean())

    assert off(run) < 0.5 * off(Predictor(tiny.TASK, shallow(model, 2), tiny.tokenizer()))
    hot, cold = (distil(teacher, texts, 2, recipe=tiny.recipe(epochs=4), temperature=t) for t in (8.0, 1.0))
    assert np.abs(hot.predict(unseen) - cold.predict(unseen)).max() > 1e-6, "equal where none is used"
    assert all((before[name] == weight).all() for name, weight in tiny.weights(model).items())
    assert run.task == tiny.TASK
    again = saving.load(saved(tmp_path / "student", run))
    assert again.model.config.num_hidden_layers == 2
    np.testing.assert_allclose(again.predict(unseen), run.predict(unseen), atol=1e-6)
