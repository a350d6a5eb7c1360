"""Pretrained models: loaded by role, folder or name; adapted by LoRA; read as vectors; and made faster."""

from helpers.models.loading import describe, load, origin, tokenizer, weight_count
from helpers.models.quiet import quiet

__all__ = ["describe", "load", "origin", "quiet", "tokenizer", "weight_count"]
