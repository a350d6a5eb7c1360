"""Cheap dropout has the distribution of PyTorch's, and rates come back as they were."""

import pytest
import tiny
import torch
from torch import nn

from helpers.models.fast import CheapDropout, RandomBits, cheap_dropout, dropout_rates


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_share_of_zeros_is_p_and_the_mean_is_kept(p):
    dropped = CheapDropout(p, RandomBits())(torch.ones(1000, 1000))
    assert (dropped == 0).float().mean().item() == pytest.approx(p, abs=4 * (p * (1 - p) / 1e6) ** 0.5)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)


def test_neighbours_are_dropped_independently():
    kept = (CheapDropout(0.5, RandomBits())(torch.ones(1000, 1000)) > 0).float()
    for shift in (1, 2, 3, 4):
        assert abs(torch.corrcoef(torch.stack([kept[:, :-shift].ravel(), kept[:, shift:].ravel()]))[0, 1]) < 0.005


def test_the_gradient_passes_where_the_value_does():
    x = torch.ones(5, 7, requires_grad=True)
    y = CheapDropout(0.4, RandomBits())(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_a_stream_is_a_function_of_its_key():
    bits = RandomBits()
    draws = []
    for key in ([1, 2, 0], [1, 2, 0], [1, 3, 0], [1, 2, 1]):
        bits.seed(key)
        draws.append(bits.draw(torch.Size([50])))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[3])


def test_evaluation_drops_nothing_and_the_model_is_restored():
    model = tiny.model()
    kinds = [type(module) for module in model.modules()]
    with cheap_dropout(model.train(), RandomBits()):
        assert any(isinstance(module, CheapDropout) and module.training for module in model.modules())
        model.eval()
        x = torch.ones(3, 4)
        assert all(torch.equal(m(x), x) for m in model.modules() if isinstance(m, CheapDropout))
    assert [type(module) for module in model.modules()] == kinds
    assert not any(module.training for module in model.modules())


def test_rates_change_apart_and_come_back():
    model = tiny.model(dropout=0.1)

    def rates(attention: bool):
        found = [m for m in model.modules() if type(m).__name__.endswith("SelfAttention") == attention]
        return {child.p for m in found for child in m.children() if isinstance(child, nn.Dropout)}

    with dropout_rates(model, 0.3, 0.0):
        assert (rates(False), rates(True)) == ({0.3}, {0.0})
    with dropout_rates(model, None, 0.2):
        assert (rates(False), rates(True)) == ({0.1}, {0.2})
    assert (rates(False), rates(True)) == ({0.1}, {0.1})
