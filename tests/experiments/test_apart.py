"""The experiment on TensorFlow: it runs what the page shows, and its numbers are those of a step by PyTorch."""

import numpy as np
import tiny
import torch

from experiments import apart


def test_the_recorded_code_is_the_code_of_the_page():
    defined = {}
    exec(apart.code(), defined)  # functions alone: the module comes as an argument
    assert callable(defined["main"]) and callable(defined["classify"])
    assert "import " not in apart.code()


def test_a_step_has_gradients_and_both_losses():
    model = tiny.model(dropout=0.0).eval()
    batch = tiny.TASK.collate(tiny.TASK.encode(tiny.tokenizer(), tiny.rows(4)).to_list(), 0)
    before, weights = model(**batch), tiny.weights(model)
    made = apart.stepped(model, batch, rate=0.5)
    np.testing.assert_array_equal(made["logits"], before.logits.detach())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), weights[name] - 0.5 * torch.tensor(made[name]))
    assert made["after"] == model(**batch).loss.item() < made["loss"] == before.loss.item()


def test_the_weights_and_the_batch_go_to_the_code_of_the_page(monkeypatch):
    given = {}
    monkeypatch.setattr(apart.apart, "run", lambda source, arrays: given.update(arrays) or {"source": source})
    model = tiny.model()
    batch = tiny.TASK.collate(tiny.TASK.encode(tiny.tokenizer(), tiny.rows(4)).to_list(), 0)
    assert apart.in_tensorflow(model, batch, "code") == {"source": "code"}
    assert set(given) == {"ids", "mask", "labels"} | {name for name, _ in model.named_parameters()}
    np.testing.assert_array_equal(given["mask"], batch["attention_mask"])


def test_eq_linear_layer_of_the_page_is_that_of_pytorch():
    defined, layer, x = {}, torch.nn.Linear(3, 5), np.random.default_rng(0).normal(size=(2, 4, 3))
    exec(apart.code(), defined)
    weights = {f"a.{name}": value.detach().numpy() for name, value in layer.named_parameters()}
    made = defined["linear"](np, weights, "a", x)  # numpy has TensorFlow's einsum
    np.testing.assert_allclose(made, layer(torch.tensor(x, dtype=torch.float32)).detach(), atol=1e-6)
