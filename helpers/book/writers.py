"""Ways to teach a decoder, as recorded: each with the learning rate that validation answers chose."""

from collections.abc import Mapping

import numpy as np

from helpers.book import ledger

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


def ordinary(runs: ledger.Results) -> np.ndarray:
    """Log p of each paragraph of ordinary text and the tokens behind it, (S, N, 2)."""
    return np.array(runs["general"].tolist(), dtype=float)
