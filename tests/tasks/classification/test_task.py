"""The classification task: rows to features, the loss, predictions in order."""

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset

from helpers import Classification
from helpers.errors import InputError
from helpers.tasks.registry import from_dict


def batch(rows: int = 12) -> dict[str, torch.Tensor]:
    return tiny.TASK.collate(tiny.TASK.encode(tiny.tokenizer(), tiny.rows(rows)).to_list(), 0)


def test_a_row_becomes_its_tokens_and_its_label():
    encoded = tiny.TASK.encode(tiny.tokenizer(), Dataset.from_dict({"text": ["w0 w5", "nothing"], "label": [1, 0]}))
    assert encoded.to_list() == [{"input_ids": [2, 4, 9, 3], "labels": 1}, {"input_ids": [2, 1, 3], "labels": 0}]


def test_a_text_of_100_000_words_is_cut_to_the_limit():
    encoded = tiny.TASK.encode(tiny.tokenizer(), Dataset.from_dict({"text": ["w1 " * 100_000]}))
    assert len(encoded[0]["input_ids"]) == 32
    assert encoded[0]["input_ids"][-1] == 3


def test_padding_is_masked_and_on_the_right():
    made = batch()
    lengths = made["attention_mask"].sum(1)
    assert made["input_ids"].shape == made["attention_mask"].shape == (12, lengths.max())
    for ids, mask, length in zip(made["input_ids"], made["attention_mask"], lengths, strict=True):
        assert mask.tolist() == [1] * length + [0] * (len(mask) - length)
        assert (ids[length:] == 0).all()
        assert (ids[:length] != 0).all()


def test_eq_class_probability_predictions_are_the_softmax_of_the_logits():
    model, data = tiny.model().eval(), tiny.TASK.encode(tiny.tokenizer(), tiny.rows(5))
    made = tiny.TASK.collate(data.to_list(), 0)
    z = model(made["input_ids"], made["attention_mask"]).logits.detach().double()
    expected = z.exp() / z.exp().sum(-1, keepdim=True)
    np.testing.assert_allclose(tiny.TASK.predict(model, data), expected, atol=1e-6)


def test_eq_mean_cross_entropy_is_the_log_loss_that_the_task_reports():
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    expected = -(np.log(0.9) + np.log(0.6) + np.log(0.5)) / 3
    assert tiny.TASK.score(p, np.array([0, 1, 0]))["log_loss"] == pytest.approx(expected)
    torch_s = torch.nn.functional.cross_entropy(torch.tensor(p).log(), torch.tensor([0, 1, 0]))
    assert expected == pytest.approx(torch_s.item())


def test_the_loss_is_the_sum_of_minus_log_p():
    model, made = tiny.model().eval(), batch()
    p = model(**{name: made[name] for name in ("input_ids", "attention_mask")}).logits.softmax(-1)
    expected = -p[torch.arange(12), made["labels"]].log().sum()
    torch.testing.assert_close(tiny.TASK.loss(model, made), expected)


def test_predictions_keep_the_order_of_the_rows_and_ignore_padding():
    model, data = tiny.model().eval(), tiny.rows(40)
    together = tiny.TASK.predict(model, tiny.TASK.encode(tiny.tokenizer(), data), batch_tokens=64)
    alone = [tiny.TASK.predict(model, tiny.TASK.encode(tiny.tokenizer(), data.select([i])))[0] for i in range(40)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(together.sum(-1), 1, atol=1e-12)


def test_predicting_leaves_the_mode_of_the_model():
    for training in (True, False):
        model = tiny.model().train(training)
        tiny.TASK.predict(model, tiny.TASK.encode(tiny.tokenizer(), tiny.rows(3)))
        assert model.training == training


def test_scores_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
    scores = tiny.TASK.score(probabilities, np.array([0, 1, 1, 0]))
    assert scores["accuracy"] == 0.75
    assert scores["macro_f1"] == pytest.approx((2 * 2 / (4 + 1) + 2 * 1 / (2 + 1)) / 2)
    assert scores["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.5]).mean())
    assert tiny.TASK.per_row(probabilities, np.array([0, 1, 1, 0])).tolist() == [1, 0, 1, 1]


def test_a_task_is_what_its_dictionary_says():
    task = Classification(("a", "b", "c"), 64)
    assert from_dict(task.to_dict()) == task
    with pytest.raises(InputError, match="there is no task 'translation'; choose one of classification"):
        from_dict({"name": "translation"})


def test_one_label_is_not_a_classification_and_none_stands_twice():
    with pytest.raises(InputError, match="hold fewer than two classes"):
        Classification(("spam",))
    for labels in (("spam", "spam"), ("a", "b", "a")):
        with pytest.raises(InputError, match=r"labels name '\w+' twice; give each once"):
            Classification(labels)


def test_the_head_has_a_row_a_label_and_its_names():
    model = Classification(("a", "b", "c")).build("encoder", seed=1)
    again, other = (Classification(("a", "b", "c")).build("encoder", seed=seed) for seed in (1, 2))
    assert model.classifier.weight.shape == (3, model.config.hidden_size)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
    assert torch.equal(model.classifier.weight, again.classifier.weight)
    assert not torch.equal(model.classifier.weight, other.classifier.weight)


def test_a_limit_that_leaves_no_token_of_the_text_is_refused():
    with pytest.raises(InputError, match="max_length 2 is below 3"):
        Classification(("no", "yes"), max_length=2)
