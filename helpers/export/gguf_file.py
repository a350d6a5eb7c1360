"""GGUF: a decoder with its vocabulary, its chat template and its stop tokens in one file, which llama.cpp runs."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.export.formats import Format
from helpers.tasks.base import Predictor
from helpers.tasks.generation.chat import ChatTemplate

FAMILIES = {"llama": gguf.MODEL_ARCH.LLAMA}  # architectures whose tensors and settings are known here
INSTEAD = "use it from its own folder ('helpers predict', 'helpers serve')"  # what can be done about a refusal
# How a byte-level tokenizer cuts a text before it merges, as tokenizers has it and as llama.cpp calls it.
_DIGITS = {"type": "Digits", "individual_digits": True}
CUTS = {"gpt-2": [], "smollm": [_DIGITS]}
_KINDS = {"f16": gguf.GGMLQuantizationType.F16, "q8_0": gguf.GGMLQuantizationType.Q8_0}
_LARGEST = {"f16": 65_504.0, "q8_0": 127 * 65_504.0}  # that a weight can be; 8 bits count steps of a scale in 16
_FILE_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}


def write(predictor: Predictor, form: Format, folder: Path) -> None:
    """Write a decoder into a folder.

    Raises InputError for an architecture, a vocabulary or stop tokens that GGUF has no name for here.
    """
    model, tokenizer = predictor.model, predictor.tokenizer
    check(model, form)
    writer = gguf.GGUFWriter(folder / form.file, gguf.MODEL_ARCH_NAMES[FAMILIES[model.config.model_type]])
    _settings(writer, model.config, _FILE_TYPES[form.weights])
    _vocabulary(writer, tokenizer, model.config.vocab_size)
    _turns(writer, ChatTemplate(tokenizer, predictor.task.template))
    for name, values in _tensors(model):
        kind = _KINDS[form.weights] if values.ndim > 1 else gguf.GGMLQuantizationType.F32  # norms are kept exact
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check(model: PreTrainedModel, form: Format) -> None:
    """InputError for a decoder that a form cannot hold.

    Its family is not known here, its rows are no whole blocks of 8 bits, or a weight is larger than the form's numbers.
    """
    family, kind = model.config.model_type, _KINDS[form.weights]
    if family not in FAMILIES:
        raise InputError(f"a GGUF of the family '{family}' cannot be written here; it can of {', '.join(FAMILIES)}")
    block = gguf.GGML_QUANT_SIZES[kind][0]
    for name, weight in model.state_dict().items():
        if weight.ndim > 1 and weight.shape[-1] % block:
            raise InputError(
                f"'{form.name}' rounds blocks of {block} weights, and a row of '{name}' has {weight.shape[-1]}; export "
                "to gguf, which rounds none"
            )
        largest, room = weight.abs().max().item(), _LARGEST[form.weights]
        if weight.ndim > 1 and not largest <= room:  # nor where it is not a number
            other = "export to gguf-q8, or " if room < largest <= _LARGEST["q8_0"] else ""
            raise InputError(
                f"'{name}' holds a weight of the size {largest:,.0f}, and '{form.name}' has room for {room:,.0f} at "
                f"the most; {other}{INSTEAD}"
            )


def _settings(writer: gguf.GGUFWriter, config: PreTrainedConfig, kind: gguf.LlamaFileType) -> None:
    """The shape of the network."""
    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default":
        raise InputError(f"positions of the kind '{rope['rope_type']}' are not known to the export to GGUF; {INSTEAD}")
    if config.hidden_act != "silu" or config.attention_bias or config.mlp_bias:
        raise InputError(f"a Llama with biases or another gate than silu is not known to the export to GGUF; {INSTEAD}")
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_file_type(kind)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerBase, size: int) -> None:
    """The tokens in the order of their ids, their kinds, and the merges that make them."""
    inside = json.loads(tokenizer.backend_tokenizer.to_str())
    writer.add_tokenizer_model("gpt2")  # llama.cpp's name for byte-level BPE
    writer.add_tokenizer_pre(cut_name(inside, tokenizer))
    added = {token["id"]: token for token in inside["added_tokens"]}
    tokens, kinds = vocabulary(tokenizer, size), []
    for place, token in enumerate(tokens):
        special = added.get(place)
        plain = gguf.TokenType.UNUSED if token.startswith("[UNUSED") else gguf.TokenType.NORMAL
        marked = gguf.TokenType.CONTROL if special and special["special"] else gguf.TokenType.USER_DEFINED
        kinds.append(marked if special else plain)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = inside["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_pad_token_id(tokenizer.pad_token_id)


def vocabulary(tokenizer: PreTrainedTokenizerBase, size: int) -> list[str]:
    """The token of each id, as the model has embeddings for; ids without a token get a name that no text has."""
    names = {place: token for token, place in tokenizer.get_vocab().items()}
    return [names.get(place, f"[UNUSED{place}]") for place in range(size)]


def cut_name(inside: dict, tokenizer: PreTrainedTokenizerBase) -> str:
    """llama.cpp's name for how a tokenizer cuts texts before it merges bytes; InputError if it has none."""
    cutter = inside["pre_tokenizer"] or {}
    steps = cutter.get("pretokenizers", [cutter])
    bytes_last = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    known = steps and bytes_last.items() <= steps[-1].items() and not inside["normalizer"]
    names = [name for name, before in CUTS.items() if known and steps[:-1] == before]
    if inside["model"]["type"] != "BPE" or not names:
        raise InputError(
            f"GGUF has no name here for the vocabulary of '{tokenizer.name_or_path}' ({inside['model']['type']}, cut "
            f"by {', '.join(step.get('type', 'nothing') for step in steps)}); byte-level BPE is known, cut as GPT-2 or "
            "SmolLM2 do"
        )
    return names[0]


def _turns(writer: gguf.GGUFWriter, template: ChatTemplate) -> None:
    """What frames the turns, and what ends an answer."""
    names = (writer.add_eos_token_id, writer.add_eot_token_id, writer.add_eom_token_id)
    tokens = stop_tokens(template)
    if len(tokens) > len(names):
        raise InputError(
            f"an answer of this model may end with {len(tokens)} tokens, and GGUF has names for {len(names)}; {INSTEAD}"
        )
    for add, token in zip(names, tokens, strict=False):
        add(token)
    start = template.start()
    writer.add_add_bos_token(bool(start))
    if template.tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(template.tokenizer.bos_token_id)
    if text := chat_template(template):
        writer.add_chat_template(text)


def stop_tokens(template: ChatTemplate) -> list[int]:
    """The tokens that end an answer, the tokenizer's own first."""
    own = template.tokenizer.eos_token_id
    return sorted(template.ends(), key=lambda token: (token != own, token))


def chat_template(template: ChatTemplate) -> str | None:
    """The template that writes the turns, in Jinja; None where a prompt has no frame."""
    return template.tokenizer.chat_template if template.template == "chat" else None


def _tensors(model: PreTrainedModel) -> Iterator[tuple[str, np.ndarray]]:
    """The weights by their names in GGUF, float32; an output layer that is the embedding again is left out."""
    config = model.config
    names = gguf.get_tensor_name_map(FAMILIES[config.model_type], config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for name, weight in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        values = weight.detach().float().cpu().numpy()
        if name.endswith("q_proj.weight"):
            values = rope_order(values, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            values = rope_order(values, config.num_key_value_heads)
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), values


def rope_order(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key matrix (H K, D) in llama.cpp's order.

    transformers turns the first half of a head against the second, llama.cpp turns neighbours against each other.
    """
    halves: Sequence[int] = (heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return rows.reshape(halves).swapaxes(1, 2).reshape(rows.shape)  # (H, 2, K / 2, D) to (H, K / 2, 2, D)
