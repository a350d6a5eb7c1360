"""What the results that are missing are expected to take, by what those of the same kind took."""

from collections.abc import Mapping, Sequence
from statistics import median

import torch

LIMIT = 30  # minutes that one result may take


def plan(experiments: Mapping[str, tuple[Sequence[dict], Sequence[dict]]]) -> list[str]:
    """A line for each kind of result that is missing, and one for all.

    Args:
        experiments: by name, what identifies each missing result, and the recorded rows.
    """
    lines, total, unknown = [], 0.0, 0
    for name, (missing, recorded) in experiments.items():
        kinds = {}
        for about in missing:
            kinds.setdefault(_words(about), []).append(minutes(about, recorded))
        for kind, expected in kinds.items():
            known = [value for value in expected if value is not None]
            told = f"{sum(known):.1f} min" if len(known) == len(expected) else "no record to go by"
            lines.append(f"{name} {kind}: {len(expected)} missing, {told}")
            total, unknown = total + sum(known), unknown + len(expected) - len(known)
    more = f", and {unknown} of which no record tells" if unknown else ""
    missing = sum(len(abouts) for abouts, _ in experiments.values())
    return [*lines, f"{missing} results are missing; expected are {total:.0f} min{more}"]


def minutes(about: dict, recorded: Sequence[dict]) -> float | None:
    """The minutes that a result is expected to take; None if no result of the same system is recorded.

    It is the median of those that differ in the seed alone; else of those of the same system whose training rows are
    closest in number.
    """
    rows = [row for row in recorded if row.get("system") == about.get("system") and _seconds(row) is not None]
    same = [row for row in rows if all(row.get(key) == value for key, value in about.items() if key != "seed")]
    if not rows:
        return None
    if not same:
        distance = {id(row): abs(_size(row) - _size(about)) for row in rows}
        same = [row for row in rows if distance[id(row)] == min(distance.values())]
    return median(_seconds(row) for row in same) / 60


def warning(expected: float | None) -> str | None:
    """What is to be said before a result that may take long is started."""
    if expected is None or expected <= LIMIT:
        return None
    return f"is expected to take {expected:.0f} min, more than the {LIMIT} that one result may take; make it smaller"


def _size(row: dict) -> float:
    """The training rows of a result; 0 where none are recorded, which a table of results gives as not a number."""
    return row["train_rows"] if _number(row.get("train_rows")) else 0


def _seconds(row: dict) -> float | None:
    """What a recorded result took, on the cores that torch has here."""
    if _number(row.get("cpu_seconds")):
        return row["cpu_seconds"] / torch.get_num_threads()
    parts = [row.get(name) for name in ("seconds", "generation_seconds")]  # older results, beside other work perhaps
    known = [part for part in parts if _number(part)]
    return sum(known) if known else None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and value == value


def _words(about: dict) -> str:
    """What kind of result this is: all but its seed."""
    return " ".join(f"{key}={value}" for key, value in about.items() if key != "seed")
