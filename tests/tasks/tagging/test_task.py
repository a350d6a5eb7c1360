"""Tagging: words are read at their first piece, the heads agree where they must, and rows count what they should."""

from itertools import pairwise

import numpy as np
import pytest
import tiny
import torch
from datasets import ClassLabel, Dataset, Features, Sequence, Value
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, BertForTokenClassification

from helpers import Tagging, fit, models, saving
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.training.optimizer import new_parameters, parameter_groups

TAGS = ("O", "B-x", "I-x")
SOFTMAX, CRF = Tagging(TAGS, max_length=32), Tagging(TAGS, "crf", max_length=32)


def rows(count: int = 96, seed: int = 0) -> Dataset:
    """Sentences in which words of the second half of the vocabulary are names; `I` follows its like."""
    random = np.random.default_rng(seed)
    tokens, tags = [], []
    for _ in range(count):
        places = random.integers(len(tiny.WORDS), size=random.integers(2, 14))
        names = [False, *(places >= len(tiny.WORDS) // 2)]
        tokens.append([tiny.WORDS[place] for place in places])
        tags.append([0 if not now else 2 if before else 1 for before, now in pairwise(names)])
    features = Features({"tokens": Sequence(Value("string")), "tags": Sequence(ClassLabel(names=list(TAGS)))})
    return Dataset.from_dict({"tokens": tokens, "tags": tags}, features=features)


def batch(task, count: int = 8) -> dict:
    encoded = task.encode(tiny.tokenizer(), rows(count))
    return task.collate(encoded.to_list(), 0)


def test_each_word_is_read_at_its_first_piece():
    words = models.tokenizer()
    data = Dataset.from_dict({"tokens": [["Unaffordability", "\u200b", "of", "Kowalczyk's"]], "tags": [[0, 0, 0, 1]]})
    encoded = SOFTMAX.encode(words, data)[0]
    pieces = words.convert_ids_to_tokens(encoded["input_ids"])
    assert [pieces[place] for place in encoded["first"]] == ["una", "[CLS]", "of", "ko"]
    assert len(pieces) > 6


def test_eq_emission_is_the_linear_layer_at_the_first_piece(body):
    model, inputs = SOFTMAX.build(body), batch(SOFTMAX)
    hidden = model.bert(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
    emissions = SOFTMAX.emissions(model, inputs)
    for row, word in inputs["word_mask"].nonzero().tolist():
        state = hidden[row, inputs["first"][row, word]]
        expected = model.classifier.weight @ state + model.classifier.bias
        assert torch.allclose(emissions[row, word], expected, atol=1e-5)


def test_padding_changes_neither_loss_nor_tags(body):
    for task in (SOFTMAX, CRF):
        model = task.build(body)
        encoded = task.encode(tiny.tokenizer(), rows(12))
        single = [task.loss(model, task.collate([row], 0)).item() for row in encoded.to_list()]
        assert task.loss(model, task.collate(encoded.to_list(), 0)).item() == pytest.approx(sum(single), rel=1e-5)
        alone = [task.predict(model, encoded.select([i]))[0].tolist() for i in range(12)]
        assert [row.tolist() for row in task.predict(model, encoded)] == alone


def test_a_crf_without_transitions_is_the_softmax_head(body):
    softmax, crf = (task.build(body) for task in (SOFTMAX, CRF))
    assert CRF.loss(crf, batch(CRF)).item() == pytest.approx(SOFTMAX.loss(softmax, batch(SOFTMAX)).item(), rel=1e-5)
    encoded = CRF.encode(tiny.tokenizer(), rows(20))
    pairs = zip(CRF.predict(crf, encoded), SOFTMAX.predict(softmax, encoded), strict=True)
    assert all((one == other).all() for one, other in pairs)


def test_transformers_computes_the_same_loss(body):
    model, inputs = SOFTMAX.build(body), batch(SOFTMAX)
    labels = torch.full_like(inputs["input_ids"], -100)
    labels.scatter_(1, inputs["first"], inputs["labels"])
    labels[:, 0] = -100  # where padding words of `first` point
    theirs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels).loss
    terms = (inputs["labels"] >= 0).sum()
    assert (SOFTMAX.loss(model, inputs) / terms).item() == pytest.approx(theirs.item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("task", [SOFTMAX, CRF], ids=["softmax", "crf"])
def test_a_few_sentences_are_learnt_by_heart_and_come_back_after_saving(task, body, tmp_path):
    data, words = rows(64), tiny.tokenizer()
    model = task.build(body)
    before = tiny.weights(model)
    run = fit(task, model, words, data, data, tiny.recipe(epochs=40, learning_rate=1e-2, batch_rows=16))
    encoded = task.encode(words, data)
    predictions = task.predict(run.model, encoded)
    assert task.score(predictions, task.references(encoded))["span_f1"] > 0.8
    assert all((tiny.weights(model)[name] != value).any() for name, value in before.items() if "crf" in name)

    card = DataCard("x", "x", "x", "x", "x", {}, {}, {})
    folder = run.save(tmp_path / "model", card)
    loaded = saving.load(folder)
    again, loaded, tokenizer = loaded.task, loaded.model, loaded.tokenizer
    assert again == task
    assert all(map(np.array_equal, again.predict(loaded, again.encode(tokenizer, data)), predictions))
    plain = AutoModelForTokenClassification.from_pretrained(folder)
    assert isinstance(plain, BertForTokenClassification) and plain.config.id2label == dict(enumerate(TAGS))


def test_saved_transitions_stand_beside_the_weights(body, tmp_path):
    model = CRF.build(body)
    with torch.no_grad():
        model.crf.between.copy_(torch.arange(9.0).view(3, 3))
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors")["crf.between"].tolist() == model.crf.between.tolist()
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path)
    CRF.restore(plain, tmp_path)
    assert plain.crf.between.tolist() == model.crf.between.tolist()


def test_transitions_learn_at_a_pace_of_their_own(body):
    model = CRF.build(body)
    new = new_parameters(model, CRF)
    groups = parameter_groups(model, tiny.recipe(head_learning_rate=0.5), new, CRF.learning_rates)
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert {rates[id(p)] for p in model.crf.parameters()} == {1e-2}
    assert {rates[id(p)] for p in model.classifier.parameters()} == {0.5}
    assert {rates[id(p)] for p in model.bert.parameters()} == {3e-3}


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_constrained_decoding_never_begins_inside(head, body):
    encoded = SOFTMAX.encode(tiny.tokenizer(), rows(30))
    free, bound = Tagging(TAGS, head, max_length=32), Tagging(TAGS, head, constrain=True, max_length=32)
    model = free.build(body)
    with torch.no_grad():  # an untrained network that loves to begin inside a span
        model.classifier.bias.copy_(torch.tensor([0.0, -5.0, 1.0]))

    def illegal(task) -> int:
        found = [[0, *row] for row in task.predict(model, encoded)]
        return sum(now == 2 and before == 0 for row in found for before, now in pairwise(row))

    assert illegal(free) > 0
    assert illegal(bound) == 0


def test_counts_of_rows_make_the_score():
    data = rows(40)
    true = [np.array(row) for row in data["tags"]]
    found = [np.where(np.random.default_rng(i).random(len(row)) < 0.2, 0, row) for i, row in enumerate(true)]
    counts = SOFTMAX.per_row(found, true)
    assert SOFTMAX.from_counts(counts.sum(0)) == pytest.approx(SOFTMAX.score(found, true)["span_f1"])


def test_tags_that_mark_no_spans_are_scored_by_word():
    task = Tagging(("DET", "NOUN", "VERB"))
    true, found = [np.array([0, 1, 2]), np.array([1])], [np.array([0, 1, 1]), np.array([1])]
    assert task.selection_metric == "accuracy" and task.score(found, true) == {"accuracy": 0.75}
    assert task.from_counts(task.per_row(found, true).sum(0)) == 0.75


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="fewer than two kinds"):
        Tagging(("O",))
    with pytest.raises(InputError, match="no head 'mlp'; choose one of softmax, crf"):
        Tagging(TAGS, "mlp")
    with pytest.raises(InputError, match="not BIO"):
        Tagging(("A", "B"), constrain=True)
