"""Inference: evaluation mode without gradients, and batches of rows of about the same length."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from helpers.data.batching import length_batches

BATCH_ROWS, BATCH_TOKENS = 256, 8192  # of one forward pass, padding included


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients while this lasts; the mode before is restored, also after an error."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def by_length(
    compute: Callable[[list[int]], Sequence],
    lengths: Sequence[int],
    *,
    batch_rows: int = BATCH_ROWS,
    batch_tokens: int = BATCH_TOKENS,
) -> list:
    """What `compute` returns for each row, in the order of the rows.

    Args:
        compute: the function from the indices of rows of about the same length to one result per row.
        lengths: tokens of each row, shape (N,).
    """
    results = [None] * len(lengths)
    for rows in length_batches(lengths, batch_rows=batch_rows, batch_tokens=batch_tokens, shuffle=False):
        for row, result in zip(rows, compute(rows), strict=True):
            results[row] = result
    return results
