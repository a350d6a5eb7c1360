"""Losses: from the likelihood to what code computes, one function per equation.

Shapes: B batch, T positions, C classes (or words of the vocabulary); `...` is (B,) or (B, T). Everything is in nats.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from helpers.errors import InputError

IGNORE = -100  # the label that torch and transformers leave out of a loss


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities over the last dimension (eq-log-softmax)."""
    return logits - torch.logsumexp(logits, dim=-1, keepdim=True)


def expected_surprise(targets: Tensor, log_probs: Tensor) -> Tensor:
    """Cross-entropy between two distributions over the last dimension (eq-cross-entropy): (..., C) twice to (...)."""
    return -(targets * log_probs).sum(-1)


def entropy(probs: Tensor) -> Tensor:
    """The smallest cross-entropy that any prediction can have against these targets: (..., C) to (...)."""
    return -torch.xlogy(probs, probs).sum(-1)


def kl_divergence(targets: Tensor, probs: Tensor) -> Tensor:
    """What a prediction costs above the entropy of the targets (eq-kl): (..., C) twice to (...)."""
    return (torch.xlogy(targets, targets) - torch.xlogy(targets, probs)).sum(-1)


def picked(log_probs: Tensor, labels: Tensor) -> Tensor:
    """The log-probability of the one true class at each place: (..., C) and (...) to (...)."""
    return log_probs.gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    weight: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = IGNORE,
    reduction: str = "mean",
) -> Tensor:
    """What `torch.nn.functional.cross_entropy` computes, for logits (..., C) and labels (...) (eq-weighted-loss).

    `weight` (C,) multiplies each class. `smoothing` moves that share of each target evenly over all C classes, the
    true one included (see `smoothed_targets`). Places labelled `ignore_index` count nowhere. `reduction` is `none`,
    `sum` or `mean`; the mean divides by the weights of the true classes, not by the number of places.
    Raises InputError for an unknown reduction, a smoothing outside 0 to 1 or a label that is no class.
    """
    counted = labels != ignore_index
    _check(logits.shape[-1], labels[counted], smoothing, reduction)
    safe, log_probs = labels.where(counted, 0), log_softmax(logits)  # (...), (..., C)
    weight = logits.new_ones(logits.shape[-1]) if weight is None else weight
    losses = -(1 - smoothing) * weight[safe] * picked(log_probs, safe)
    if smoothing:
        losses = losses - smoothing * (weight * log_probs).mean(-1)
    losses = losses.where(counted, 0)
    total = weight[safe].where(counted, 0).sum()
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / total}[reduction]


def cross_entropy_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the summed cross-entropy for the logits: p - y, zero where ignored (eq-loss-gradient)."""
    counted = labels != IGNORE
    targets = one_hot(labels.where(counted, 0), logits.shape[-1])  # (..., C)
    return (logits.softmax(-1) - targets) * counted.unsqueeze(-1)


def smoothed_targets(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """One-hot targets with a share ε spread over all classes (eq-label-smoothing): (...) to (..., C).

    Szegedy et al. 2016, torch, Keras and transformers spread ε over all C classes, the true one included. tensor2tensor
    and fairseq spread it over the other C - 1: their ε is this one's ε·C/(C - 1).
    """
    return (1 - smoothing) * one_hot(labels, classes) + smoothing / classes


def prompt_labels(input_ids: Tensor, prompt_lengths: Tensor, attention_mask: Tensor) -> Tensor:
    """Labels for a causal model that learns the answers alone: IGNORE at prompt and padding, (B, T) to (B, T).

    `prompt_lengths` (B,) counts the tokens of each prompt. The mask, not the padding id, decides what is padding: with
    many decoders the padding id is the end token, and masking by id would teach the model never to stop.
    """
    position = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(
        input_ids
    )  # (B, T), for padding at the right
    keep = (position >= prompt_lengths.unsqueeze(1)) & attention_mask.bool()
    return input_ids.where(keep, IGNORE)


def token_losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each next token's loss and whether it counts: (B, T, C) and (B, T) to (B, T-1) twice.

    The logits at position t predict the token at t + 1, so both are shifted by one. An ignored token's loss is 0.
    """
    targets = labels[:, 1:]
    return cross_entropy(logits[:, :-1], targets, reduction="none"), targets != IGNORE


def sequence_negative_log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-probability of each row's supervised tokens, each given its past: (B,) (eq-chain-rule).

    Their sum is the loss of all rows (eq-sequence-loss).
    """
    return token_losses(logits, labels)[0].sum(1)


def token_mean(losses: Tensor, counts: Tensor) -> Tensor:
    """Average over supervised tokens: every token weighs the same (eq-token-mean): (B, T) twice to a scalar."""
    return losses.sum() / counts.sum()


def example_mean(losses: Tensor, counts: Tensor) -> Tensor:
    """Average over rows of each row's own average: every row weighs the same (eq-example-mean)."""
    return (losses.sum(1) / counts.sum(1)).mean()


def mean_of_means(losses: Tensor, counts: Tensor, rows: int) -> Tensor:
    """Average over micro-batches of `rows` rows of their token means: what naive accumulation does (eq-mean-of-means).

    The weight of a token then depends on which rows it shares a micro-batch with.
    """
    parts = zip(losses.split(rows), counts.split(rows), strict=True)
    return torch.stack([token_mean(*part) for part in parts]).mean()


def perplexity(losses: Tensor, counts: Tensor) -> Tensor:
    """The number of equally likely words that would be as surprising (eq-perplexity)."""
    return torch.exp(token_mean(losses, counts))


def _check(classes: int, labels: Tensor, smoothing: float, reduction: str) -> None:
    if reduction not in ("none", "sum", "mean"):
        raise InputError(f"the reduction {reduction!r} is not one of none, sum, mean; choose one of them")
    if not 0 <= smoothing <= 1:
        raise InputError(f"the smoothing {smoothing} is not between 0 and 1; choose a share such as 0.1")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise InputError(f"label {wrong[0]} is not one of the {classes} classes 0 to {classes - 1}; fix the label")
