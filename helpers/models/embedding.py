"""Texts as vectors: the features of a pretrained body, without training."""

from collections.abc import Sequence

import numpy as np
import torch

from helpers.models.inference import BATCH_TOKENS, by_length, evaluating
from helpers.text import check_whole


def embed(
    body, tokenizer, texts: Sequence[str], *, max_length: int = 256, batch_tokens: int = BATCH_TOKENS
) -> np.ndarray:
    """The mean of the last layer over the tokens of each text, scaled to length one, shape (N, D), float32."""
    check_whole(texts)
    limit = min(max_length, tokenizer.model_max_length)
    encoded = tokenizer(list(texts), truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]

    def vectors(rows: list[int]) -> np.ndarray:
        batch = tokenizer.pad({"input_ids": [encoded[i] for i in rows]}, return_tensors="pt").to(body.device)
        mask = batch["attention_mask"].unsqueeze(-1)  # (B, T, 1)
        hidden = body(**batch).last_hidden_state * mask  # (B, T, D)
        return torch.nn.functional.normalize(hidden.sum(1) / mask.sum(1)).cpu().numpy()  # (B, D)

    with evaluating(body):
        rows = by_length(vectors, [len(ids) for ids in encoded], batch_tokens=batch_tokens)
    return np.stack(rows) if rows else np.zeros((0, body.config.hidden_size), dtype=np.float32)
