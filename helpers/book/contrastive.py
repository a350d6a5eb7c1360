"""Few labels in the manner of SetFit: texts of one class are pulled together, then a cheap head learns the classes."""

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.models.inference import half_precision
from helpers.training.recipe import Recipe

ROWS = 32  # of a step, if there are so many; all their pairs count


def contrast(
    body: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    recipe: Recipe,
    *,
    steps: int,
    max_length: int,
) -> PreTrainedModel:
    """Train `body` in place until texts of one class point the same way, and return it (after Tunstall et al. 2022).

    `helpers.models.embedding.embed` then gives the features on which logistic regression learns the classes.

    Args:
        rows: with the columns `text` and `label`.
        recipe: its learning rate, weight decay, schedule, clip and seed.
    """
    encoded = tokenizer(list(rows["text"]), truncation=True, max_length=max_length, return_attention_mask=False)
    ids, labels, draw = encoded["input_ids"], torch.tensor(rows["label"]), np.random.default_rng(recipe.seed)
    optimizer = torch.optim.AdamW(body.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    torch.manual_seed(recipe.seed)
    body.train()
    for step in range(steps):
        chosen = draw.permutation(len(ids))[:ROWS].tolist()
        batch = tokenizer.pad({"input_ids": [ids[i] for i in chosen]}, return_tensors="pt").to(body.device)
        with half_precision(body.device):
            hidden = body(**batch).last_hidden_state  # (B, T, D)
        loss = pair_loss(hidden.float(), batch["attention_mask"], labels[chosen])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body.parameters(), recipe.clip)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * recipe.learning_rate_at(step, steps)
        optimizer.step()
        optimizer.zero_grad()
    return body.eval()


def pair_loss(hidden: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """The squared error of the cosines of all pairs, which should be 1 in one class and 0 across; both weigh the same.

    Args:
        hidden: the last layer, (B, T, D).
        mask: 1 for tokens, 0 for padding, (B, T).
        labels: class ids, (B,).
    """
    sums = (hidden * mask.unsqueeze(-1)).sum(1)  # (B, D)
    vectors = torch.nn.functional.normalize(sums, dim=-1)
    cosines = vectors @ vectors.T  # (B, B)
    same = labels[:, None] == labels[None]
    others = ~torch.eye(len(labels), dtype=torch.bool)  # a text and itself are no pair
    kinds = [(cosines[same & others] - 1) ** 2, cosines[~same] ** 2]
    return torch.stack([kind.mean() for kind in kinds if len(kind)]).mean()
