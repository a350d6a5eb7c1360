"""Ways to get JSON from a decoder, as recorded: asked, or taught with the rate that validation answers chose."""

from collections.abc import Mapping

import numpy as np

from helpers import evaluation
from helpers.book import ledger
from helpers.metrics import json_fields

NAME = "gpt-json"


def search(system: str, changes: Mapping | None = None) -> ledger.Results:
    """The runs with the first seed on all rows, one for each learning rate.

    Args:
        system: `full` or `lora`.
        changes: what was changed in the task, as {"lora_rank": 8}.
    """
    runs = ledger.read(NAME).where(system=system, changes=dict(changes or {}), seed=0)
    return runs.where(train_rows=int(runs["train_rows"].max()))


def chosen_rate(found: ledger.Results) -> float:
    """The learning rate of the run whose answers to the validation rows are the likeliest; of equal ones the first."""
    return float(found["rate"].iloc[found["validation"].argmax()])


def chosen(system: str, changes: Mapping | None = None, train_rows: int | None = None) -> ledger.Results:
    """The runs of all seeds at the rate that a search on all rows chose; without `train_rows` those on all rows."""
    found = search(system, changes)
    rate, size = chosen_rate(found), train_rows or int(found["train_rows"].max())
    return ledger.read(NAME).where(system=system, changes=dict(changes or {}), rate=rate, train_rows=size)


def asked(system: str, decoding: str = "free", shots: int | None = None) -> ledger.Results:
    """The decoder that nobody trained, with the first draw of the examples before each entry.

    Args:
        system: `instruction`, `examples` (the same ones before all entries) or `nearest`.
        decoding: `free`, or `constrained` by a schema.
        shots: how many examples; None for an instruction.
    """
    runs = ledger.read(NAME).where(system=system, decoding=decoding)
    runs = runs.where(shots=shots) if shots else runs
    return ledger.Results(runs.frame.head(1))


def f1(runs: ledger.Results) -> evaluation.Interval:
    """The F1 of fields, over rows and, where there are several runs, over runs."""
    counts = runs.counts()  # (S, N, 4)
    return evaluation.interval(counts if len(counts) > 1 else counts[0], score=json_fields.f1)


def gain(first: ledger.Results, second: ledger.Results) -> evaluation.Difference:
    """By how much the F1 of fields is higher; one run beside several counts as fixed."""
    ours, theirs = first.counts(), second.counts()
    return evaluation.paired(ours, theirs, score=json_fields.f1, second_is_fixed=len(theirs) == 1 < len(ours))


def ordinary(runs: ledger.Results) -> np.ndarray:
    """Log p of each paragraph of ordinary text and the tokens behind it, (S, N, 2)."""
    return np.array(runs["general"].tolist(), dtype=float)
