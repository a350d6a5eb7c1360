"""Length buckets: every row once, within the budgets, with little padding, and the same on every machine."""

import numpy as np
import pytest
import torch
from datasets import Dataset

from helpers.data.batching import (
    length_batches,
    on_device,
    pack,
    padded_inputs,
    padding_share,
    pieces,
    rows_at,
    split_evenly,
)

LENGTHS = np.random.default_rng(0).integers(3, 200, size=1000).tolist()


@pytest.mark.parametrize("seed", range(30))
def test_pieces_hold_every_row_once_in_order_and_no_more_tokens_than_allowed(seed):
    random = np.random.default_rng(seed)
    lengths, most = random.integers(1, 300, size=40), int(random.integers(1, 900))
    rows = sorted(random.permutation(40)[: random.integers(1, 33)].tolist(), key=lambda row: lengths[row])
    parts = pieces(rows, lengths, most)
    assert [row for part in parts for row in part] == rows
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        assert part and (len(part) == 1 or len(part) * lengths[part].max() <= most)
        assert after is None or (len(part) + 1) * lengths[after[0]] > most, "and no piece more than needed"


@pytest.mark.parametrize("seed", range(5))
def test_rows_at_some_places_are_those_that_select_gives(seed):
    random = np.random.default_rng(seed)
    columns = {
        "ids": [random.integers(99, size=n).tolist() for n in random.integers(9, size=50)],
        "start": [*range(49), None],
    }
    rows = Dataset.from_dict(columns).select(random.permutation(50)[:40])
    places = random.integers(40, size=random.integers(1, 12))
    assert rows_at(rows, places) == rows.select(places).to_list()


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_comes_once_and_within_the_budgets(shuffle):
    batches = length_batches(LENGTHS, batch_rows=16, batch_tokens=1500, shuffle=shuffle)
    assert sorted(row for batch in batches for row in batch) == list(range(1000))
    for batch in batches:
        longest = max(LENGTHS[row] for row in batch)
        assert len(batch) <= 16
        assert len(batch) * longest <= 1500
        assert LENGTHS[batch[-1]] == longest


def test_a_row_longer_than_the_budget_stands_alone():
    assert [1] in length_batches([3, 50, 4], batch_rows=8, batch_tokens=10)


def test_the_order_is_a_function_of_seed_and_epoch():
    def cut(seed, epoch):
        return length_batches(LENGTHS, batch_rows=16, batch_tokens=9999, seed=seed, epoch=epoch)

    assert cut(1, 2) == cut(1, 2)
    assert cut(1, 2) != cut(1, 3)
    assert cut(1, 2) != cut(2, 2)


def test_buckets_hold_less_padding_than_random_batches():
    buckets = length_batches(LENGTHS, batch_rows=16, batch_tokens=99999)
    random = np.random.default_rng(1).permutation(1000)
    plain = [random[i : i + 16].tolist() for i in range(0, 1000, 16)]
    assert padding_share(buckets, LENGTHS) < 0.1 < 0.4 < padding_share(plain, LENGTHS)


def test_batches_are_not_sorted_by_length():
    means = [
        np.mean([LENGTHS[row] for row in batch]) for batch in length_batches(LENGTHS, batch_rows=16, batch_tokens=9999)
    ]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


def test_padding_share_by_hand():
    assert padding_share([[0, 1], [2]], [2, 4, 4]) == pytest.approx(2 / 12)


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 8])
def test_pieces_are_even_and_complete(parts):
    pieces = split_evenly(list(range(7)), parts)
    assert [row for piece in pieces for row in piece] == list(range(7))
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


def test_no_rows_make_no_batches():
    assert length_batches([], batch_rows=4, batch_tokens=10) == []


def test_packing_holds_each_row_once_within_the_width_and_wastes_little():
    sequences = pack(LENGTHS, 512)
    assert sorted(row for sequence in sequences for row in sequence) == list(range(1000))
    sums = [sum(LENGTHS[row] for row in sequence) for sequence in sequences]
    assert max(sums) <= 512
    assert sum(sums) > 0.97 * 512 * len(sequences)


def test_a_row_longer_than_the_width_is_packed_alone():
    assert pack([9, 30, 8], 20) == [[1], [0, 2]]


def test_rows_are_padded_on_the_right_and_the_mask_tells_where():
    found = padded_inputs([[5, 6, 7], [8], []], 9)
    assert found["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9], [9, 9, 9]]
    assert found["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert {str(tensor.dtype) for tensor in found.values()} == {"torch.int64"}


def test_a_batch_moves_whole_to_another_device_and_stays_itself_where_it_is():
    batch = {"input_ids": torch.tensor([[5, 6], [7, 0]]), "labels": torch.tensor([1, 0])}
    moved = on_device(batch, "meta")  # a device that every machine has
    assert {name: (tensor.device.type, tensor.shape) for name, tensor in moved.items()} == {
        "input_ids": ("meta", (2, 2)),
        "labels": ("meta", (2,)),
    }
    assert all(tensor is batch[name] for name, tensor in on_device(batch, "cpu").items())
