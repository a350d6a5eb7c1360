"""A linear-chain conditional random field, one function per equation; vectorised over batch and tags.

Shapes: B batch, T positions, C tags, K best sequences. `emissions` (B, T, C) are the network's scores of each tag at
each position. `mask` (B, T) is true at words and false at padding, which stands at the end of a row; no mask means that
all rows are whole. Lafferty, McCallum and Pereira 2001.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.errors import InputError
from helpers.maths.losses import IGNORE

# Far below any sum of real scores, but finite: with -inf the gradient of a tag that nothing reaches would be nan.
FORBIDDEN = -1e30


class Transitions(NamedTuple):
    """Scores of beginning with a tag (C,), of tag j after tag i (C, C), and of ending with a tag (C,)."""

    start: Tensor
    between: Tensor
    end: Tensor


def forbid(transitions: Transitions, allowed: Transitions) -> Transitions:
    """The same scores, but FORBIDDEN where `allowed`, three boolean tensors, is false."""
    return Transitions(*(score.where(ok, FORBIDDEN) for score, ok in zip(transitions, allowed, strict=True)))


def bio_allowed(tags: Sequence[str]) -> Transitions:
    """What BIO tags may follow each other: I-x only after B-x or I-x, and never first. Three boolean tensors."""
    inside = [tag.startswith("I-") for tag in tags]
    between = [[not then.startswith("I-") or now in (then, "B" + then[1:]) for then in tags] for now in tags]
    return Transitions(~torch.tensor(inside), torch.tensor(between), torch.ones(len(tags), dtype=torch.bool))


def score(emissions: Tensor, tags: Tensor, transitions: Transitions, mask: Tensor | None = None) -> Tensor:
    """The score of one tag sequence per row (eq-crf-score): (B, T, C) and (B, T) to (B,). Tags at padding are free."""
    mask = _whole(emissions, mask)
    tags = tags.where(mask, 0)
    start, between, end = transitions
    emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2) * mask  # (B, T)
    moved = between[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]  # (B, T-1)
    last = tags.gather(1, mask.sum(1, keepdim=True) - 1).squeeze(1)  # (B,)
    return start[tags[:, 0]] + emitted.sum(1) + moved.sum(1) + end[last]


def forward_scores(emissions: Tensor, transitions: Transitions, mask: Tensor | None = None) -> Tensor:
    """Log-sum of the scores of all beginnings that end in each tag (eq-forward): (B, T, C), repeated at padding."""
    return torch.stack(_forward(emissions, transitions, _whole(emissions, mask)), dim=1)


def log_partition(emissions: Tensor, transitions: Transitions, mask: Tensor | None = None) -> Tensor:
    """Log-sum of the scores of all C^T tag sequences, in T·C² steps (eq-log-partition): (B,)."""
    last = _forward(emissions, transitions, _whole(emissions, mask))[-1]  # (B, C)
    return torch.logsumexp(last + transitions.end, dim=1)


def negative_log_likelihood(
    emissions: Tensor, tags: Tensor, transitions: Transitions, mask: Tensor | None = None
) -> Tensor:
    """Minus the log-probability of each row's whole tag sequence (eq-crf-loss): (B,)."""
    return log_partition(emissions, transitions, mask) - score(emissions, tags, transitions, mask)


def log_matrix_product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product with log-sum-exp for sums and + for products (eq-log-matrix-product).

    Shapes: (..., I, J) and (..., J, K) to (..., I, K).
    """
    return torch.logsumexp(left.unsqueeze(-1) + right.unsqueeze(-3), dim=-2)  # (..., I, K)


def backward_scores(emissions: Tensor, transitions: Transitions, mask: Tensor | None = None) -> Tensor:
    """Log-sum of the scores of all endings that follow each tag (eq-backward): (B, T, C)."""
    mask = _whole(emissions, mask)
    beta = transitions.end.expand_as(emissions[:, 0])  # (B, C)
    betas = [beta]
    for t in range(emissions.shape[1] - 1, 0, -1):
        step = torch.logsumexp(transitions.between + (emissions[:, t] + beta).unsqueeze(1), dim=2)  # (B, C)
        beta = step.where(mask[:, t, None], beta)
        betas.append(beta)
    return torch.stack(betas[::-1], dim=1)


def marginals(emissions: Tensor, transitions: Transitions, mask: Tensor | None = None) -> Tensor:
    """The probability of each tag at each position (eq-crf-marginals): (B, T, C), zero at padding."""
    alpha, beta = (run(emissions, transitions, mask) for run in (forward_scores, backward_scores))
    # The log-sum over tags is the log-partition at every position; taken here, rounding does not add up over T.
    return (alpha + beta).softmax(2) * _whole(emissions, mask).unsqueeze(2)


def pair_marginals(emissions: Tensor, transitions: Transitions, mask: Tensor | None = None) -> Tensor:
    """The probability of each pair of neighbouring tags (eq-crf-pair-marginals): (B, T-1, C, C), zero at padding."""
    alpha, beta = (run(emissions, transitions, mask) for run in (forward_scores, backward_scores))
    right = (emissions + beta)[:, 1:].unsqueeze(2)  # (B, T-1, 1, C)
    scores = alpha[:, :-1].unsqueeze(3) + transitions.between + right  # (B, T-1, C, C)
    probabilities = scores.flatten(2).softmax(2).view_as(scores)
    return probabilities * _whole(emissions, mask)[:, 1:, None, None]


def viterbi(emissions: Tensor, transitions: Transitions, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The best tag sequence of each row and its score (eq-viterbi): (B, T), IGNORE at padding, and (B,)."""
    mask = _whole(emissions, mask)
    best = transitions.start + emissions[:, 0]  # (B, C)
    same = torch.arange(best.shape[1], device=best.device)  # at padding each tag comes from itself
    origins = []
    for t in range(1, emissions.shape[1]):
        step, origin = (best.unsqueeze(2) + transitions.between).max(dim=1)  # (B, C)
        best = (step + emissions[:, t]).where(mask[:, t, None], best)
        origins.append(origin.where(mask[:, t, None], same))
    scores, tag = (best + transitions.end).max(dim=1)  # (B,)
    return _trace_back(tag.unsqueeze(1), origins).squeeze(1).where(mask, IGNORE), scores


def k_best(emissions: Tensor, transitions: Transitions, k: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The K best tag sequences of each row, best first, and their scores: (B, K, T) and (B, K) (eq-k-best).

    Where fewer than K sequences exist or are allowed, the score is -inf and the tags mean nothing.
    """
    mask = _whole(emissions, mask)
    batch, length, classes = emissions.shape
    start = transitions.start + emissions[:, 0]
    missing = start.new_full((batch, classes, k - 1), FORBIDDEN)
    best = torch.cat([start.unsqueeze(2), missing], dim=2)  # (B, C, K)
    same = torch.arange(classes * k, device=emissions.device).view(
        classes, k
    )  # at padding each entry comes from itself
    origins = []
    for t in range(1, length):
        step = best.unsqueeze(3) + transitions.between.unsqueeze(1)  # (B, C, K, C)
        top, origin = step.flatten(1, 2).topk(k, dim=1)  # (B, K, C)
        top, origin = top.transpose(1, 2) + emissions[:, t, :, None], origin.transpose(1, 2)  # (B, C, K)
        alive = mask[:, t, None, None]
        best = top.where(alive, best)
        origins.append(origin.where(alive, same).flatten(1))
    scores, entries = (best + transitions.end[:, None]).flatten(1).topk(k)  # (B, K)
    tags = _trace_back(entries, origins) // k  # (B, K, T)
    return tags.where(mask.unsqueeze(1), IGNORE), scores.where(scores > FORBIDDEN / 2, -torch.inf)


def all_sequences(length: int, classes: int) -> Tensor:
    """Every tag sequence, for small cases: (C^T, T)."""
    return torch.cartesian_prod(*[torch.arange(classes)] * length).view(-1, length)


def memm_log_probability(emissions: Tensor, tags: Tensor, transitions: Transitions) -> Tensor:
    """The log-probability of each row's tags where every step is a softmax of its own (eq-memm): (B,).

    The maximum-entropy Markov model of McCallum, Freitag and Pereira 2000, for comparison; it has no end scores.
    """
    first = (transitions.start + emissions[:, 0]).log_softmax(1)  # (B, C)
    steps = (transitions.between[tags[:, :-1]] + emissions[:, 1:]).log_softmax(2)  # (B, T-1, C)
    logs = torch.cat([first.unsqueeze(1), steps], dim=1)  # (B, T, C)
    return logs.gather(2, tags.unsqueeze(2)).squeeze(2).sum(1)


def _forward(emissions: Tensor, transitions: Transitions, mask: Tensor) -> list[Tensor]:
    alpha = transitions.start + emissions[:, 0]  # (B, C)
    alphas = [alpha]
    for t in range(1, emissions.shape[1]):
        step = torch.logsumexp(alpha.unsqueeze(2) + transitions.between, dim=1) + emissions[:, t]  # (B, C)
        alpha = step.where(mask[:, t, None], alpha)
        alphas.append(alpha)
    return alphas


def _trace_back(last: Tensor, origins: list[Tensor]) -> Tensor:
    """From the last entry of each path (B, K) and where each entry came from, T-1 times (B, C): (B, K, T)."""
    path = [last]
    for origin in reversed(origins):
        path.append(origin.gather(1, path[-1]))
    return torch.stack(path[::-1], dim=2)


def _whole(emissions: Tensor, mask: Tensor | None) -> Tensor:
    """The mask as booleans, all true if there is none; raises InputError where padding stands before a word."""
    if mask is None:
        return torch.ones(emissions.shape[:2], dtype=torch.bool, device=emissions.device)
    mask = mask.bool()
    wrong = ~mask[:, 0] | (mask[:, 1:] & ~mask[:, :-1]).any(1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise InputError(f"row {row} of the mask has padding before a word; move all padding to the end of the row")
    return mask
