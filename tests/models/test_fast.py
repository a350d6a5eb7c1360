"""The same results for less: cheap dropout, parts computed again, and first positions alone."""

import pytest
import tiny
import tiny_decoder
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.models.fast import (
    CheapDropout,
    RandomBits,
    cheap_dropout,
    cheap_parts_again,
    dropout_rates,
    first_token_only,
)
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


def texts(rows: int = 12) -> dict[str, torch.Tensor]:
    return tiny.TASK.collate(tiny.TASK.encode(tiny.tokenizer(), tiny.rows(rows)).to_list(), 0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_fast_path_changes_neither_logits_nor_gradients(attention):
    made, found = texts(), []
    for fast in (False, True):
        model = tiny.model(dropout=0.0, attn_implementation=attention).double()
        calls = []
        model.bert.encoder.layer[-1].output.register_forward_hook(lambda *a, c=calls: c.append(a[2].shape[1]))
        with first_token_only(model) if fast else torch.enable_grad():
            logits = model(input_ids=made["input_ids"], attention_mask=made["attention_mask"]).logits
            nn.functional.cross_entropy(logits, made["labels"]).backward()
        found.append((logits, {name: parameter.grad for name, parameter in model.named_parameters()}, calls))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-12)
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], rtol=0, atol=1e-12)
    assert found[0][2] == [made["input_ids"].shape[1]]
    assert found[1][2] == [1], "the last layer must have computed the first position alone"


def test_the_fast_path_may_be_nested_and_ends():
    model = tiny.model()
    last = model.bert.encoder.layer[-1]
    with first_token_only(model), first_token_only(model):
        pass
    assert "forward" not in vars(last)
