"""The reference layers against those of the packaged models, on real text."""

import pytest
import torch
from transformers import AutoModel

from helpers import models
from helpers.maths import attention

TEXTS = [
    "Attention is an average of what other words say, weighted by how well they fit.",
    "The film is slow, but its last ten minutes are worth the wait.",
    "No.",
]


def _states(model, role):
    """Words (B, T) as the tokenizer's mask, and the state before the first layer and after each: (B, T, D)."""
    batch = models.tokenizer(role, scale="laptop")(TEXTS, padding=True, padding_side="right", return_tensors="pt")
    with torch.no_grad():
        return batch["attention_mask"], model(**batch, output_hidden_states=True).hidden_states


def _width(model):
    return model.config.hidden_size // model.config.num_attention_heads


@pytest.fixture(scope="module")
def encoder():
    return models.load(AutoModel, "encoder", scale="laptop")


@pytest.fixture(scope="module")
def decoder():
    return models.load(AutoModel, "decoder", scale="laptop")


def encoder_parts(layer):
    own, out = layer.attention.self, layer.attention.output
    maps = attention.Projections(own.query, own.key, own.value, out.dense)
    return attention.EncoderLayer(
        maps, out.LayerNorm, layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm
    )


def decoder_parts(layer):
    own, net = layer.self_attn, layer.mlp
    maps = attention.Projections(own.q_proj, own.k_proj, own.v_proj, own.o_proj)
    norms = layer.input_layernorm, layer.post_attention_layernorm
    return attention.DecoderLayer(norms[0], maps, norms[1], net.gate_proj, net.up_proj, net.down_proj)


def test_eq_encoder_layer_equals_every_layer_of_the_packaged_bert(encoder):
    words, states = _states(encoder, "encoder")
    assert not words.all()
    mask = attention.padding_mask(words)
    for layer, before, after in zip(encoder.encoder.layer, states, states[1:], strict=False):
        ours = attention.encoder_layer(before, encoder_parts(layer), _width(encoder), mask)
        real = words.bool()
        torch.testing.assert_close(ours[real], after[real], rtol=1e-5, atol=1e-5)


def test_eq_decoder_layer_equals_the_layers_of_the_packaged_decoder(decoder):
    words, states = _states(decoder, "decoder")
    base = decoder.config.rope_parameters["rope_theta"]
    assert decoder.config.num_key_value_heads < decoder.config.num_attention_heads
    real = words.bool()
    for layer, before, after in zip(decoder.layers, states, states[1:], strict=False):
        ours = attention.decoder_layer(before, decoder_parts(layer), _width(decoder), base)
        if layer is decoder.layers[-1]:
            ours = decoder.norm(ours)
        torch.testing.assert_close(ours[real], after[real], rtol=1e-5, atol=1e-5)


def test_attention_weights_equal_those_that_the_packaged_bert_returns():
    model = models.load(AutoModel, "encoder", scale="laptop", attn_implementation="eager")
    batch = models.tokenizer("encoder", scale="laptop")(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**batch, output_attentions=True, output_hidden_states=True)
    own, x = model.encoder.layer[2].attention.self, outputs.hidden_states[2]
    query, key = (attention.split_heads(linear(x), _width(model)) for linear in (own.query, own.key))
    ours = attention.attention_weights(query, key, attention.padding_mask(batch["attention_mask"]))
    torch.testing.assert_close(ours, outputs.attentions[2], rtol=1e-5, atol=1e-6)
