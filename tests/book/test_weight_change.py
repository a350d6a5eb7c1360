"""How far weights moved: measured against their own size, part by part."""

import pytest
import torch

from helpers.book import weight_change
from helpers.errors import InputError


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))


def test_eq_weight_change_is_the_norm_of_the_difference_over_the_norm():
    net = model()
    before = weight_change.copied(net)
    with torch.no_grad():
        net[0].weight.mul_(1.1)
        net[0].bias.mul_(1.1)
    change = weight_change.relative_change(
        before, weight_change.copied(net), {"first": "0.", "second": "1.", "matrix": "0.weight"}
    )
    assert change.to_dict() == pytest.approx({"first": 0.1, "second": 0.0, "matrix": 0.1}, abs=1e-6)
    added = torch.randn(2, 3)
    with torch.no_grad():
        net[1].weight.add_(added)
    found = weight_change.relative_change(before, weight_change.copied(net), {"matrix": "1.weight"})
    assert found["matrix"] == pytest.approx((added.norm() / before["1.weight"].norm()).item(), abs=1e-6)


def test_a_copy_does_not_move_with_the_model():
    net = model()
    before = weight_change.copied(net)
    kept = before["0.weight"].clone()
    with torch.no_grad():
        net[0].weight.add_(1)
    assert torch.equal(before["0.weight"], kept)


def test_a_prefix_without_parameters_is_named():
    before = weight_change.copied(model())
    with pytest.raises(InputError, match=r"no parameter's name begins with 'layer\.' \(part 'body'\); give a prefix"):
        weight_change.relative_change(before, before, {"body": "layer."})
