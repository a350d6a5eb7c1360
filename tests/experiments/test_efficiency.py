"""The experiments on efficiency: forms answer alike, students have their teacher, and rates come from validation."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from datasets import DatasetDict

from experiments import derivation, efficiency, recording
from helpers import Classification, corpora, models
from helpers.book import ledger
from helpers.book.ledger import Results
from helpers.export.formats import FORMATS
from helpers.tasks.base import Predictor, Task


def four_layers(seed: int = 0):
    model = tiny.model(seed)
    model.bert.encoder.layer.extend(tiny.model(seed + 9).bert.encoder.layer)
    model.config.num_hidden_layers = 4
    return model


@pytest.fixture
def small(monkeypatch):
    """Tiny reviews and a tiny model in place of the real ones, and what each run was given."""
    seen = []
    parts = {"train": tiny.rows(90, 1), "choosing": tiny.rows(20, 2), "validation": tiny.rows(24, 3)}
    data = DatasetDict(parts | {"test": tiny.rows(30, 4)})

    def fit(task, model, tokenizer, train, choosing, recipe):
        seen.append((model.config.num_hidden_layers, len(train), recipe))
        return actual(task, model, tokenizer, train, choosing, _short(recipe))

    actual = efficiency.fit
    monkeypatch.setattr(efficiency, "reviews", lambda: data)
    monkeypatch.setattr(Classification, "for_corpus", lambda corpus, **settings: replace(tiny.TASK, **settings))
    monkeypatch.setattr(Task, "build", lambda self, model=None, *, pretrained=True, seed=0: four_layers(seed))
    monkeypatch.setattr(models, "tokenizer", tiny.tokenizer)
    for module in ("experiments.efficiency.fit", "helpers.workflow.distil.fit"):
        monkeypatch.setattr(module, fit)
    caches = (efficiency._teacher, efficiency._student, efficiency._alone, efficiency._scratch)
    for each in caches:
        each.cache_clear()
    yield seen
    for each in caches:
        each.cache_clear()


def _short(recipe):
    return tiny.recipe(epochs=1, seed=recipe.seed, trainable=recipe.trainable)


def result(system: str, form: str = "fp32") -> dict:
    return efficiency._form_result({"system": system, "form": form, "seed": 0})


@pytest.mark.parametrize("system", [*efficiency.TEACHERS, *efficiency.STUDENTS, efficiency.ALONE])
def test_a_result_holds_a_verdict_and_a_probability_for_each_test_row(small, system):
    found = result(system)
    assert found["n"] == 30 == len(found["correct"]) and found["counts"].shape == (30, 1)
    row = Results(pd.DataFrame([recording.packed(found | {"system": system})]))
    assert derivation.kept(row)["accuracy"].value() == found["accuracy"]
    fresh = row.probabilities()[0] > 0.5
    right = np.array(efficiency.tested({"system": system})["label"]) == fresh
    assert (right == found["correct"]).mean() > 0.9  # but for those at one half


def test_a_student_has_fewer_layers_and_a_teacher_that_is_trained_once(small):
    result("3 layers"), result("2 layers"), result("6 layers")
    assert [layers for layers, *_ in small] == [4, 3, 2], "the tiny teacher has four"
    rates = {recipe.learning_rate for layers, _, recipe in small if layers < 4}
    assert rates == {efficiency.STUDENT["learning_rate"]}


def test_all_forms_answer_like_the_first(small):
    answers = {form: result("6 layers", form) for form in efficiency.OF["6 layers"]}
    first = answers["fp32"]["counts"] / ledger.HIGHEST
    for form, near in {"bf16": 0.02, "onnx": 1e-4, "onnx-int8": 0.05}.items():
        assert np.abs(answers[form]["counts"] / ledger.HIGHEST - first).max() < near, form
    assert answers["bf16"]["bytes"] == answers["fp32"]["bytes"] / 2
    assert answers["onnx-int8"]["bytes"] < answers["onnx"]["bytes"]
    weights = {parameter.dtype for parameter in efficiency._run("6 layers", 0).model.parameters()}
    assert weights == {torch.float32}, "the rounding lasts no longer than the answers"


def test_times_are_measured_in_turn_for_all_forms(small, monkeypatch):
    turns = []
    monkeypatch.setattr(efficiency, "REPEATS", 2)
    monkeypatch.setattr(efficiency, "SINGLE", 2)
    monkeypatch.setattr(efficiency, "OF", {"4 layers": ("fp32", "onnx-int8"), "2 layers": ("bf16",)})
    monkeypatch.setattr(efficiency, "_spent", lambda predictor, rows: turns.append(predictor) or 6.0)
    found = efficiency._times()
    assert set(found) == {"4 layers, fp32", "4 layers, onnx-int8", "2 layers, bf16"}
    assert all(len(each["together"]) == len(each["alone"]) == 2 for each in found.values())
    assert len(turns) == 3 * (1 + 2) * 3, "one more round, which is left out"
    assert small == [], "nothing is trained for it"
    assert {turn.model.config.num_hidden_layers for turn in turns} == {4, 2}


def test_what_is_spent_is_this_process_s_own():
    predictor = Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer())
    assert 0 < efficiency._spent(predictor, tiny.rows(8)) < 10_000


def test_the_rate_of_a_way_is_the_best_on_validation(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)
    tried = [("LoRA", 1e-3, 0.7), ("LoRA", 3e-3, 0.8), ("two layers", 1e-2, 0.9)]
    lines = [{"system": s, "change": {"learning_rate": r}, "accuracy": a} for s, r, a in tried]
    (tmp_path / f"{efficiency.TUNING}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    chosen = efficiency.recipe({"system": "LoRA", "seed": 1})
    assert chosen == efficiency.RECIPE | {"learning_rate": 3e-3, "seed": 1}
    assert efficiency.recipe({"system": "LoRA", "seed": 0, "change": {"learning_rate": 5.0}})["learning_rate"] == 5.0


def test_each_way_trains_what_its_name_says(small, monkeypatch):
    monkeypatch.setattr(efficiency, "_chosen", lambda system: {})
    trained = []

    def watched(task, model, rows, settings):
        before = tiny.weights(model)
        run = actual(task, model, rows, settings)
        after = tiny.weights(run.model)
        trained.append({name for name, weight in after.items() if not torch.equal(weight, before[name])})
        return run

    actual = efficiency._fitted
    monkeypatch.setattr(efficiency, "_fitted", watched)
    for system in efficiency.CHANGES:
        assert efficiency._way({"system": system, "seed": 0})["n"] == 30
    lora, layers = trained
    assert lora and all("lora" in name or "classifier" in name for name in lora)
    assert any("classifier" in name for name in lora), "the new layer trains whole"
    assert {name.split(".")[3] for name in layers if "encoder" in name} == {"2", "3"}, "of four layers the upper two"


def test_rates_are_tried_on_validation(small, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "_folder", lambda: tmp_path)  # nothing has been tried before
    found = efficiency._form_result(
        {"system": efficiency.FEWER, "form": "fp32", "seed": 0, "change": {"learning_rate": 7e-4}}
    )
    assert found["n"] == len(efficiency.reviews()["validation"]) == 24
    assert small[-1][2].learning_rate == 7e-4
    assert efficiency._way({"system": "LoRA", "seed": 0, "change": {"learning_rate": 1e-3}})["n"] == 24


def test_the_order_gives_a_page_early():
    abouts = [about for about, _ in efficiency.forms()]
    systems = [about["system"] for about in abouts]
    first = sum(map(len, efficiency.OF.values()))
    assert set(systems[:first]) == set(efficiency.OF) and {about["seed"] for about in abouts[:first]} == {0}
    seeds = {name: [about["seed"] for about in abouts if about["system"] == name] for name in efficiency.OF}
    assert all(set(each) == set(efficiency.SEEDS) for each in seeds.values())
    for experiment in efficiency.EXPERIMENTS.values():
        keys = [json.dumps(about, sort_keys=True) for about, _ in experiment()]
        assert len(keys) == len(set(keys))
    assert all(form in FORMATS or form in ("fp32", "bf16") for forms in efficiency.OF.values() for form in forms)
    assert corpora.load(efficiency.CORPUS).card.name
