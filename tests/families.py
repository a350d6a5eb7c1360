"""Models of the families of transformers, made tiny by one rule over the declared fields of their configurations."""

import re
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from helpers.tasks.classification.task import Classification
from helpers.tasks.extraction.spans import pack_offsets
from helpers.tasks.extraction.task import Extraction
from helpers.tasks.generation.task import Generation
from helpers.tasks.tagging.task import Tagging

VOCABULARY, WIDTH, HEADS, WINDOW, END = 64, 32, 4, 64, 3
# kind -> its task, the class of its models, and what their configuration needs
TASKS = {
    "causal": (Generation(template="plain", packed=16), AutoModelForCausalLM, {}),
    "classification": (Classification(("a", "b", "c")), AutoModelForSequenceClassification, {"num_labels": 3}),
    "tagging": (Tagging(("O", "B-X", "I-X")), AutoModelForTokenClassification, {"num_labels": 3}),
    "extraction": (Extraction(), AutoModelForQuestionAnswering, {"num_labels": 2}),
}
# The first pattern found in a field's name gives its largest value; a field that matches none keeps its own.
RULES = (
    (r"vocab", VOCABULARY),
    (r"max_(position|seq|target_pos|source_pos|len)|^n_positions$|^n_ctx$|original_max_position|^max_position", WINDOW),
    (r"window|attention_chunk_size|^block_size$|^chunk_size$|mamba_chunk_size", 8),
    (r"(key_value|kv|query)_(heads|groups)|n_head_kv|kv_n_heads", 2),
    (r"mamba_(n_heads|num_heads)|n_mamba_heads", 2 * HEADS),
    (r"n_groups?$|mamba_ngroups|topk_group", 2),
    (r"heads?$|num_heads", HEADS),
    (r"head_dim|d_kv|d_head|head_size|kv_channels|headdim|rotary_dim|_rank$|lora_dim|state|conv_dim", 8),
    (r"experts_per_tok|moe_top|moe_k|top_k_exp|^top_k$", 2),
    (r"^(num_|n_|moe_num_)?(local_|routed_)?experts$", 4),
    (r"interval|period|_every_n|every$", 2),
    (r"offset|first_k_dense|num_dense_layers|moe_layer_start|_skip", 1),
    (r"intermediate|ffn|d_ff|d_inner|n_inner|hidden_dim|moe_ff|lru_width_", 2 * WIDTH),
    (r"hidden_size|d_model|n_embd|embed|_dim$|^dim$|width|_size$", WIDTH),
)  # fmt: skip
# What a family's configuration needs besides.
NEEDS = {
    "bamba": {"attn_layer_indices": [1]},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "reformer": {"is_decoder": True, "axial_pos_embds": False},
    "xmod": {"default_language": "en_XX"},
    "nemotron": {"num_key_value_heads": 2},
    "mamba2": {"num_heads": 8, "head_dim": 8},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "esm": {"vocab_size": VOCABULARY, "pad_token_id": 1, "mask_token_id": 2},
    "t5": {"decoder_start_token_id": 0},
    "dots1": {"n_shared_experts": 1, "n_routed_experts": 4, "num_experts_per_tok": 2},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}},
    "perceiver": {"d_latents": WIDTH, "num_latents": 8},
    "nystromformer": {"conv_kernel_size": 3},
    "lilt": {"hidden_size": 48},
    "layoutlmv3": {"coordinate_size": 6, "shape_size": 4},
    "markuplm": {"max_xpath_tag_unit_embeddings": 256, "max_xpath_subs_unit_embeddings": 1024},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
}
LAYERS = re.compile(
    r"^(num_hidden_layers|num_layers|n_layers?|num_blocks|(num_)?(en|de)coder_layers|num_hidden_\w+layers)$"
)


def config(family: str) -> PreTrainedConfig:
    """The configuration of a family with small sizes and one or two layers of each kind that it has."""
    return _small(type(AutoConfig.for_model(family)))


def tiny(auto_class: type, family: str, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A model of the family, drawn under `seed`, in evaluation mode."""
    small = config(family)
    for name in vars(small):
        if re.fullmatch(r"init(ializer)?_(range|std)", name):
            setattr(small, name, 0.1)  # as far from linear as a trained model is
    for part in (small, small.get_text_config()):
        for name, value in changes.items():
            setattr(part, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return auto_class.from_config(small).eval()


def built(kind: str, family: str) -> PreTrainedModel:
    """A tiny model of the family for one of `TASKS`."""
    _, auto_class, changes = TASKS[kind]
    return tiny(auto_class, family, pad_token_id=0, eos_token_id=END, **changes)


def encoded(kind: str, ids: list[list[int]]) -> list[dict]:
    """Rows of these tokens as the task of a kind encodes them, of which everything is supervised that can be."""
    ids = [[*row, END] for row in ids]
    if kind == "causal":
        return [{"input_ids": row, "counts": [0] + [1] * (len(row) - 1)} for row in ids]
    if kind == "classification":
        return [{"input_ids": row, "label": 1, "labels": 1} for row in ids]
    if kind == "extraction":
        span = {"first": 0, "start": 1, "end": 2}
        return [{"input_ids": row, "offsets": pack_offsets(np.zeros((len(row), 2)))} | span for row in ids]
    words = {"before": 0, "last": 0}
    return [{"input_ids": row, "labels": [1] * len(row), "first": [*range(len(row))]} | words for row in ids]


def _small(kind: type[PreTrainedConfig]) -> PreTrainedConfig:
    default, given = kind(), {}
    count = next((value for name, value in vars(default).items() if LAYERS.match(name)), 0)
    kinds = next((value for name, value in vars(default).items() if re.match("layer_types|layers_block", name)), None)
    kept = [kinds.index(each) for each in dict.fromkeys(kinds)] if kinds else []
    kept = kept if len(kept) > 1 else [*range(min(2, count))]
    for name, field in kind.__dataclass_fields__.items():
        own, declared = vars(default).get(name), field.default
        if isinstance(own, PreTrainedConfig):
            given[name] = _small(type(own))
        elif isinstance(own, list) and len(own) == count:
            given[name] = [own[layer] for layer in kept]
        elif LAYERS.match(name):
            given[name] = min(declared, len(kept)) if type(declared) is int else declared
        elif name == "head_dim":
            given[name] = WIDTH // HEADS
        elif type(declared) is int:
            given[name] = _shrunk(name, declared)
    fields = kind.__dataclass_fields__
    if "num_key_value_heads" in given and fields["num_key_value_heads"].default == getattr(
        fields.get("num_attention_heads"), "default", None
    ):
        given["num_key_value_heads"] = HEADS
    return kind(**given | NEEDS.get(kind.model_type, {}))


def _shrunk(name: str, value: int) -> int:
    if name.endswith("token_id") or name.endswith("_idx"):
        return value if value < VOCABULARY else 3
    return min(value, next((largest for pattern, largest in RULES if re.search(pattern, name)), value))
