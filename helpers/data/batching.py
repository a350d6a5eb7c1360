"""Batches of rows with about the same length, so that little of a batch is padding."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

POOL = 64  # batches drawn together before sorting: large enough to find equal lengths, small enough to stay random


def on_device(batch: Mapping[str, Tensor], device: torch.device | str) -> dict[str, Tensor]:
    """The tensors of a batch on a device, under the same names; those that are there already are not copied.

    A collated batch lies in the CPU's memory, a trained model where it was trained: `on_device(batch, model.device)`
    brings them together, and does nothing on a machine without a GPU.
    """
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


def rows_at(rows: Dataset, places: Sequence[int]) -> list[dict]:
    """Some rows, as a data loader of PyTorch asks for them: a twentieth of the time that `select` takes for a batch."""
    return rows.__getitems__([int(place) for place in places])


def length_batches(
    lengths: Sequence[int],
    *,
    batch_rows: int,
    batch_tokens: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    epoch: int = 0,
) -> list[list[int]]:
    """Cut the rows of one epoch into batches of similar length.

    The rows are shuffled, taken in pools of `POOL * batch_rows`, sorted by length within a pool, and cut so that a
    batch holds at most `batch_rows` rows and, if it is given, at most `batch_tokens` tokens, padding included. The
    batches are then shuffled. A row longer than `batch_tokens` stands alone. Without `shuffle` all rows form one sorted
    pool.

    Args:
        lengths: tokens of each row, shape (N,).
        seed, epoch: together they fix the order; the same pair gives the same batches on every machine.

    Returns:
        Row indices, one list per batch, shortest row first; each index occurs once.
    """
    lengths = np.asarray(lengths, dtype=np.int64)  # (N,)
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    order = random.permutation(len(lengths)) if shuffle else np.arange(len(lengths))
    pool = POOL * batch_rows if shuffle else max(1, len(lengths))
    batches = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += _sorted_batches(rows.tolist(), lengths, batch_rows, batch_tokens or math.inf)
    if shuffle:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def pieces(rows: list[int], lengths: np.ndarray, piece_tokens: int) -> list[list[int]]:
    """Cut one batch, shortest row first, into pieces of at most `piece_tokens` tokens, padding included.

    Args:
        lengths: tokens of all rows, shape (N,); a row that is longer than a piece may be stands alone.
    """
    return _sorted_batches(rows, lengths, len(rows), piece_tokens)


def _sorted_batches(rows: list[int], lengths: np.ndarray, batch_rows: int, batch_tokens: float) -> list[list[int]]:
    """Cut rows sorted by length; the last row of a batch is its longest, so its length is the padded length."""
    batches, batch = [], []
    for row in rows:
        if batch and (len(batch) == batch_rows or (len(batch) + 1) * lengths[row] > batch_tokens):
            batches.append(batch)
            batch = []
        batch.append(row)
    return [*batches, batch] if batch else batches


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Put rows into sequences of at most `width` tokens, first fit decreasing: few sequences with little padding.

    Args:
        lengths: tokens of each row, shape (N,); a row longer than `width` stands alone.

    Returns:
        Row indices, one list per sequence; each index occurs once.
    """
    sequences, room = [], []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        index = next((i for i, left in enumerate(room) if lengths[row] <= left), None)
        if index is None:
            sequences.append([])
            room.append(width)
            index = len(room) - 1
        sequences[index].append(row)
        room[index] -= lengths[row]
    return sequences


def split_evenly(rows: Sequence[int], parts: int) -> list[Sequence[int]]:
    """Cut one batch into `parts` contiguous pieces whose sizes differ by one at most; a piece may be empty."""
    edges = [len(rows) * part // parts for part in range(parts + 1)]
    return [rows[start:end] for start, end in pairwise(edges)]


def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Rows of different length as one tensor of integers (B, longest), filled with `value` on the right."""
    result = torch.full((len(rows), max(map(len, rows))), value)
    for i, row in enumerate(rows):
        result[i, : len(row)] = torch.as_tensor(row)
    return result


def padded_inputs(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """Rows of token ids as the inputs of an encoder: `input_ids` and `attention_mask`, (B, longest)."""
    return {"input_ids": padded(rows, pad_id), "attention_mask": padded([[1] * len(row) for row in rows], 0)}


def padding_share(batches: list[list[int]], lengths: Sequence[int]) -> float:
    """Share of padding among all tokens that the batches hold once padded to their longest row."""
    lengths = np.asarray(lengths)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    return 1 - sum(lengths[batch].sum() for batch in batches) / padded
