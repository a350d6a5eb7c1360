"""Attention against torch's kernels, against layers of the packaged models, and by its own properties."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaMLP

from helpers.errors import InputError
from helpers.maths import attention

EXACT = {"rtol": 0, "atol": 1e-12}


@pytest.fixture(autouse=True)
def _double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _heads(length=7, width=4, batch=2, heads=3):
    return [torch.randn(batch, heads, length, width, requires_grad=True) for _ in range(3)]


def _masks():
    padding = attention.padding_mask(torch.tensor([[1] * 7, [1] * 4 + [0] * 3]))
    return {
        "none": None,
        "padding": padding,
        "causal": attention.causal_mask(7),
        "both": padding & attention.causal_mask(7),
    }


def _gradients(output, inputs):
    weights = torch.linspace(-1, 1, output.numel()).view_as(output)
    return torch.autograd.grad((output * weights).sum(), inputs)


def _maps(width=12, inner=12):
    return attention.Projections(*(nn.Linear(width, inner) for _ in range(3)), nn.Linear(inner, width))


@pytest.mark.parametrize("kind", ["none", "padding", "causal", "both"])
def test_eq_scaled_dot_product_equals_torch(kind):
    inputs, mask = _heads(), _masks()[kind]
    ours = attention.scaled_dot_product_attention(*inputs, mask)
    theirs = functional.scaled_dot_product_attention(*inputs, attn_mask=mask)
    torch.testing.assert_close(ours, theirs, **EXACT)
    for a, b in zip(_gradients(ours, inputs), _gradients(theirs, inputs), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


@pytest.mark.parametrize("kind", ["none", "padding", "causal", "both"])
def test_attention_weights_are_averages_over_what_the_mask_allows(kind):
    query, key, _ = _heads()
    mask = _masks()[kind]
    weights = attention.attention_weights(query, key, mask)  # (B, H, T, S)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 7), **EXACT)
    allowed = torch.ones(2, 3, 7, 7, dtype=torch.bool) if mask is None else mask.expand(2, 3, 7, 7)
    assert (weights[~allowed] == 0).all()
    assert (weights[allowed] > 0).all()


def test_eq_attention_mask_hides_padding():
    query, key, value = _heads()
    mask = attention.padding_mask(torch.tensor([[1, 1, 1, 1, 0, 0, 0]] * 2))
    masked = attention.scaled_dot_product_attention(query, key, value, mask)
    cut = attention.scaled_dot_product_attention(query, key[:, :, :4], value[:, :, :4])
    torch.testing.assert_close(masked, cut, **EXACT)


def test_eq_attention_mask_hides_the_future():
    query, key, value = _heads()
    before = attention.scaled_dot_product_attention(query, key, value, attention.causal_mask(7))
    changed = [each.detach().index_add(2, torch.tensor([5]), torch.ones(2, 3, 1, 4)) for each in (query, key, value)]
    after = attention.scaled_dot_product_attention(*changed, attention.causal_mask(7))
    torch.testing.assert_close(after[:, :, :5], before[:, :, :5], rtol=0, atol=0)
    assert not torch.allclose(after[:, :, 5:], before[:, :, 5:])


def test_a_row_without_any_allowed_key_gives_zeros_and_a_finite_gradient():
    inputs = _heads()
    mask = attention.padding_mask(torch.tensor([[0] * 7, [1] * 7]))
    output = attention.scaled_dot_product_attention(*inputs, mask)
    assert (output[0] == 0).all()
    torch.testing.assert_close(output, functional.scaled_dot_product_attention(*inputs, attn_mask=mask), **EXACT)
    assert all(gradient.isfinite().all() for gradient in _gradients(output, inputs))


@pytest.mark.parametrize("width", [4, 64, 1024])
def test_eq_score_variance(width):
    query, key = torch.randn(2, 20_000, 1, width)
    plain = (query @ key.transpose(-2, -1)).flatten()
    assert plain.var().item() == pytest.approx(width, rel=0.05)
    assert attention.attention_scores(query, key).var().item() == pytest.approx(1, rel=0.05)


def test_eq_safe_softmax_equals_torch_and_is_free_of_shifts():
    scores = torch.randn(5, 9)
    torch.testing.assert_close(attention.softmax(scores), scores.softmax(-1), **EXACT)
    torch.testing.assert_close(attention.softmax(scores + 1e6), attention.softmax(scores), rtol=0, atol=1e-9)


def test_the_unsafe_softmax_agrees_on_small_scores_and_breaks_on_large_ones():
    scores = torch.randn(5, 9)
    torch.testing.assert_close(attention.softmax_unsafe(scores), attention.softmax(scores), **EXACT)
    large = torch.tensor([0.0, 89.0], dtype=torch.float32)
    assert attention.softmax_unsafe(large).isnan().any()
    assert attention.softmax_unsafe(large - 2).isfinite().all()
    torch.testing.assert_close(attention.softmax(large), large.softmax(-1))


def test_eq_softmax_jacobian_equals_autograd():
    scores = torch.randn(6)
    expected = torch.autograd.functional.jacobian(attention.softmax, scores)
    torch.testing.assert_close(attention.softmax_jacobian(scores.softmax(-1)), expected, **EXACT)


@pytest.mark.parametrize("block", [1, 3, 7, 50])
def test_eq_online_softmax_equals_the_whole_softmax(block):
    inputs = _heads()
    inputs[0].data *= 1e4
    ours = attention.attention_in_blocks(*inputs, block)
    torch.testing.assert_close(ours, attention.scaled_dot_product_attention(*inputs), rtol=0, atol=1e-11)


@pytest.mark.parametrize("masked", [False, True])
def test_eq_multi_head_equals_torch(masked):
    peer = nn.MultiheadAttention(12, 3, batch_first=True)
    nn.init.normal_(peer.in_proj_bias), nn.init.normal_(peer.out_proj.bias)
    maps = attention.Projections(*(nn.Linear(12, 12) for _ in range(3)), peer.out_proj)
    chunks = zip(maps[:3], peer.in_proj_weight.chunk(3), peer.in_proj_bias.chunk(3), strict=True)
    for linear, weight, bias in chunks:
        linear.weight.data, linear.bias.data = weight.detach().clone(), bias.detach().clone()
    x = torch.randn(2, 7, 12, requires_grad=True)
    words = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    mask = attention.padding_mask(words) if masked else None
    ours = attention.multi_head_attention(x, maps, 4, mask)
    theirs, _ = peer(x, x, x, key_padding_mask=~words.bool() if masked else None)
    torch.testing.assert_close(ours, theirs, **EXACT)
    weights = [linear.weight for linear in maps[:3]]
    gradients = _gradients(ours, [x, *weights, maps.output.weight])
    expected = _gradients(theirs, [x, peer.in_proj_weight, peer.out_proj.weight])
    torch.testing.assert_close(gradients[0], expected[0], **EXACT)
    torch.testing.assert_close(torch.cat(gradients[1:4]), expected[1], **EXACT)
    torch.testing.assert_close(gradients[4], expected[2], **EXACT)


def test_eq_multi_head_blocks_is_the_same_function():
    maps, x = _maps(), torch.randn(2, 7, 12)
    blocks = attention.multi_head_attention_by_blocks(x, maps, 4)
    torch.testing.assert_close(blocks, attention.multi_head_attention(x, maps, 4), **EXACT)


def test_without_positions_attention_does_not_see_the_order_of_words():
    maps, x, order = _maps(), torch.randn(2, 7, 12), torch.randperm(7)
    plain = attention.multi_head_attention(x, maps, 4)
    torch.testing.assert_close(attention.multi_head_attention(x[:, order], maps, 4), plain[:, order], **EXACT)
    placed = attention.multi_head_attention(x, maps, 4, place=attention.rotate)
    shuffled = attention.multi_head_attention(x[:, order], maps, 4, place=attention.rotate)
    assert not torch.allclose(shuffled, placed[:, order])


def test_eq_grouped_heads_equal_full_heads_with_repeated_keys_and_values():
    grouped = attention.Projections(nn.Linear(12, 12), nn.Linear(12, 4), nn.Linear(12, 4), nn.Linear(12, 12))
    full = _maps()._replace(query=grouped.query, output=grouped.output)
    for wide, narrow in zip(full[1:3], grouped[1:3], strict=True):
        wide.weight.data, wide.bias.data = narrow.weight.detach().repeat(3, 1), narrow.bias.detach().repeat(3)
    x = torch.randn(2, 7, 12)
    a, b = (attention.multi_head_attention(x, maps, 4) for maps in (grouped, full))
    torch.testing.assert_close(a, b, **EXACT)


def test_eq_rotary_scores_depend_on_the_distance_alone():
    query, key = torch.randn(2, 1, 8)
    scores = attention.rotate(query.expand(9, 8)) @ attention.rotate(key.expand(9, 8)).T
    firsts = []
    for distance in range(-8, 9):
        diagonal = scores.diagonal(distance)
        firsts.append(diagonal[0])
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), **EXACT)
    assert torch.stack(firsts).std() > 0.1


def test_eq_rotary_turns_and_does_not_stretch():
    x = torch.randn(5, 8)
    turned = attention.rotate(x)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1), **EXACT)
    torch.testing.assert_close(turned[0], x[0], rtol=0, atol=0)


@pytest.mark.parametrize(("length", "width"), [(7, 12), (16, 8)])
def test_eq_attention_cost_counts_what_torch_counts(length, width):
    maps, x = _maps(width, width), torch.randn(1, length, width)
    with FlopCounterMode(display=False) as counter:
        attention.multi_head_attention(x, maps, 4)
    assert counter.get_total_flops() == attention.attention_flops(length, width)


@pytest.mark.parametrize(("length", "width"), [(7, 12), (16, 8)])
def test_eq_layer_cost_counts_what_torch_counts(length, width):
    norms = nn.LayerNorm(width), nn.LayerNorm(width)
    network = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
    layer = attention.EncoderLayer(_maps(width, width), norms[0], *network, norms[1])
    with FlopCounterMode(display=False) as counter:
        attention.encoder_layer(torch.randn(1, length, width), layer, 4)
    assert counter.get_total_flops() == attention.layer_flops(length, width)


@pytest.mark.parametrize("width", [12, 384])
def test_half_of_the_operations_grow_with_the_square_of_the_length_from_twice_and_six_times_the_width(width):
    for times, count in ((2, attention.attention_flops), (6, attention.layer_flops)):
        assert 4 * (times * width) ** 2 * width / count(times * width, width) == pytest.approx(0.5)


def test_eq_rms_norm_equals_torch():
    norm, x = nn.RMSNorm(12, eps=1e-3), torch.randn(2, 7, 12)
    nn.init.normal_(norm.weight)
    torch.testing.assert_close(attention.rms_norm(x, norm.weight, 1e-3), norm(x), **EXACT)


def test_eq_gated_unit_equals_the_network_of_llama():
    network = LlamaMLP(LlamaConfig(hidden_size=12, intermediate_size=20, num_attention_heads=3))
    x = torch.randn(2, 7, 12)
    ours = attention.gated_unit(x, network.gate_proj, network.up_proj, network.down_proj)
    torch.testing.assert_close(ours, network(x), **EXACT)


def test_a_head_width_that_does_not_fit_is_named():
    with pytest.raises(InputError, match="head width 5 does not divide the width 12; choose"):
        attention.split_heads(torch.zeros(1, 2, 12), 5)


def test_splitting_and_merging_heads_are_inverse():
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(attention.merge_heads(attention.split_heads(x, 4)), x, rtol=0, atol=0)
