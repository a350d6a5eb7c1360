"""Is a recorded experiment still true: one of its results is computed again and must fall into the recorded band.

**The band** of a score reaches from the lowest to the highest of the recorded seeds, and beyond both by half the width
of the 95 % interval of their mean over test rows and seeds (`evaluation.interval`): another processor, another order of
sums, or a seed that was not recorded stays within it, and a changed method, corpus or model does not.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from experiments import derivation, planning, recording
from helpers.book import ledger
from helpers.book.ledger import Results
from helpers.errors import InputError


class Verdict(NamedTuple):
    """A score that was computed again, and the ends of its band."""

    score: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the score lies in its band."""
        return self.low <= self.value <= self.high

    def sentence(self) -> str:
        """The verdict in words."""
        said = "within" if self.holds else "OUTSIDE"
        return f"{self.score} {self.value:.4f} is {said} the recorded band, {self.low:.4f} to {self.high:.4f}"


def verify(name: str, module, wanted: Mapping[str, str]) -> list[Verdict]:
    """Compute a result again: the first seed of the quickest kind that trains, among those that are `wanted`.

    Raises InputError if nothing of that kind is recorded, or it kept no predictions.
    """
    recorded = _recorded(name)
    chosen = [
        (about, compute)
        for about, compute in module.EXPERIMENTS[name]()
        if all(str(about.get(key)) == value for key, value in wanted.items()) and _alike(about, recorded)
    ]
    if not chosen:
        raise InputError(f"nothing of '{name}' with {dict(wanted) or 'any setting'} is recorded")
    about, compute = min(chosen, key=lambda pair: _rank(pair[0], recorded))
    print(f"{name} {about}, again", flush=True)
    again = derivation.kept(Results(pd.DataFrame([recording.packed(about | compute())])))
    group = [derivation.kept(Results(pd.DataFrame([row]))) for row in _alike(about, recorded)]
    verdicts = [_verdict(score, part, [row[score] for row in group if score in row]) for score, part in again.items()]
    if not verdicts:
        raise InputError(f"'{name}' {about} kept no predictions, so that it has no band")
    return verdicts


def _recorded(name: str) -> list[dict]:
    return [
        {key: value for key, value in row.items() if isinstance(value, dict | list) or not pd.isna(value)}
        for row in ledger.read(name).frame.to_dict("records")
    ]


def _alike(about: dict, recorded: Sequence[dict]) -> list[dict]:
    """The recorded rows that differ from a result in the seed at most."""
    kind = {key: value for key, value in about.items() if key != "seed"}
    return [row for row in recorded if all(row.get(key) == value for key, value in kind.items())]


def _rank(about: dict, recorded: Sequence[dict]) -> tuple[bool, float]:
    """What is tried first: what trains, and among that what takes least."""
    trains = any("recipe" in row for row in _alike(about, recorded))
    return not trains, planning.minutes(about, recorded) or 0.0


def _verdict(score: str, again: derivation.Kept, group: Sequence[derivation.Kept]) -> Verdict:
    values, spread = [part.value() for part in group], derivation.pooled(group)
    half = (spread.high - spread.low) / 2
    return Verdict(score, again.value(), min(values) - half, max(values) + half)
