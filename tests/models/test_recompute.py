"""Recomputed activations: the same gradients from less memory, on plain models, adapters and packed rows."""

import pytest
import tiny
import tiny_decoder
import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.models.fast import cheap_parts_again
from helpers.tasks.generation.task import token_losses


def batch(width=None):
    task = tiny_decoder.CHAT if width is None else type(tiny_decoder.CHAT)(packed=width)
    encoded = task.encode(tiny_decoder.tokenizer(), tiny_decoder.rows(6)).to_list()
    return task.collate(encoded, tiny_decoder.tokenizer().pad_token_id)


def gradients(model, inputs, precision=torch.float32):
    """The loss and every gradient of one step."""
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        loss = token_losses(model, inputs).sum()
        loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


class Products(TorchDispatchMode):
    """Counts matrix products."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)
        return function(*args, **(kwargs or {}))


def kept(model, inputs):
    """Bytes that the graph of one forward pass keeps, weights left out, each storage once."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = token_losses(model, inputs).sum()
    assert loss.requires_grad
    return sum(sizes.values())


@pytest.mark.parametrize("width", [None, 96])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_loss_and_gradients_are_the_same_bit_by_bit(width, precision):
    model, inputs = tiny_decoder.model().train(), batch(width)
    expected = gradients(model, inputs, precision)
    with cheap_parts_again(model):
        found = gradients(model, inputs, precision)
    assert torch.equal(found[0], expected[0])
    assert found[1].keys() == expected[1].keys()
    assert all(torch.equal(found[1][name], expected[1][name]) for name in expected[1])


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft asks for it by its old name
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_adapters_get_the_same_gradients_too(dropout):
    settings = LoraConfig(r=4, target_modules="all-linear", lora_dropout=dropout, task_type="CAUSAL_LM")
    adapted, inputs = get_peft_model(tiny_decoder.model(), settings).train(), batch()
    torch.manual_seed(0)
    expected = gradients(adapted, inputs)[1]
    torch.manual_seed(0)
    with Products() as again, cheap_parts_again(adapted):
        found = gradients(adapted, inputs)[1]
    with Products() as plain:
        gradients(adapted, inputs)
    assert len(found) and all(torch.equal(found[name], expected[name]) for name in expected)
    assert again.count == plain.count > 0


def test_less_is_kept_and_no_matrix_product_is_repeated():
    model, inputs = tiny_decoder.model().train(), batch()
    with Products() as plain:
        gradients(model, inputs)
    before = kept(model, inputs)
    with cheap_parts_again(model):
        with Products() as again:
            gradients(model, inputs)
        assert kept(model, inputs) < 0.8 * before
    assert again.count == plain.count > 0


def test_the_model_is_its_own_again_afterwards_and_others_are_left_alone():
    model = tiny_decoder.model()
    with pytest.raises(RuntimeError, match="stop"), cheap_parts_again(model):
        with cheap_parts_again(model):  # the inner one finds nothing to change
            pass
        assert "forward" in vars(model.model.norm)
        raise RuntimeError("stop")
    assert not any("forward" in vars(module) for module in model.modules())
    encoder = tiny.model()
    with cheap_parts_again(encoder):
        assert not any("forward" in vars(module) for module in encoder.modules())
