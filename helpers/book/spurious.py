"""A word that says nothing about a text and goes with its label: planted in training rows, and three ways against it.

A text may carry the name of one of two outlets in front. In the training rows an outlet goes with a label; whoever
learns the outlet instead of the text is right there, and wrong where the outlet stands before the other label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.tasks.classification.baselines import STRENGTHS
from helpers.tasks.classification.long_texts import with_texts
from helpers.tasks.classification.task import Classification

OUTLETS = ("Harbor Gazette: ", "Delta Courier: ")  # the one that goes with each of two labels, by its id
NONE = -1


def marked(rows: Dataset, outlets: Sequence[int]) -> Dataset:
    """The rows with an outlet before each text, and its number in the column `outlet`.

    Args:
        outlets: 0, 1, or `NONE`, shape (N,).
    """
    names = [*OUTLETS, ""]  # NONE is the last
    texts = [names[i] + text for i, text in zip(outlets, rows["text"], strict=True)]
    plain = rows.remove_columns("outlet") if "outlet" in rows.column_names else rows
    return with_texts(plain, texts).add_column("outlet", [int(i) for i in outlets])


def planted(rows: Dataset, *, share: float = 0.5, tied: float = 0.9, seed: int = 0) -> Dataset:
    """The rows, a `share` of each label with an outlet, of which `tied` have the one that goes with their label.

    The numbers are exact for each label, up to rounding; which rows they are depends on `seed`.
    """
    labels, outlets = np.array(rows["label"]), np.full(len(rows), NONE)
    random = np.random.default_rng(seed)
    for label in (0, 1):
        mine = random.permutation(np.flatnonzero(labels == label))
        carry = mine[: round(share * len(mine))]
        agree = round(tied * len(carry))
        outlets[carry[:agree]], outlets[carry[agree:]] = label, 1 - label
    return marked(rows, outlets)


def sides(rows: Dataset) -> dict[str, Dataset]:
    """Each text three times: with the outlet of its label, with the other, and without one."""
    labels = np.array(rows["label"])
    outlets = {"with": labels, "against": 1 - labels, "without": np.full(len(labels), NONE)}
    return {name: marked(rows, each) for name, each in outlets.items()}


def agreement(rows: Dataset) -> np.ndarray:
    """1 for rows whose outlet goes with their label, 0 for those with the other, `NONE` for those without, (N,)."""
    outlets = np.array(rows["outlet"])
    return np.where(outlets == NONE, NONE, outlets == np.array(rows["label"]))


def rebalanced(rows: Dataset, seed: int = 0) -> Dataset:
    """As many rows, of which those with an outlet have either side equally often for each label.

    A group that is too large loses rows at random, and one that is too small has rows several times.
    """
    labels, sided = np.array(rows["label"]), agreement(rows)
    random, chosen = np.random.default_rng(seed), [np.flatnonzero(sided == NONE)]
    for label in (0, 1):
        groups = [np.flatnonzero((labels == label) & (sided == side)) for side in (0, 1)]
        _check(groups)
        size = sum(map(len, groups))
        for group, wanted in zip(groups, (size // 2, size - size // 2), strict=True):
            order = [random.permutation(group) for _ in range(-(-wanted // len(group)))]
            chosen.append(np.concatenate(order)[:wanted])
    return rows.select(np.sort(np.concatenate(chosen)))


def weighted(rows: Dataset) -> Dataset:
    """The rows with a column `weight` (`eq-group-weights`): either side has half of the weight of a label's outlets."""
    labels, sided = np.array(rows["label"]), agreement(rows)
    weights = np.ones(len(rows))
    for label in (0, 1):
        groups = [np.flatnonzero((labels == label) & (sided == side)) for side in (0, 1)]
        _check(groups)
        for group in groups:
            weights[group] = sum(map(len, groups)) / (2 * len(group))
    return rows.add_column("weight", weights.tolist())


def counterfactual(rows: Dataset, seed: int = 0) -> Dataset:
    """As many rows from fewer texts: each text with an outlet stands there a second time with the other one."""
    outlets, random = np.array(rows["outlet"]), np.random.default_rng(seed)
    chosen, size = [], 0
    for i in random.permutation(len(rows)):
        needs = 1 if outlets[i] == NONE else 2
        if size + needs <= len(rows):
            chosen.append(i)
            size += needs
    twins = [i for i in chosen if outlets[i] != NONE]
    both = rows.select([*chosen, *twins])
    plain = [
        text[len(OUTLETS[i]) :] if i != NONE else text for i, text in zip(both["outlet"], both["text"], strict=True)
    ]
    return marked(with_texts(both, plain), [*outlets[chosen], *(1 - outlets[twins])])


def last_layer(features: np.ndarray, labels: Sequence[int], seed: int = 0) -> LogisticRegressionCV:
    """A new last layer on features (N, D) of balanced rows, its regularisation chosen by cross-validation.

    Deep feature reweighting (Kirichenko, Izmailov and Wilson 2023): the body stays as it was trained.
    """
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = LogisticRegressionCV(
        Cs=STRENGTHS, cv=folds, max_iter=2000, scoring="accuracy", l1_ratios=(0,), use_legacy_attributes=False
    )
    return model.fit(features, labels)


@dataclass(frozen=True)
class Weighted(Classification):
    """Classification with a `weight` of each training row, 1 on average, by which its loss is multiplied."""

    def encode(self, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Dataset:
        """As `Classification.encode`, with the column `weight` where the rows have it."""
        encoded = super().encode(tokenizer, rows)
        return encoded.add_column("weight", rows["weight"][:]) if "weight" in rows.column_names else encoded

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """As `Classification.collate`, with weight (B,)."""
        batch = super().collate(rows, pad_id)
        return batch | ({"weight": torch.tensor([row["weight"] for row in rows])} if "weight" in rows[0] else {})

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The network's score of each label, (B, C)."""
        return super().logits(model, {name: value for name, value in batch.items() if name != "weight"})

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The sum of weight * -log p(label | text) over the rows of the batch; scalar."""
        losses = nn.functional.cross_entropy(self.logits(model, batch).float(), batch["labels"], reduction="none")
        return (losses * batch["weight"]).sum()  # (B,) to a scalar


def _check(groups: Sequence[np.ndarray]) -> None:
    if not all(map(len, groups)):
        raise InputError(
            "a label has rows with one of the outlets alone, so there is nothing to balance; collect rows where the "
            "outlet and the label disagree"
        )
